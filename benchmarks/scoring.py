"""Scoring on one core: the second stage's arrays and rules over a stream of a hundred thousand keys."""

import csv
import importlib.util
import time
from pathlib import Path

import numpy as np

from benchmarks.results import Result
from services.risk import activity
from services.risk.models import Rule
from services.risk.rules import Compiled, compile_rule, hits_of
from services.risk.window_store import Events
from services.risk.windows import Windows
from services.risk.windows import __file__ as _windows_file

_KEYS, _BATCH, _BATCHES = 100_000, 2_000, 200
_PEER_EVENTS = 20_000
_STRANGE_SHARE = 0.1


def scored_per_s_core() -> Result:
    """Return events a second, each folded into its key and judged by every seeded rule of the stream."""
    draw = np.random.default_rng(5)
    rules, windows = _rules(), Windows()
    # Every key is known and everything is compiled before the clock runs.
    for start in range(0, _KEYS, _BATCH):
        _score(windows, rules, _events(np.arange(start, start + _BATCH), start, draw))
    batches = [_events(draw.integers(0, _KEYS, _BATCH), _KEYS + n * _BATCH, draw) for n in range(_BATCHES)]
    spent = []
    for batch in batches:
        began = time.process_time()
        _score(windows, rules, batch)
        spent.append(time.process_time() - began)
    peer, peer_name = _peer(batches)
    value = _BATCHES * _BATCH / sum(spent)
    slowest = float(np.percentile(spent, 99)) / _BATCH * 1e6
    return Result(
        name="risk.scored_per_s_core",
        value=value,
        unit="events/s",
        reference=peer_name,
        reference_value=peer,
        ratio=value / peer if peer else None,
        command="make bench ONLY=risk.scored_per_s_core",
        notes=[
            (
                f"{windows.known:,} keys, batches of {_BATCH:,}, {len(rules)} rules, by CPU time of all threads; "
                f"p99 of a batch {slowest:.1f} µs an event"
            )
        ],
    )


def _rules() -> list[Compiled]:
    with (Path(_windows_file).parent / "rules.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["stream"] == activity.STREAM]
    return [compile_rule(Rule(**{**row, "points": float(row["points"])}, version=1)) for row in rows]


def _events(keys: "np.ndarray[tuple[int], np.dtype[np.int64]]", number: int, draw: np.random.Generator) -> Events:
    count = len(keys)
    times = (number + np.arange(count)) * 2_000
    # A key keeps to one partner, but for a few: a rule holds for one event in a thousand or so.
    partners = np.where(draw.random(count) < _STRANGE_SHARE, draw.integers(1, 5_000, count), keys % 5_000 + 1)
    hashes = partners.astype(np.uint32)
    return Events(keys.astype(np.int64), times, draw.lognormal(9, 1, count).round(), hashes, hashes)


def _score(windows: Windows, rules: list[Compiled], events: Events) -> None:
    hits_of(rules, activity.frame(["device"] * len(events.keys), events, windows.fold(*events)))


def _peer(batches: list[Events]) -> tuple[float | None, str | None]:
    """Return what the quickest detector of pysad scores a second, where it is installed; it keeps no keys apart."""
    if importlib.util.find_spec("pysad") is None:
        return None, "pysad is not installed (requirements-peers.lock)"
    models = importlib.import_module("pysad.models")
    model = models.LODA()
    events = np.concatenate([np.stack([b.values, b.times % 86_400_000], axis=1) for b in batches])[:_PEER_EVENTS]
    began = time.process_time()
    for event in events:
        model.fit_score_partial(event)
    return len(events) / (time.process_time() - began), "pysad's LODA, two columns, no keys"
