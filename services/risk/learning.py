"""A challenger is learnt from all but the newest outcomes and judged by these, beside what scores now. Pure."""

from collections.abc import Sequence
from datetime import date
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
import polars as pl

from services.risk import judging
from services.risk.boosting import Floats
from services.risk.triage import CATEGORIES, FEATURES, Triage
from shared.errors import Conflict

Bools: TypeAlias = npt.NDArray[np.bool_]
_TOP_GAINS = 10


class TooFewOutcomes(Conflict):
    """There is not enough to learn from yet."""


class Terms(NamedTuple):
    """By which numbers of rule_values.csv a challenger is judged."""

    inspected_share: float
    held_back_share: float
    least_outcomes: int
    least_new_outcomes: int


class Material(NamedTuple):
    """Declarations in the order of days: what was known of like goods then; what was found (nan: nothing) and when.

    Days are counted as `date.toordinal()` does. A weight says for how many a declaration stands that was inspected.
    """

    frame: pl.DataFrame
    described: Floats
    days: Floats
    found: Floats
    found_on: Floats
    weights: Floats

    def part(self, rows: Bools) -> "Material":
        """Return some of the declarations."""
        return Material(self.frame.filter(rows), *(column[rows] for column in self[1:]))


class Trained(NamedTuple):
    """A challenger with its card, its scores of the time held back, and whether it found more."""

    triage: Triage
    card: dict[str, Any]
    scores: Floats
    adopted: bool


def train(material: Material, incumbent: Triage, incumbent_name: str, terms: Terms) -> Trained:
    """Train a challenger and judge it beside what scores now. Raises TooFewOutcomes and Unavailable."""
    early, late, learnt = _parts(material, terms)
    challenger = Triage()
    outcomes = [None if np.isnan(one) else bool(one) for one in learnt]
    challenger.fit(early.frame, outcomes, early.described)
    judged = late.part(~np.isnan(late.found))
    precision, former = (
        judging.precision_at(
            terms.inspected_share, triage.scores(judged.frame, judged.described), judged.found, judged.weights
        )
        for triage in (challenger, incumbent)
    )
    card = {
        "trained": _span(early.days, learnt),
        "held_back": _span(judged.days, judged.found),
        "inspected_share": terms.inspected_share,
        "precision": precision,
        "incumbent": incumbent_name,
        "incumbent_precision": former,
        "drift": judging.drifts(
            {name: name in CATEGORIES for name in FEATURES},
            challenger.matrix(early.frame, early.described),
            challenger.matrix(late.frame, late.described),
        ),
        "top_gains": dict(sorted(challenger.gains().items(), key=lambda gain: -gain[1])[:_TOP_GAINS]),
    }
    return Trained(challenger, card, challenger.scores(late.frame, late.described), precision > former)


def _parts(material: Material, terms: Terms) -> tuple[Material, Material, Floats]:
    """Return what comes before the time held back, that time, and what had been found before it."""
    inspected = material.days[~np.isnan(material.found)]
    if len(inspected) < terms.least_outcomes:
        raise TooFewOutcomes(f"{len(inspected)} inspections are known; {terms.least_outcomes} are learnt from")
    cut = inspected[int(len(inspected) * (1 - terms.held_back_share))]
    early, late = material.part(material.days < cut), material.part(material.days >= cut)
    # What was found later nobody knew when the time held back began.
    learnt = np.where(early.found_on < cut, early.found, np.nan)
    if set(np.unique(learnt[~np.isnan(learnt)]).tolist()) != {0.0, 1.0}:
        raise TooFewOutcomes(
            f"before {date.fromordinal(int(cut))} there are not both violations and conforming goods to learn from"
        )
    return early, late, learnt


def _span(days: Floats, found: Floats) -> dict[str, Any]:
    known = ~np.isnan(found)
    own: Sequence[int] = days[known].astype(int).tolist()
    violations = int(found[known].sum())
    return {
        "from": date.fromordinal(min(own)).isoformat(),
        "to": date.fromordinal(max(own)).isoformat(),
        "outcomes": len(own),
        "violations": violations,
        "base_rate": violations / len(own),
    }
