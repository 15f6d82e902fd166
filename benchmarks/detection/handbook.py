"""The features of the Fraud Detection Handbook (chapter 3), and a plain model of them."""

import numpy as np
import polars as pl

from services.risk import boosting
from services.risk.boosting import Floats

_DAY = 86_400
_WINDOWS = (1, 7, 30)
_DELAY = 7
# The handbook learns from so many days, the last of them so long before the first that is scored.
_LEARNED_DAYS = 7
_ROUNDS = 100


def gradient_boosting(table: pl.DataFrame, first_day: int) -> Floats:
    """Return scores of the transactions from `first_day` on by a model of a week before the delay."""
    described = describe(table)
    matrix = described.to_numpy()
    day = table["day"].to_numpy()
    until = first_day - _DELAY
    learned = (day >= until - _LEARNED_DAYS) & (day < until)
    answers = table["is_fraud"].cast(pl.Float64).to_numpy()[learned]
    model = boosting.train(matrix[learned], answers, described.columns, rounds=_ROUNDS, parameters={})
    return np.asarray(model.predict(matrix[day >= first_day]))


def describe(table: pl.DataFrame) -> pl.DataFrame:
    """Return amount, weekend, night, what a customer spends, and what was found at a terminal a week ago and before."""
    rows = table.with_row_index("row").with_columns(
        fraud=pl.col("is_fraud").cast(pl.Float64), ts_seconds=pl.col("ts_seconds").cast(pl.Int64)
    )
    hour, weekday = pl.col("ts_seconds") % _DAY // 3600, (pl.col("ts_seconds") // _DAY + 6) % 7
    described = rows.select("amount", weekend=(weekday >= 5).cast(pl.Float64), night=(hour <= 6).cast(pl.Float64))
    for days in _WINDOWS:
        spent = _rolled(rows, "customer_id", "amount", days)
        described = described.with_columns(
            spent["count"].alias(f"customer_count_{days}"),
            (spent["total"] / spent["count"]).alias(f"customer_mean_{days}"),
        )
    recent = _rolled(rows, "terminal_id", "fraud", _DELAY)
    for days in _WINDOWS:
        both = _rolled(rows, "terminal_id", "fraud", _DELAY + days)
        count, frauds = both["count"] - recent["count"], both["total"] - recent["total"]
        described = described.with_columns(
            count.alias(f"terminal_count_{days}"), (frauds / count).fill_nan(0.0).alias(f"terminal_risk_{days}")
        )
    return described


def _rolled(rows: pl.DataFrame, key: str, value: str, days: int) -> pl.DataFrame:
    """Return how many rows of a key there are in so many days up to each, and the total of a value."""
    ordered = rows.sort(key, "ts_seconds", "row")
    rolled = ordered.rolling("ts_seconds", period=f"{days * _DAY}i", group_by=key).agg(
        pl.len().cast(pl.Float64).alias("count"), pl.col(value).sum().alias("total")
    )
    return rolled.with_columns(ordered["row"]).sort("row").select("count", "total")
