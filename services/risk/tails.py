"""Several signals as one score: how seldom each is so high among its peers, not how high it is."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import numpy as np
import polars as pl

from services.risk.boosting import Floats, Ranked

# Puts the value of a signal into words.
Said: TypeAlias = Callable[[float], str]
# How often each signal counts, once where nothing is said of it.
Weights: TypeAlias = Mapping[str, float]
ALL_EQUAL: Weights = MappingProxyType({})
_REASONS = 3
# By how much a sum decides between two whose least probable signal is the same.
_TIE = 1e-3


# Below the median a signal speaks for nothing.
_TELLING = math.log(2)
# Nothing that is stated outweighs a thousand others.
_SUREST = 0.999


class Surprise(NamedTuple):
    """Of each thing, the negative logarithm of the chance of one signal, 0 where it says nothing, and it in words."""

    values: Floats
    said: Callable[[int], str]


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
        Ranked(score, [f"{signals[i].said(thing)} (chance {_chance(own[i])})" for i in order if own[i] > _TELLING])
        for thing, (score, own, order) in enumerate(
            zip(scores.to_list(), values.tolist(), strongest.tolist(), strict=True)
        )
    ]


def surprise(values: Floats, past: Floats) -> Floats:
    """Return the negative logarithm of the share of past values that were as high."""
    ordered = np.sort(past)
    higher = len(ordered) - np.searchsorted(ordered, values, side="left")
    return np.asarray(-np.log((higher + 1) / (len(ordered) + 1)))


def _chance(surprise: float) -> str:
    return f"{np.exp(-surprise):.2g}" if surprise < 20 else f"1e-{surprise / np.log(10):.0f}"


def _tail(name: str) -> pl.Expr:
    return -(pl.col(name).rank("average", descending=True) / (pl.len() + 1)).log()


def _stated(name: str) -> pl.Expr:
    return -(1 - pl.col(name).clip(0, _SUREST)).log().alias(name)


def _reason(said: Said, value: float, strength: float) -> str:
    return f"{said(value)} (one in {math.exp(strength):.3g})"
