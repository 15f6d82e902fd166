"""Which declarations to inspect first: a LightGBM model of what earlier inspections found, and rules without one."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import polars as pl

from services.risk import boosting
from services.risk.boosting import Floats, Ranked
from services.risk.declarations import LIKENESS, History, Outcomes, through_time

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
        derived = _derived(frame)
        self._vocabularies = {name: _vocabulary(derived[name]) for name in CATEGORIES}
        self._medians = {name: _medians(derived, length) for name, length in _LEVELS.items()}
        matrix = self._matrix(derived, through_time(frame, outcomes, self.history, delay))
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
        described = through_time(frame, outcomes, self.history, delay)
        derived = _derived(frame)
        if not self.has_model:
            return [_by_rates(*row) for row in zip(described, _undervaluation(derived), strict=True)]
        matrix = self._matrix(derived, described)
        contributions = self._booster.predict(matrix, pred_contrib=True)
        words = {
            name: {float(code): text for text, code in codes.items()} for name, codes in self._vocabularies.items()
        }
        return [boosting.ranked(self.features, row, own, words) for row, own in zip(matrix, contributions, strict=True)]

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


def _undervaluation(derived: pl.DataFrame) -> list[float]:
    """Return by how much, as a logarithm, a value per kilogram lies below the mean of earlier ones of its heading."""
    earlier = (
        derived.with_row_index()
        .sort("lodged_on", maintain_order=True)
        .select(
            "index",
            below=(pl.col("log_value_per_kg").cum_sum() - pl.col("log_value_per_kg")).over("hs_code")
            / (pl.col("log_value_per_kg").cum_count() - 1).over("hs_code")
            - pl.col("log_value_per_kg"),
        )
    )
    below = earlier.sort("index")["below"]
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
    return Ranked(rate * (1 - _TIE) + _TIE / (1 + np.exp(-below)), reasons)
