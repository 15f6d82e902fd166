"""Further columns of a file of transactions, as categories."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

from services.risk import tables
from services.risk.boosting import Floats, Words
from services.risk.tables import Column

# Of so many texts each is a category, in the order they first come; all that come later are one more.
_MOST = 200
# A column with so many texts for each of its rows names its rows.
_NAMES_ITS_ROWS = 0.9
# A column of so few texts that is wrong about the outcome as seldom as that, where there are enough outcomes, tells it.
_FEW_TEXTS, _ENOUGH_BAD, _HARDLY = 50, 20, 0.02


def further(raw: pl.DataFrame, columns: Mapping[str, Column], names: Mapping[str, str]) -> pl.DataFrame:
    """Return the columns that are none of ours, but for those that are constant or name their rows."""
    taken = tables.found(raw, columns, names)
    others = raw.drop(theirs for theirs in taken.values() if theirs is not None)
    kept = [
        name
        for name in others.columns
        if name not in columns and 1 < others[name].n_unique() <= max(2, _NAMES_ITS_ROWS * raw.height)
    ]
    return others.select(pl.col(name).str.strip_chars().replace("", None) for name in kept)


def telling(categories: pl.DataFrame, outcomes: Sequence[bool | None]) -> list[str]:
    """Return the columns with few texts that say by themselves what the outcome is: details of it, and no features.

    Such a column is not known when a transaction is scored, whatever the file says: kinds of fraud beside a label are
    the usual one.
    """
    known = categories.with_columns(outcome=pl.Series(outcomes, dtype=pl.Boolean)).drop_nulls("outcome")
    return [name for name in categories.columns if _tells(known.select(pl.col(name).alias("text"), "outcome"))]


def _tells(known: pl.DataFrame) -> bool:
    by_text = known.group_by("text").agg(pl.len().alias("rows"), pl.sum("outcome").alias("bad"))
    bad = int(by_text["bad"].sum())
    wrong = by_text.select(pl.min_horizontal("bad", pl.col("rows") - pl.col("bad"))).to_series().sum()
    return by_text.height <= _FEW_TEXTS and bad >= _ENOUGH_BAD and bool(wrong <= _HARDLY * bad)


def codes(texts: pl.Series) -> npt.NDArray[np.int64]:
    """Return a number for each text, in the order they first come; an unknown one is 0."""
    known = texts.unique(maintain_order=True).drop_nulls()
    numbers = pl.Series(np.arange(1, len(known) + 1))
    return texts.replace_strict(known, numbers, default=0, return_dtype=pl.Int64).to_numpy()


def bounded(codes: npt.NDArray[np.int64]) -> Floats:
    """Return codes as a feature, all beyond the first ones as one."""
    return np.minimum(codes, _MOST + 1).astype(np.float64)


def words(categories: pl.DataFrame) -> Words:
    """Return what the bounded codes of each column stand for."""
    return {name: _texts(categories[name]) for name in categories.columns}


def _texts(texts: pl.Series) -> dict[float, str]:
    known = texts.unique(maintain_order=True).drop_nulls()[:_MOST].to_list()
    return {0.0: "unknown", _MOST + 1.0: "another", **{float(code): text for code, text in enumerate(known, start=1)}}
