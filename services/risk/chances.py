"""The chance that an analyst confirms an alert: trees over what was known when it was raised. Pure."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, Self

import msgspec
import numpy as np

from services.risk import boosting, foresight, judging
from services.risk.boosting import Floats
from services.risk.learning import Bools, TooFewOutcomes
from shared.errors import Invalid

# What is kept of each alert, in this order; a change of it asks for a migration that describes alerts anew.
NUMBERS = (
    "severity",
    "points",
    "features",
    "over_most",
    "over_least",
    "evidence",
    "alerts_7d",
    "alerts_30d",
    "severe_30d",
    "same_rule_30d",
    "confirmed_before",
    "dismissed_before",
    "risk_class",
    "age_days",
    "rule_confirmed",
    "rule_dismissed",
    "rule_precision",
)
CATEGORIES = ("rule", "stream")
FEATURES = (*NUMBERS, *CATEGORIES)
BY_RULE = "rule_precision"
BASE = "base"
# Not tuned: there are no public verdicts to tune by. Small trees, because there will be few verdicts for long.
PARAMETERS = {"learning_rate": 0.05, "num_leaves": 7, "min_data_in_leaf": 20, "lambda_l2": 1.0, "seed": 0}
ROUNDS = 100
_TOP_GAINS = 10
_LEAST_NEWEST = 30


class ModelRefused(Invalid):
    """A stored model that was made for other features, or is none."""


class Lookups(msgspec.Struct, frozen=True):
    """What a model needs beside its trees: the codes of rules and streams."""

    vocabularies: dict[str, dict[str, int]]


class Terms(NamedTuple):
    """By which numbers of rule_values.csv a challenger is judged."""

    held_back_share: float
    least_outcomes: int
    least_new_outcomes: int
    least_of_each: int


class Described(NamedTuple):
    """Alerts as they were known when they were raised: numbers (n, NUMBERS), their rules and streams."""

    numbers: Floats
    rules: Sequence[str]
    streams: Sequence[str]

    def part(self, rows: Bools) -> "Described":
        """Return some of the alerts."""
        places = np.flatnonzero(rows).tolist()
        return Described(self.numbers[rows], [self.rules[at] for at in places], [self.streams[at] for at in places])


class Verdicts(NamedTuple):
    """Alerts in the order of their verdicts, with when these were given (seconds since 1970) and whether confirmed."""

    alerts: Described
    judged_at: Floats
    confirmed: Floats

    def part(self, rows: Bools) -> "Verdicts":
        """Return some of them."""
        return Verdicts(self.alerts.part(rows), self.judged_at[rows], self.confirmed[rows])


class Explained(NamedTuple):
    """A chance with what each feature adds to its log odds; the last one is of no feature."""

    chance: float
    contributions: list[dict[str, Any]]


class ChanceModel:
    """Trees that were learnt from verdicts."""

    def __init__(self, booster: Any, lookups: Lookups) -> None:  # LightGBM's
        self.lookups = lookups
        self._booster = booster

    @classmethod
    def fitted(cls, verdicts: Verdicts) -> Self:
        """Learn. Raises Unavailable where LightGBM cannot be loaded."""
        texts = {"rule": verdicts.alerts.rules, "stream": verdicts.alerts.streams}
        vocabularies = {name: {text: code for code, text in enumerate(sorted(set(texts[name])))} for name in CATEGORIES}
        lookups = Lookups(vocabularies)
        rows = _matrix(verdicts.alerts, lookups)
        booster = boosting.train(
            rows, verdicts.confirmed, FEATURES, rounds=ROUNDS, categories=CATEGORIES, parameters=PARAMETERS
        )
        return cls(booster, lookups)

    @classmethod
    def restored(cls, trees: str, features: Sequence[str], lookups: Lookups) -> Self:
        """Return a model as it was stored. Raises ModelRefused, and Unavailable where LightGBM cannot be loaded."""
        if tuple(features) != FEATURES:
            raise ModelRefused(f"the model has other features: {', '.join(sorted(set(features) ^ set(FEATURES)))}")
        if set(lookups.vocabularies) != set(CATEGORIES):
            raise ModelRefused("the model has other lookups")
        return cls(boosting.from_text(trees, FEATURES), lookups)

    def trees(self) -> str:
        """Return the trees as LightGBM writes them."""
        text: str = self._booster.model_to_string()
        return text

    def chances(self, alerts: Described) -> Floats:
        """Return the chance of each alert."""
        if not len(alerts.numbers):
            return np.empty(0)
        return np.asarray(self._booster.predict(_matrix(alerts, self.lookups)), dtype=np.float64)

    def explained(self, alerts: Described) -> list[Explained]:
        """Return the chance of each alert with what adds up to its log odds."""
        if not len(alerts.numbers):
            return []
        added = self._booster.predict(_matrix(alerts, self.lookups), pred_contrib=True)
        texts = zip(alerts.rules, alerts.streams, strict=True)
        return [
            Explained(1 / (1 + math.exp(-own.sum())), _named([*map(_number, row), *text], own.tolist()))
            for row, text, own in zip(alerts.numbers.tolist(), texts, added, strict=True)
        ]

    def gains(self) -> dict[str, float]:
        """Return what each feature gained in the trees, together 1."""
        gained = self._booster.feature_importance("gain")
        return dict(zip(FEATURES, (gained / max(gained.sum(), 1e-12)).tolist(), strict=True))


class Incumbent(NamedTuple):
    """The model that was adopted before, what it is called, and its chances of the verdicts that it was judged by."""

    model: ChanceModel
    name: str
    chances: Floats


class Trained(NamedTuple):
    """A challenger with its card, its chances of the verdicts held back, and whether it is better."""

    model: ChanceModel
    card: dict[str, Any]
    chances: Floats
    adopted: bool
    # Whether the one that was adopted before is still better than the rules' own precision.
    incumbent_holds: bool


class _Worth(NamedTuple):
    """How well chances tell confirmed alerts from false ones, and how true they are."""

    average_precision: float
    brier: float

    def is_better_than(self, other: "_Worth") -> bool:
        return self.average_precision > other.average_precision and self.brier < other.brier


def train(verdicts: Verdicts, newest: Described, incumbent: Incumbent | None, terms: Terms) -> Trained:
    """Train a challenger on all but the newest verdicts and judge it by these, beside the rules' precision so far.

    `newest` are the alerts that were raised last, judged or not. Raises TooFewOutcomes and Unavailable.
    """
    early, late = _parts(verdicts, terms)
    model = ChanceModel.fitted(early)
    chances = model.chances(late.alerts)
    own, by_rule = _worth(chances, late), _worth(_precisions(early, late.alerts), late)
    former = by_rule if incumbent is None else _worth(incumbent.model.chances(late.alerts), late)
    learnt_scores = model.chances(early.alerts)
    card = {
        "trained": _span(early),
        "held_back": _span(late),
        "known": len(verdicts.confirmed),
        **own._asdict(),
        **{f"{name}_by_rule": value for name, value in by_rule._asdict().items()},
        "incumbent": BY_RULE if incumbent is None else incumbent.name,
        **{f"incumbent_{name}": value for name, value in former._asdict().items()},
        "calibration": foresight.calibration(chances, late.confirmed),
        "drift": judging.drifts(
            {name: name in CATEGORIES for name in FEATURES},
            _matrix(early.alerts, model.lookups),
            _matrix(late.alerts, model.lookups),
        ),
        "score_drift": _drift(learnt_scores, model.chances(newest)),
        "incumbent_score_drift": None
        if incumbent is None
        else _drift(incumbent.chances, incumbent.model.chances(newest)),
        "top_gains": dict(sorted(model.gains().items(), key=lambda gain: -gain[1])[:_TOP_GAINS]),
    }
    adopted = own.is_better_than(by_rule) and (incumbent is None or own.is_better_than(former))
    return Trained(model, card, chances, adopted, former.is_better_than(by_rule))


def overs(bounds: Sequence[tuple[str, bool, float]], values: Mapping[str, float]) -> tuple[float, float]:
    """Return how far values lie beyond the bounds of their rule, at most and at least, as natural logarithms.

    `bounds` name a feature, whether the bound is a lower one, and the bound. NaN where nothing can be compared.
    """
    found = [
        (1 if is_lower else -1) * math.log(values[name] / bound)
        for name, is_lower, bound in bounds
        if bound > 0 and values.get(name, 0.0) > 0
    ]
    return (max(found), min(found)) if found else (math.nan, math.nan)


def _parts(verdicts: Verdicts, terms: Terms) -> tuple[Verdicts, Verdicts]:
    """Return the verdicts to learn from, each given before the first of those held back."""
    known = len(verdicts.confirmed)
    if known < terms.least_outcomes:
        raise TooFewOutcomes(f"{known} alerts are confirmed or false; {terms.least_outcomes} are learnt from")
    cut = verdicts.judged_at[int(known * (1 - terms.held_back_share))]
    early, late = verdicts.part(verdicts.judged_at < cut), verdicts.part(verdicts.judged_at >= cut)
    for name, part in (("learnt from", early), ("held back", late)):
        confirmed = int(part.confirmed.sum())
        if min(confirmed, len(part.confirmed) - confirmed) < terms.least_of_each:
            raise TooFewOutcomes(
                f"of the {len(part.confirmed)} verdicts {name} {confirmed} confirm; {terms.least_of_each} of each are"
                " needed"
            )
    return early, late


def _precisions(early: Verdicts, alerts: Described) -> Floats:
    """Return the chances that the precision of each alert's rule gives.

    By what was known when it was raised or, where that is more, by all that a challenger learns from: verdicts come in
    bulk on alerts that were raised before any of them.
    """
    judged, confirmed = Counter(early.alerts.rules), Counter[str]()
    for rule, right in zip(early.alerts.rules, early.confirmed.tolist(), strict=True):
        confirmed[rule] += int(right)
    places = [NUMBERS.index(name) for name in ("rule_confirmed", "rule_dismissed")]
    found = []
    for rule, (right, wrong) in zip(alerts.rules, alerts.numbers[:, places].tolist(), strict=True):
        known, own = max((right + wrong, right), (judged[rule], confirmed[rule]))
        found.append((own + 1) / (known + 2))
    return np.array(found, dtype=np.float64)


def _matrix(alerts: Described, lookups: Lookups) -> Floats:
    texts = {"rule": alerts.rules, "stream": alerts.streams}
    codes = [[lookups.vocabularies[name].get(text, math.nan) for text in texts[name]] for name in CATEGORIES]
    return np.column_stack([alerts.numbers, np.array(codes, dtype=np.float64).T.reshape(len(alerts.rules), -1)])


def _worth(chances: Floats, verdicts: Verdicts) -> _Worth:
    found = judging.average_precision(chances, verdicts.confirmed)
    return _Worth(found, foresight.brier(chances, verdicts.confirmed))


def _drift(before: Floats, after: Floats) -> float | None:
    if len(after) < _LEAST_NEWEST:
        return None
    return round(judging.stability_index(before, after, is_category=False), 4)


def _named(values: Sequence[float | str | None], added: Sequence[float]) -> list[dict[str, Any]]:
    """Return what adds to the log odds, the most first and what belongs to no feature last."""
    own = [
        {"feature": name, "value": value, "log_odds": odds}
        for name, value, odds in zip(FEATURES, values, added[:-1], strict=True)
        if odds
    ]
    base = {"feature": BASE, "value": None, "log_odds": added[-1]}
    return [*sorted(own, key=lambda one: -abs(float(one["log_odds"]))), base]  # type: ignore[arg-type]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else value


def _span(part: Verdicts) -> dict[str, Any]:
    first, last = (datetime.fromtimestamp(at, UTC).date().isoformat() for at in (part.judged_at[0], part.judged_at[-1]))
    return {
        "from": first,
        "to": last,
        "outcomes": len(part.confirmed),
        "confirmed": int(part.confirmed.sum()),
        "base_rate": float(part.confirmed.mean()),
    }
