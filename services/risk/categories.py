"""Further columns of a file of transactions, as categories."""

from collections.abc import Mapping

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
