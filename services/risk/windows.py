"""State of keys in bounded arrays: what each did within an hour, a day, a week, thirty days, and what is usual of it.

Counts are exact for a key with at most eight events in thirty days. Beyond that half of a merged cell is counted where
a window ends in it: at most 15 % of the count, up to 100,000 events of a key in order. Partners are counted among the
newest events: a lower bound. A late event counts where it belongs. Which of two events of a window comes first changes
what the first one sees, and not what the later one does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import xxhash
import zstandard

from services.risk import cells
from services.risk.cells import CELLS, EVENTS, WIDTH, Batch, Floats, Ints, Marks, Rows

HOUR_MS = 3_600_000
WIDTHS_MS = (HOUR_MS, 24 * HOUR_MS, 7 * 24 * HOUR_MS, 30 * 24 * HOUR_MS)
HALF_LIFE_MS = 24 * HOUR_MS
MOST_KEYS = 1 << 20

_WINDOWS = ("1h", "24h", "7d", "30d")
FEATURES = (
    *(form.format(window) for form in ("orders_{}", "value_{}_minor", "partners_{}") for window in _WINDOWS),
    *("seen", "usual_acts", "usual_value_minor", "usual_spread_minor", "since_last_s", "same_device"),
)

_LEAST, _LEAST_CELLS = 1_024, 16
_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder().decode
_SHAPES: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
    "keys": (np.int64, ()),
    "held": (np.int32, ()),
    "cells": (np.int32, ()),
    "seen": (np.int64, ()),
    "last": (np.int64, ()),
    "marks": (np.uint32, ()),
    "faded": (np.float64, (3,)),
    "times": (np.int64, (EVENTS,)),
    "values": (np.float64, (EVENTS,)),
    "partners": (np.uint32, (EVENTS,)),
    "used": (np.int32, ()),
    "began": (np.int64, (CELLS,)),
    "ended": (np.int64, (CELLS,)),
    "counts": (np.int64, (CELLS,)),
    "sums": (np.float64, (CELLS,)),
    "who": (np.uint32, (CELLS,)),
}
_OF_CELLS = frozenset(list(_SHAPES)[list(_SHAPES).index("used") :])


class Span(NamedTuple):
    """When a key was seen first, as far as its events are kept, and last, in ms since 1970."""

    first: int
    last: int
    # Whether that was its very first event.
    is_first: bool
    # Whether its events are counted one by one, and whether its partners are.
    is_exact: bool
    has_all_partners: bool


class Mismatch(ValueError):
    """Stored state has another form than this version reads."""


def key_of(*parts: str) -> int:
    """Return the number of a key, of 64 bits with a sign: the same everywhere."""
    digest = xxhash.xxh3_64_intdigest("\0".join(parts).encode())
    return digest - (1 << 64) if digest >> 63 else digest


class Windows:
    """The state of many keys. It may be believed only behind `kept()` and what `window_store.py` checks."""

    def __init__(
        self, *, half_life_ms: float = HALF_LIFE_MS, widths_ms: Sequence[int] = WIDTHS_MS, most: int = MOST_KEYS
    ) -> None:
        self.known = 0
        self.evicted = 0
        self._celled = 0
        self._half_life = float(half_life_ms)
        self._widths = np.array(widths_ms, np.int64)
        self._most = most
        self._rows = Rows(**{name: _empty(name, 0) for name in _SHAPES})
        self._index = np.full(2 * _LEAST, -1, np.int32)

    def fold(self, keys: Ints, times: Ints, values: Floats, partners: Marks, marks: Marks) -> Floats:
        """Add events in the order given, and return the `FEATURES` of each one's key, (n, 18), right after it.

        `times` are ms since 1970, `values` NaN where unknown, `partners` and `marks` 0 where unknown. When there are
        more keys than the state may hold, those not seen for longest are forgotten: `evicted` counts them.
        """
        count = len(keys)
        if self.known + count > self._most:
            self._forget_stale(count)
        self._make_room(self.known + count)
        found = np.empty(count, np.int64)
        self.known = cells.locate(self._index, self._rows.keys, self.known, keys, found)
        out = np.empty((count, WIDTH))
        batch = Batch(found, times, values, partners, marks)
        done = 0
        while done < count:
            place = (done, self._celled)
            done, self._celled = cells.fold(self._rows, batch, self._widths, self._half_life, place, out)
            if done < count:
                self._grow(dict.fromkeys(_OF_CELLS, 2 * self._celled))
        return out

    def copied(self) -> "Windows":
        """Return the state as it is now, to be packed while this one goes on; a copy takes in no events."""
        copy = Windows(half_life_ms=self._half_life, most=self._most)
        copy.known, copy.evicted, copy._celled = self.known, self.evicted, self._celled
        copy._rows = Rows(**{name: self._part(name).copy() for name in _SHAPES})
        return copy

    def as_of(self, key: int, at: int) -> Floats | None:
        """Return the `FEATURES` of a key at a moment, (18,), and change nothing; None where it is not known.

        `at` is in ms since 1970, not before the key's newest event. They are those that `fold()` would give an event
        of then without value, partner or mark, without that event itself.
        """
        places = np.flatnonzero(self._rows.keys[: self.known] == key)
        if not len(places):
            return None
        alone = self._of(places)
        unknown = np.zeros(1, np.uint32)
        found: Floats = alone.fold(np.array([key]), np.array([at]), np.array([np.nan]), unknown, unknown)[0]
        found[cells.ORDERS : cells.VALUES] -= 1
        return found

    def span_of(self, key: int) -> Span | None:
        """Return what is kept of when a key was seen; None where it is not known."""
        for row in np.flatnonzero(self._rows.keys[: self.known] == key).tolist():
            rows, cell = self._rows, int(self._rows.cells[row])
            held = int(rows.held[row]) if cell < 0 else int(rows.used[cell])
            first = rows.times[row, 0] if cell < 0 else rows.began[cell, 0]
            counts = rows.counts[cell, :held] if cell >= 0 else np.ones(held, np.int64)
            is_first = int(counts.sum()) == int(rows.seen[row])
            return Span(int(first), int(rows.last[row]), is_first, int(counts.max()) == 1, held <= cells.SINGLE)
        return None

    @property
    def newest(self) -> int:
        """Return when the newest event of any key was, in ms since 1970; 0 where there is none."""
        return int(self._rows.last[: self.known].max(initial=0))

    def pack(self) -> bytes:
        """Return the state as it is stored."""
        arrays = {name: np.ascontiguousarray(self._part(name)).tobytes() for name in _SHAPES}
        content = {"known": self.known, "celled": self._celled, "evicted": self.evicted, **arrays}
        return zstandard.ZstdCompressor(level=1).compress(_pack(content))

    def restore(self, packed: bytes) -> None:
        """Take over stored state. Raises Mismatch."""
        self._read_all(packed)
        self._rows = Rows(**{name: column.copy() for name, column in self._rows._asdict().items()})
        self._reindex()

    def restore_one(self, packed: bytes, key: int) -> int:
        """Take over what stored state has of one key, and return its `newest` of all keys. Raises Mismatch."""
        self._read_all(packed)
        newest = self.newest
        self._keep(np.flatnonzero(self._rows.keys == key))
        return newest

    def _read_all(self, packed: bytes) -> None:
        content: dict[str, Any] = _unpack(zstandard.ZstdDecompressor().decompress(packed))
        if content.keys() != {*_SHAPES, "known", "celled", "evicted"}:
            raise Mismatch("the stored state of keys has other parts than this version reads")
        self.known, self._celled, self.evicted = content["known"], content["celled"], content["evicted"]
        self._rows = Rows(**{name: self._read(name, content[name]) for name in _SHAPES})

    def _reindex(self) -> None:
        self._index = np.full(_index_size(len(self._rows.keys)), -1, np.int32)
        cells.reindex(self._index, self._rows.keys, self.known)

    def _part(self, name: str) -> Any:  # numpy's arrays of every type
        return getattr(self._rows, name)[: self._celled if name in _OF_CELLS else self.known]

    def _read(self, name: str, stored: bytes) -> Any:  # numpy's arrays of every type
        kind, shape = _SHAPES[name]
        count = self._celled if name in _OF_CELLS else self.known
        array = np.frombuffer(stored, kind)
        if len(array) != count * int(np.prod(shape)):
            raise Mismatch(f"the stored state of keys has {len(array)} numbers of {name} for {count} keys")
        return array.reshape(count, *shape)

    def _make_room(self, keys: int) -> None:
        if keys > len(self._rows.keys):
            self._grow(dict.fromkeys(_SHAPES.keys() - _OF_CELLS, keys))
        if 2 * len(self._rows.keys) > len(self._index):
            self._reindex()

    def _grow(self, needed: Mapping[str, int]) -> None:
        grown = {}
        for name, count in needed.items():
            array = getattr(self._rows, name)
            grown[name] = _empty(name, max(_LEAST_CELLS if name in _OF_CELLS else _LEAST, count, 2 * len(array)))
            grown[name][: len(array)] = array
        self._rows = self._rows._replace(**grown)

    def _forget_stale(self, coming: int) -> None:
        """Forget keys that have nothing in the longest window any more, and where that is not enough the stalest."""
        last = self._rows.last[: self.known]
        staying = last >= last.max() - self._widths[-1]
        room = max(0, self._most - coming)
        if np.count_nonzero(staying) > room:
            # A quarter at once: to forget one by one would cost as much for each.
            newest = np.argsort(-last, kind="stable")[: room * 3 // 4]
            self.evicted += int(np.count_nonzero(staying)) - len(newest)
            staying = np.zeros(self.known, bool)
            staying[newest] = True
        self._keep(np.flatnonzero(staying))

    def _of(self, places: Ints) -> "Windows":
        """Return a copy of some rows."""
        copied = Windows(half_life_ms=self._half_life, widths_ms=self._widths.tolist(), most=self._most)
        copied.known, copied._celled, copied._rows = self.known, self._celled, self._rows
        copied._keep(places)
        return copied

    def _keep(self, places: Ints) -> None:
        kept = {name: self._part(name)[places] for name in _SHAPES if name not in _OF_CELLS}
        own = kept["cells"]
        celled = own[own >= 0]
        kept |= {name: self._part(name)[celled] for name in _OF_CELLS}
        own[own >= 0] = np.arange(len(celled), dtype=np.int32)
        self.known, self._celled = len(places), len(celled)
        self._rows = Rows(**kept)
        self._reindex()


def compile_all() -> None:
    """Compile what is compiled at its first use, or read it from where it was kept."""
    one = np.ones(1, np.uint32)
    Windows().fold(np.ones(1, np.int64), np.ones(1, np.int64), np.ones(1), one, one)


def _empty(name: str, count: int) -> Any:  # numpy's arrays of every type
    kind, shape = _SHAPES[name]
    return np.full(count, -1, kind) if name == "cells" else np.zeros((count, *shape), kind)


def _index_size(keys: int) -> int:
    size = 2 * _LEAST
    while size < 2 * keys:
        size *= 2
    return size
