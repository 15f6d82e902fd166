"""Several signals as one score: how seldom each is so high among its peers, not how high it is."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl

from services.risk.boosting import Floats, Ranked

# Puts the value of a signal into words.
Said: TypeAlias = Callable[[float], str]
_REASONS = 3
# By how much a sum decides between two whose least probable signal is the same.
_TIE = 1e-3


class Surprise(NamedTuple):
    """Of each thing, the negative logarithm of the chance of one signal, 0 where it says nothing, and it in words."""

    values: Floats
    said: Callable[[int], str]


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


def least_probable(signals: Sequence[Surprise]) -> list[Ranked]:
    """Rank things by the least probable of their signals, whose chances are known each under an assumption of its own.

    The score is the share of things that are less suspicious. Signals that are chances already are not ranked among
    their peers first: that would give each of them as many improbable things as the others.
    """
    values = np.column_stack([signal.values for signal in signals])
    total = values.max(axis=1) + _TIE * values.sum(axis=1)
    scores = (pl.Series(total).rank("average") - 0.5) / max(len(total), 1)
    strongest = np.argsort(-values, axis=1, kind="stable")
    return [
        Ranked(score, [f"{signals[i].said(thing)} (chance {_chance(own[i])})" for i in order if own[i] > np.log(2)])
        for thing, (score, own, order) in enumerate(
            zip(scores.to_list(), values.tolist(), strongest.tolist(), strict=True)
        )
    ]


def _chance(surprise: float) -> str:
    return f"{np.exp(-surprise):.2g}" if surprise < 20 else f"1e-{surprise / np.log(10):.0f}"
