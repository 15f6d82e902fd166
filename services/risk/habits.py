"""How seldom an amount is so high, or so far from what is usual of a key: learnt from the past, without labels. Pure.

What scores transactions of files without outcomes (`spending.py`) and acts of the stream is the same `strength()`.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Self

import numpy as np
import polars as pl
from msgspec import Struct

from services.risk.boosting import Floats
from services.risk.tails import surprise

# Whose acts have habits.
KINDS = ("account", "buyer", "payer")
# Of a tail the highest values are kept as they are, and so many even steps of those below.
_HIGHEST, _STEPS = 2_000, 500
_EXCESS = 0.3
_LN10 = float(np.log(10))
# Shares at which chances are held against what came.
CHECKED = (0.01, 0.001)


class Tail(Struct, frozen=True, array_like=True):
    """The share of past values that were as high as each of some, ascending; of higher ones than all: `beyond`."""

    values: list[float]
    shares: list[float]
    beyond: float

    @classmethod
    def of(cls, past: Floats) -> Self:
        """Return the tail of past values; between those that are kept it states too much, never too little."""
        ordered = np.sort(past[np.isfinite(past)])
        count, high = len(ordered), max(len(ordered) - _HIGHEST, 0)
        places = np.unique(np.concatenate([np.linspace(0, high, _STEPS, dtype=int), np.arange(high, count)]))
        kept = np.unique(ordered[places[:count]])
        shares = np.exp(-surprise(kept, ordered))
        return cls(kept.tolist(), shares.tolist(), 1 / (count + 1))

    def surprise(self, values: Floats) -> Floats:
        """Return the negative logarithm of the share that was as high; 0 for what is not known."""
        known, shares = np.array(self.values), np.array([1.0, *self.shares])
        share = shares[np.searchsorted(known, values, side="right")]
        share = np.where(values > (known[-1] if len(known) else np.inf), self.beyond, share)
        return np.asarray(np.where(np.isfinite(values), -np.log(share), 0.0))


class Habit(Struct, frozen=True, array_like=True):
    """Of one kind of keys: how seldom an amount, a multiple of the usual one, and the stronger of both is so high."""

    amount: Tail
    times: Tail
    strength: Tail


Habits = Mapping[str, Habit]
NO_HABITS: Habits = MappingProxyType({})


class Acts(NamedTuple):
    """Acts with the kind of their key, their value, and what was usual of the key before them; NaN where unknown."""

    kinds: Sequence[str]
    values: Floats
    usual: Floats

    def of(self, kind: str) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Floats, Floats]:
        """Return the places, values and multiples of the usual one of a kind's acts that have a value."""
        places = np.flatnonzero((np.array(self.kinds, dtype=object) == kind) & np.isfinite(self.values))
        return places, self.values[places], self.values[places] / (self.usual[places] + 1.0)


class Checked(NamedTuple):
    """How often acts were as improbable as some chances, by these, and how far off that is in all."""

    observed: dict[str, float]
    error: float


def acts_of(frame: pl.DataFrame) -> Acts:
    """Return the acts of rows as the stream `activity` has them."""
    values, usual = (
        frame[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in ("value_minor", "usual_value_minor")
    )
    return Acts(frame["kind"].to_list(), values, usual)


def strength(amount: Floats, times: Floats, excess: Floats | float = 0.0) -> Floats:
    """Return how surprising an act is by its amount or by its habit, which lately went beyond (`excess`) or did not."""
    return np.asarray(np.maximum(amount, times + _EXCESS * excess))


def learnt(acts: Acts) -> dict[str, Habit]:
    """Return the habits that acts show, of the kinds that have any."""
    found = {}
    for kind in KINDS:
        places, values, times = acts.of(kind)
        if len(places):
            amount, usual = Tail.of(values), Tail.of(times)
            both = strength(amount.surprise(values), usual.surprise(times))
            found[kind] = Habit(amount, usual, Tail.of(both))
    return found


def improbability(habits: Habits, acts: Acts) -> Floats:
    """Return how improbable acts are, in powers of ten; NaN for what has no value, or habits know nothing of."""
    found = np.full(len(acts.values), np.nan)
    for kind, habit in habits.items():
        places, values, times = acts.of(kind)
        both = strength(habit.amount.surprise(values), habit.times.surprise(times))
        found[places] = habit.strength.surprise(both) / _LN10
    return found


def checked(habits: Habits, acts: Acts) -> Checked:
    """Hold habits against later acts: a chance of one in a hundred is to come one time in a hundred.

    The error is the mean distance in powers of ten, a share of nothing counting as one act.
    """
    found = improbability(habits, acts)
    known = found[np.isfinite(found)]
    count = max(len(known), 1)
    shares = {share: float((known >= -np.log10(share)).sum()) / count for share in CHECKED}
    off = [abs(np.log10(max(observed, 1 / count) / share)) for share, observed in shares.items()]
    return Checked({f"{share:g}": observed for share, observed in shares.items()}, float(np.mean(off)))
