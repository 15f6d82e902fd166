"""Transactions as they come: each against its payer's habits, and against what was found at its place before.

State is a few numbers a key and is updated in the order of time, so a transaction is scored by its past alone.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl
from numba import njit

from services.risk import boosting, categories, habits, tables
from services.risk.boosting import Floats, Ranked, Words
from services.risk.declarations import Outcomes
from services.risk.rings import numbered
from services.risk.tables import MOMENT, Column, Fault, Problem
from services.risk.tails import surprise

COLUMNS: dict[str, Column] = {
    "transaction_ref": Column(pl.String, ("tx_id", "id"), "The transaction; the row's number where there is none"),
    "time": Column(MOMENT, ("ts_seconds", "ts"), "When, in seconds or as ISO 8601", required=True, is_moment=True),
    "source": Column(pl.String, ("customer_id",), "Who pays", required=True),
    "target": Column(pl.String, ("terminal_id",), "Where, or whom", required=True),
    "amount": Column(pl.Float64, (), "Amount in one currency", required=True),
}
_FAULTS = {
    "time": Fault("is not a time", ~pl.col("time").is_finite()),
    "amount": Fault("is not an amount from 0", ~pl.col("amount").is_finite() | (pl.col("amount") < 0)),
}
_DAY = 86_400.0
# Decay times of counts, in seconds: what is older than a few of them is forgotten.
_DECAYS = np.array([1.0, 3.0, 7.0, 20.0]) * _DAY
_DECAY_NAMES = ("1d", "3d", "7d", "20d")
_EXCESS_DECAY = 7 * _DAY
# An amount further from the payer's mean than so many deviations does not move the habit.
_HABIT_BOUND = 2.0
_LONG_AGO_DAYS = 400.0
HABITS = ("amount", "deviations", "times_usual", "recent_excess")
CLOCK = ("hour", "weekday")
_FOUND = tuple(f"{what}_{name}" for name in _DECAY_NAMES for what in ("known", "fraud_rate"))
PAST = tuple(f"{end}_{name}" for end in ("target", "source") for name in (*_FOUND, "days_since_fraud"))
PACE = tuple(f"{end}_count_{name}" for end in ("target", "source") for name in _DECAY_NAMES)
FEATURES = (*HABITS, *CLOCK, *PAST, *PACE)
PARAMETERS = {
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
}
ROUNDS = 200
# The model is trained anew so often, by outcomes of so long a time.
RETRAINED_EVERY = 7 * _DAY
LEARNED_FROM = 60 * _DAY
_FEWEST_FRAUDS = 20
_EXPLAINED = 0.02

Ints = npt.NDArray[np.int64]


class Ordered(NamedTuple):
    """Readable transactions in the order of time, and the rows they came in."""

    rows: Ints
    time: Floats
    source: Ints
    target: Ints
    amount: Floats


class Described(NamedTuple):
    """Features of transactions, (transactions, features), which of them are categories and what their codes say."""

    matrix: Floats
    features: list[str]
    categories: list[str]
    words: Words


def read(raw: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[Problem]]:
    """Return transactions as `tables.read()` reads them, and beside them the further columns as categories."""
    frame, problems = tables.read(raw, COLUMNS, names, _FAULTS)
    number = pl.int_range(1, pl.len() + 1).cast(pl.String)
    named = frame.with_columns(pl.col("transaction_ref").fill_null(number))
    return named.hstack(categories.further(raw, COLUMNS, names)), problems


def in_order(frame: pl.DataFrame) -> Ordered:
    """Return the transactions that have a time, both ends and an amount."""
    whole = frame.with_row_index("row").drop_nulls(["time", "source", "target", "amount"])
    whole = whole.sort("time", maintain_order=True)
    return Ordered(
        whole["row"].to_numpy().astype(np.int64),
        whole["time"].to_numpy(),
        numbered(whole["source"]),
        numbered(whole["target"]),
        whole["amount"].to_numpy(),
    )


def describe(ordered: Ordered, outcomes: npt.NDArray[np.int8], delay: timedelta) -> Floats:
    """Return FEATURES of each transaction, from those before it: (transactions, features).

    `outcomes` is 1 for fraud, 0 for none, -1 where it is not known; it counts from `delay` after its transaction.
    """
    amount, time = ordered.amount, ordered.time
    seconds = _seconds(delay)
    parts = [_habits(ordered.source, time, amount), np.column_stack([time % _DAY / 3600, time // _DAY % 7])]
    parts += [_found(end, time, outcomes, seconds) for end in (ordered.target, ordered.source)]
    everything = np.zeros_like(outcomes)
    # The same counting, of all there was a moment ago: how much is going on.
    parts += [_found(end, time, everything, 1.0)[:, : 2 * len(_DECAYS) : 2] for end in (ordered.target, ordered.source)]
    return np.hstack(parts)


def _with_categories(
    frame: pl.DataFrame, ordered: Ordered, outcomes: npt.NDArray[np.int8], delay: timedelta
) -> Described:
    """Return FEATURES and, of each further column, what it says and what was found of the same before."""
    parts, features = [describe(ordered, outcomes, delay)], list(FEATURES)
    # Without outcomes nothing is learned of them.
    further = frame.drop(COLUMNS)[ordered.rows] if (outcomes >= 0).any() else pl.DataFrame()
    own = further.rename({name: f"column {name}" for name in further.columns})
    for name in own.columns:
        codes = categories.codes(own[name])
        parts += [categories.bounded(codes)[:, None], _found(codes, ordered.time, outcomes, _seconds(delay))]
        features += [name, *(f"{name}_{what}" for what in (*_FOUND, "days_since_fraud"))]
    return Described(np.hstack(parts), features, own.columns, categories.words(own))


def _seconds(delay: timedelta) -> float:
    return max(delay.total_seconds(), 1.0)


@njit(cache=False)
def _habits(source: Ints, time: Floats, amount: Floats) -> Floats:  # pragma: no cover - compiled
    keys = source.max() + 1 if len(source) else 0
    count, total, squares = np.zeros(keys), np.zeros(keys), np.zeros(keys)
    excess, seen = np.zeros(keys), np.zeros(keys)
    described = np.zeros((len(source), 4))
    for i in range(len(source)):
        key, value = source[i], amount[i]
        described[i, 0] = value
        if count[key] > 0:
            mean = total[key] / count[key]
            deviation = np.sqrt(max(squares[key] / count[key] - mean * mean, 0.0)) + 0.1 * mean + 1.0
            beyond = (value - mean) / deviation
            kept = np.exp(-(time[i] - seen[key]) / _EXCESS_DECAY)
            described[i, 1], described[i, 2] = beyond, value / (mean + 1.0)
            described[i, 3] = excess[key] * kept
            excess[key] = excess[key] * kept + min(max(beyond - 2.0, 0.0), 5.0)
            value = min(value, mean + _HABIT_BOUND * deviation)
        seen[key] = time[i]
        count[key] += 1
        total[key] += value
        squares[key] += value * value
    return described


@njit(cache=False)
def _found(key: Ints, time: Floats, outcomes: Any, delay: float) -> Floats:  # pragma: no cover - compiled
    keys, kinds = (key.max() + 1 if len(key) else 0), len(_DECAYS)
    known, frauds = np.zeros((keys, kinds)), np.zeros((keys, kinds))
    seen, last_fraud = np.zeros(keys), np.full(keys, -1e15)
    described = np.zeros((len(key), 2 * kinds + 1))
    all_known, all_frauds, next_known = 0.0, 0.0, 0
    for i in range(len(key)):
        while next_known < len(key) and time[next_known] + delay <= time[i]:
            at, found = key[next_known], outcomes[next_known]
            if found >= 0:
                for kind in range(kinds):
                    kept = np.exp(-(time[next_known] - seen[at]) / _DECAYS[kind])
                    known[at, kind] = known[at, kind] * kept + 1
                    frauds[at, kind] = frauds[at, kind] * kept + found
                seen[at] = time[next_known]
                all_known += 1
                all_frauds += found
                if found:
                    last_fraud[at] = time[next_known]
            next_known += 1
        at = key[i]
        base = all_frauds / all_known if all_known else 0.0
        for kind in range(kinds):
            kept = np.exp(-max(time[i] - delay - seen[at], 0.0) / _DECAYS[kind])
            described[i, 2 * kind] = known[at, kind] * kept
            described[i, 2 * kind + 1] = (frauds[at, kind] * kept + base) / (known[at, kind] * kept + 1)
        described[i, 2 * kinds] = min((time[i] - last_fraud[at]) / _DAY, _LONG_AGO_DAYS)
    return described


def rank(frame: pl.DataFrame, outcomes: Outcomes, delay: timedelta, *, since: int = 0, seed: int = 0) -> list[Ranked]:
    """Score the transactions of a table from row `since` on, each by what was known at its time.

    Where enough frauds are known, a model that is trained anew every week by those of the last two months scores;
    before that, and without outcomes, habits alone. A transaction that could not be read is scored 0.
    """
    ordered = in_order(frame)
    known = np.array([-1 if outcomes[row] is None else int(bool(outcomes[row])) for row in ordered.rows], dtype=np.int8)
    described = _with_categories(frame, ordered, known, delay)
    ranked = [Ranked(0.0, ["could not be read"])] * frame.height
    wanted = np.flatnonzero(ordered.rows >= since)
    if len(wanted):
        start = ordered.time[wanted[0]]
        blocks = ((ordered.time[wanted] - start) // RETRAINED_EVERY).astype(int)
        for block in np.unique(blocks):
            rows = wanted[blocks == block]
            for row, one in zip(
                rows,
                _block(ordered, described, known, rows, until=ordered.time[rows[0]] - delay.total_seconds(), seed=seed),
                strict=True,
            ):
                ranked[ordered.rows[row]] = one
    return ranked[since:]


def _block(
    ordered: Ordered, described: Described, known: npt.NDArray[np.int8], rows: Ints, *, until: float, seed: int
) -> list[Ranked]:
    """Score a week by what was known when it began: outcomes of transactions before `until`."""
    learned = np.flatnonzero((ordered.time < until) & (ordered.time >= until - LEARNED_FROM) & (known >= 0))
    if known[learned].sum() < _FEWEST_FRAUDS:
        before = np.flatnonzero(ordered.time < ordered.time[rows[0]])
        past = before if len(before) >= len(rows) else rows
        return _by_habits(described.matrix[rows], described.matrix[past])
    answers = known[learned].astype(np.float64)
    matrix, features, kinds, words = described
    parameters = {**PARAMETERS, "seed": seed}
    model = boosting.train(matrix[learned], answers, features, rounds=ROUNDS, categories=kinds, parameters=parameters)
    return boosting.ranked_by(model, features, matrix[rows], _EXPLAINED, words)


def _by_habits(described: Floats, past: Floats) -> list[Ranked]:
    """Score by how seldom, in the past, an amount was so high or so far from its payer's habit."""
    amount, times, excess = (surprise(described[:, i], past[:, i]) for i in (0, 2, 3))
    return [
        Ranked(float(1 - np.exp(-own)), [f"amount={row[0]:.4g}, {row[2]:.3g} times what its payer usually pays"])
        for row, own in zip(described, habits.strength(amount, times, excess), strict=True)
    ]
