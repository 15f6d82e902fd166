"""Which declarations to inspect first: a LightGBM model of what earlier inspections found, and rules without one."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from types import MappingProxyType
from typing import Any, Self, TypeAlias

import msgspec
import numpy as np
import polars as pl

from services.risk import boosting
from services.risk.boosting import Floats, Ranked
from services.risk.declarations import LIKENESS, History, Outcomes, through_time
from shared.errors import Invalid

CATEGORIES = (
    "hs2",
    "hs4",
    "hs_code",
    "origin_country",
    "departure_country",
    "origin_indicator",
    "office",
    "import_type",
    "import_use",
    "payment_type",
    "transport_mode",
    "tax_type",
)
NUMBERS = ("tax_rate", "log_value", "log_net_kg", "log_value_per_kg", "above_hs6", "above_hs4", "above_hs2")
HISTORY = tuple(f"{name}_{what}" for name in LIKENESS for what in ("inspections", "violation_rate"))
FEATURES = (*NUMBERS, *HISTORY, *CATEGORIES)
# Chosen on the third and fourth quarter of the published customs data, each by what came before it.
PARAMETERS = {"learning_rate": 0.05, "num_leaves": 31, "seed": 0}
ROUNDS = 300
_LEVELS = {"above_hs6": 6, "above_hs4": 4, "above_hs2": 2}
_TIE = 0.01
# Of headings: how many declarations came earlier, and the sum of their logarithms of value per kilogram.
Earlier: TypeAlias = Mapping[str, tuple[int, float]]
NOTHING_EARLIER: Earlier = MappingProxyType({})


class ModelRefused(Invalid):
    """A stored model that was made for other features, or is none."""


class Lookups(msgspec.Struct, frozen=True):
    """What a model needs beside its trees: the usual value per kilogram by heading, and the codes of categories."""

    medians: dict[str, dict[str, float]]
    vocabularies: dict[str, dict[str, int]]


class Triage:
    """Ranks declarations by what was found in the past. It sees nothing of a declaration's future."""

    def __init__(self, features: Sequence[str] = FEATURES) -> None:
        self.features = tuple(features)
        self.history = History()
        self._columns = [FEATURES.index(name) for name in features]
        self._medians: dict[str, dict[str, float]] = {}
        self._vocabularies: dict[str, dict[str, int]] = {}
        self._booster: Any = None  # LightGBM's

    @property
    def has_model(self) -> bool:
        """Tell whether a model was trained; without one the rates of like goods count alone."""
        return self._booster is not None

    def train(self, frame: pl.DataFrame, outcomes: Outcomes, delay: timedelta) -> None:
        """Learn from declarations that were inspected. Raises Unavailable where LightGBM cannot be loaded."""
        self.fit(frame, outcomes, through_time(frame, outcomes, self.history, delay))

    def fit(self, frame: pl.DataFrame, outcomes: Outcomes, described: Floats) -> None:
        """Learn from declarations with what was known of like goods when each was lodged. Raises Unavailable."""
        derived = _derived(frame)
        self._vocabularies = {name: _vocabulary(derived[name]) for name in CATEGORIES}
        self._medians = {name: _medians(derived, length) for name, length in _LEVELS.items()}
        matrix = self._matrix(derived, described)
        inspected = [row for row, outcome in enumerate(outcomes) if outcome is not None]
        self._booster = boosting.train(
            matrix[inspected],
            np.array([bool(outcomes[row]) for row in inspected], dtype=np.float64),
            self.features,
            rounds=ROUNDS,
            categories=[name for name in self.features if name in CATEGORIES],
            parameters=PARAMETERS,
        )

    def rank(self, frame: pl.DataFrame, outcomes: Outcomes, delay: timedelta) -> list[Ranked]:
        """Score declarations in the order given, each by what was known on its day.

        `outcomes` become known `delay` after their day; pass None for what is not known at all.
        """
        return self.score(frame, through_time(frame, outcomes, self.history, delay))

    def score(self, frame: pl.DataFrame, described: Floats, earlier: Earlier = NOTHING_EARLIER) -> list[Ranked]:
        """Score declarations by what was known of like goods (`described`) and of the headings' values before them."""
        derived = _derived(frame)
        if not self.has_model:
            return [_by_rates(*row) for row in zip(described, _undervaluation(derived, earlier), strict=True)]
        matrix = self._matrix(derived, described)
        contributions = self._booster.predict(matrix, pred_contrib=True)
        words = {
            name: {float(code): text for text, code in codes.items()} for name, codes in self._vocabularies.items()
        }
        return [boosting.ranked(self.features, row, own, words) for row, own in zip(matrix, contributions, strict=True)]

    def scores(self, frame: pl.DataFrame, described: Floats) -> Floats:
        """Return the scores alone, without what adds up to them."""
        if not self.has_model:
            return np.array([one.score for one in self.score(frame, described)])
        return np.asarray(self._booster.predict(self._matrix(_derived(frame), described)), dtype=np.float64)

    def matrix(self, frame: pl.DataFrame, described: Floats) -> Floats:
        """Return the features as the model sees them: (rows, features)."""
        return self._matrix(_derived(frame), described)

    def gains(self) -> dict[str, float]:
        """Return what each feature gained in the trees, together 1."""
        gained = self._booster.feature_importance("gain")
        return dict(zip(self.features, (gained / max(gained.sum(), 1e-12)).tolist(), strict=True))

    def stored(self) -> tuple[str, Lookups]:
        """Return the trained model as text, with its lookups."""
        return self._booster.model_to_string(), Lookups(self._medians, self._vocabularies)

    @classmethod
    def restored(cls, text: str, features: Sequence[str], lookups: Lookups) -> Self:
        """Return a model as it was stored. Raises ModelRefused, and Unavailable where LightGBM cannot be loaded."""
        if tuple(features) != FEATURES:
            raise ModelRefused(f"the model has other features: {', '.join(sorted(set(features) ^ set(FEATURES)))}")
        triage = cls()
        triage._booster = boosting.from_text(text, FEATURES)
        if set(lookups.medians) != set(_LEVELS) or set(lookups.vocabularies) != set(CATEGORIES):
            raise ModelRefused("the model has other lookups")
        triage._medians, triage._vocabularies = lookups.medians, lookups.vocabularies
        return triage

    def _matrix(self, derived: pl.DataFrame, described: Floats) -> Floats:
        usual = {
            name: _looked_up(pl.col("hs_code").str.head(length), self._medians[name])
            for name, length in _LEVELS.items()
        }
        above = ((pl.col("log_value_per_kg") - median).alias(name) for name, median in usual.items())
        numbers = derived.with_columns(above)
        codes = derived.select(_looked_up(pl.col(name), self._vocabularies[name]) for name in CATEGORIES)
        return np.hstack([_floats(numbers.select(NUMBERS)), described, _floats(codes)])[:, self._columns]


def _derived(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        hs2=pl.col("hs_code").str.head(2),
        hs4=pl.col("hs_code").str.head(4),
        log_value=(pl.col("value") + 1).log(),
        log_net_kg=pl.col("net_kg").log(),
    ).with_columns(log_value_per_kg=pl.col("log_value") - pl.col("log_net_kg"))


def _vocabulary(column: pl.Series) -> dict[str, int]:
    return {text: code for code, text in enumerate(column.drop_nulls().unique().sort())}


def _medians(derived: pl.DataFrame, length: int) -> dict[str, float]:
    by_heading = derived.group_by(pl.col("hs_code").str.head(length)).agg(pl.median("log_value_per_kg")).drop_nulls()
    return dict(by_heading.iter_rows())


def _looked_up(texts: pl.Expr, numbers: Mapping[str, float]) -> pl.Expr:
    return texts.replace_strict(numbers, default=None, return_dtype=pl.Float64)


def _floats(frame: pl.DataFrame) -> Floats:
    return frame.cast(pl.Float64).fill_null(float("nan")).to_numpy()


def value_sums(frame: pl.DataFrame) -> Earlier:
    """Return what declarations add to what later ones of their headings are compared with."""
    derived = _derived(frame).filter(pl.col("log_value_per_kg").is_finite() & pl.col("hs_code").is_not_null())
    sums = derived.group_by("hs_code").agg(pl.len().alias("count"), pl.sum("log_value_per_kg"))
    return {heading: (count, total) for heading, count, total in sums.iter_rows()}


def _undervaluation(derived: pl.DataFrame, earlier: Earlier) -> list[float]:
    """Return by how much, as a logarithm, a value per kilogram lies below the mean of earlier ones of its heading."""
    own = pl.col("log_value_per_kg")
    counts = _looked_up(pl.col("hs_code"), {heading: count for heading, (count, _) in earlier.items()})
    sums = _looked_up(pl.col("hs_code"), {heading: total for heading, (_, total) in earlier.items()})
    compared = (
        derived.with_row_index()
        .sort("lodged_on", maintain_order=True)
        .select(
            "index",
            below=((own.cum_sum() - own).over("hs_code") + sums.fill_null(0.0))
            / ((own.cum_count() - 1).over("hs_code") + counts.fill_null(0.0))
            - own,
        )
    )
    below = compared.sort("index")["below"]
    return [value if value is not None and np.isfinite(value) else 0.0 for value in below]


def _by_rates(described: Floats, below: float) -> Ranked:
    """Rank by the narrowest likeness that was ever inspected, then by low value: the rules where there is no model."""
    reasons = ["no model"]
    rate = float(described[1])
    for at, name in enumerate(LIKENESS):
        inspections = described[2 * at]
        if inspections:
            rate = float(described[2 * at + 1])
            reasons.append(f"{name}: {inspections:.0f} inspections, violation_rate={rate:.2f}")
            break
    if below > 0:
        reasons.append(f"value per kg is {np.exp(-below):.2g} of earlier ones of its heading")
    # Low value decides between equal rates, and alone where nothing was inspected.
    return Ranked(float(rate * (1 - _TIE) + _TIE / (1 + np.exp(-below))), reasons)
