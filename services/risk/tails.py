"""Several signals as one score: how seldom each is so high among its peers, not how high it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import polars as pl

from services.risk.boosting import Ranked

# Puts the value of a signal into words.
Said: TypeAlias = Callable[[float], str]
_REASONS = 3


def combine(signals: pl.DataFrame, said: Mapping[str, Said]) -> list[Ranked]:
    """Rank rows by how improbable their signals are together; `said` puts each into words.

    Each signal (high is suspicious) becomes its empirical tail probability, ties in the middle; their logarithms are
    added, as Fisher's method adds them (Statistical Methods for Research Workers, 1925, 21.1), and ranked. An unknown
    signal counts as the median one. The score is the share of rows that are less suspicious.
    """
    if signals.height == 0:
        return []
    surprise = signals.select(
        -(pl.col(name).fill_null(pl.col(name).median()).rank("average", descending=True) / (pl.len() + 1)).log()
        for name in said
    )
    total = surprise.select(pl.sum_horizontal(pl.all()).alias("total"))
    scores = total.select((pl.col("total").rank("average") - 0.5) / pl.len()).to_series().to_list()
    strength = surprise.to_numpy()
    rows = signals.select(list(said)).rows()
    return [
        Ranked(score, _reasons(row, own, list(said.values())))
        for score, row, own in zip(scores, rows, strength, strict=True)
    ]


def _reasons(row: Sequence[float | None], strength: Sequence[float], said: Sequence[Said]) -> list[str]:
    strongest = np.argsort(-np.asarray(strength))[:_REASONS]
    return [
        f"{said[i](value)} (one in {np.exp(strength[i]):.3g})"
        for i in strongest
        # Below the median it speaks for nothing.
        if (value := row[i]) is not None and strength[i] > np.log(2)
    ]
