"""A model of single operators is learnt from old outcomes and judged by the newest, beside the class forecast. Pure."""

from datetime import date
from typing import Any, NamedTuple

import numpy as np

from services.risk import foresight, judging
from services.risk.boosting import Floats
from services.risk.foresight import FEATURES, Forecaster
from services.risk.learning import Bools, TooFewOutcomes

_TOP_WEIGHTS = 10
_CALIBRATED_SHARE = 0.3


class Terms(NamedTuple):
    """By which numbers of rule_values.csv a challenger is judged, and how many days its outcomes take."""

    held_back_share: float
    least_outcomes: int
    least_new_outcomes: int
    least_violated: int
    days: int


class Outcomes(NamedTuple):
    """Forecasts in the order of days (`date.toordinal()`): what was known then, the chance by class, what came."""

    rows: Floats
    days: Floats
    by_class: Floats
    violated: Floats

    def part(self, rows: Bools) -> "Outcomes":
        """Return some of the forecasts."""
        return Outcomes(*(column[rows] for column in self))


class Trained(NamedTuple):
    """A challenger with its card, its chances in the time held back, and who forecasts best there."""

    model: Forecaster
    card: dict[str, Any]
    chances: Floats
    adopted: bool
    # Neither is the one that was adopted before worse than the forecast by class.
    incumbent_holds: bool


def train(outcomes: Outcomes, incumbent: Forecaster | None, incumbent_name: str, terms: Terms) -> Trained:
    """Train a challenger and judge it by Brier's score beside the forecast by class and the one adopted before.

    Raises TooFewOutcomes.
    """
    fit, tune, late = _parts(outcomes, terms)
    model = foresight.calibrated(foresight.fitted(fit.rows, fit.violated), tune.rows, tune.violated)
    chances = model.chances(late.rows)
    own, by_class = (foresight.brier(one, late.violated) for one in (chances, late.by_class))
    former = by_class if incumbent is None else foresight.brier(incumbent.chances(late.rows), late.violated)
    weighty = sorted(zip(FEATURES, model.weights, strict=True), key=lambda one: -abs(one[1]))[:_TOP_WEIGHTS]
    card = {
        "trained": _span(fit),
        "calibrated": _span(tune),
        "held_back": _span(late),
        "known": len(outcomes.days),
        "brier": own,
        "brier_by_class": by_class,
        "log_loss": foresight.log_loss(chances, late.violated),
        "log_loss_by_class": foresight.log_loss(late.by_class, late.violated),
        "incumbent": incumbent_name,
        "incumbent_brier": former,
        "calibration": foresight.calibration(chances, late.violated),
        "drift": judging.drifts(dict.fromkeys(FEATURES, False), fit.rows, late.rows),
        "top_weights": {name: round(weight, 4) for name, weight in weighty},
    }
    return Trained(model, card, chances, own < min(by_class, former), former < by_class)


def _parts(outcomes: Outcomes, terms: Terms) -> tuple[Outcomes, Outcomes, Outcomes]:
    """Return what is fitted to, what is calibrated by, and the time held back: each known before the next begins."""
    known = len(outcomes.days)
    if known < terms.least_outcomes:
        raise TooFewOutcomes(f"{known} forecasts came to an end; {terms.least_outcomes} are learnt from")
    fit, late = _cut(outcomes, terms.held_back_share, terms.days)
    fit, tune = _cut(fit, _CALIBRATED_SHARE, terms.days)
    for name, part in (("fitted to", fit), ("calibrated by", tune), ("held back", late)):
        violated = int(part.violated.sum())
        if violated < terms.least_violated or violated == len(part.violated):
            raise TooFewOutcomes(f"{violated} of the {len(part.violated)} outcomes {name} are severe: too few, or all")
    return fit, tune, late


def _cut(outcomes: Outcomes, share: float, days: int) -> tuple[Outcomes, Outcomes]:
    """Return what came to an end before the newest share was made, and that share."""
    if not len(outcomes.days):
        return outcomes, outcomes
    cut = outcomes.days[int(len(outcomes.days) * (1 - share))]
    return outcomes.part(outcomes.days + days < cut), outcomes.part(outcomes.days >= cut)


def _span(part: Outcomes) -> dict[str, Any]:
    return {
        "from": date.fromordinal(int(part.days.min())).isoformat(),
        "to": date.fromordinal(int(part.days.max())).isoformat(),
        "outcomes": len(part.days),
        "violations": int(part.violated.sum()),
        "base_rate": float(np.mean(part.violated)),
    }
