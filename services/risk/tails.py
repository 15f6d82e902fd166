"""Several signals as one score: how seldom each is so high among its peers, not how high it is."""

import math
from collections.abc import Callable, Collection, Mapping
from types import MappingProxyType
from typing import TypeAlias

import numpy as np
import polars as pl

from services.risk.boosting import Ranked

# Puts the value of a signal into words.
Said: TypeAlias = Callable[[float], str]
# How often each signal counts, once where nothing is said of it.
Weights: TypeAlias = Mapping[str, float]
ALL_EQUAL: Weights = MappingProxyType({})
_REASONS = 3
# Below the median a signal speaks for nothing.
_TELLING = math.log(2)
# Nothing that is stated outweighs a thousand others.
_SUREST = 0.999


def combine(
    signals: pl.DataFrame, said: Mapping[str, Said], *, stated: Collection[str] = (), weights: Weights = ALL_EQUAL
) -> list[Ranked]:
    """Rank rows by how improbable their signals are together; `said` puts each into words.

    Each signal (high is suspicious) becomes its empirical tail probability, ties in the middle; their logarithms are
    added, as Fisher's method adds them (Statistical Methods for Research Workers, 1925, 21.1), each as often as its
    weight says, and ranked. An unknown signal counts as the median one. Signals in `stated` are probabilities of being
    bad that somebody states: each adds the logarithm of how improbable it then is to be sound. The score is the share
    of rows that are less suspicious.
    """
    if signals.height == 0:
        return []
    known = signals.select(pl.col(name).fill_null(pl.col(name).median()) for name in said)
    surprise = known.select(_stated(name) if name in stated else _tail(name) for name in said)
    total = surprise.select(pl.sum_horizontal(pl.col(name) * weights.get(name, 1.0) for name in said).alias("total"))
    scores = total.select((pl.col("total").round(9).rank("average") - 0.5) / pl.len()).to_series().to_list()
    strength = surprise.to_numpy()
    strongest = np.argsort(-strength, axis=1, kind="stable")[:, :_REASONS]
    rows = signals.select(list(said)).rows()
    words = list(said.values())
    return [
        Ranked(score, [_reason(words[i], row[i], own[i]) for i in first if row[i] is not None and own[i] > _TELLING])
        for score, row, own, first in zip(scores, rows, strength.tolist(), strongest.tolist(), strict=True)
    ]


def _tail(name: str) -> pl.Expr:
    return -(pl.col(name).rank("average", descending=True) / (pl.len() + 1)).log()


def _stated(name: str) -> pl.Expr:
    return -(1 - pl.col(name).clip(0, _SUREST)).log().alias(name)


def _reason(said: Said, value: float, strength: float) -> str:
    return f"{said(value)} (one in {math.exp(strength):.3g})"
