"""State of slots: kept by this process, restored where it is not, stored with a batch's effects.

A batch is stored as it came in, a snapshot when what came since the last one is half as large: what is written grows
with what comes, and a restart reads a snapshot and little more than half as much again. A snapshot is made ready in a
thread and stored beside later batches, whose alerts do not wait for it.
"""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import asyncpg
import numpy as np
import structlog
import zstandard
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from services.risk.cells import Floats, Ints, Marks
from services.risk.windows import HALF_LIFE_MS, Windows
from shared.database import driver

log = structlog.get_logger(__name__)

LEAST_BYTES = 1 << 20

# In one statement: between two a snapshot may take the place of batches.
_SLOTS, _SNAPSHOTS, _BATCHES = range(3)
_STORED = f"""
    SELECT slot, {_SLOTS} AS part, version, NULL::bytea AS content FROM window_slots WHERE slot = ANY ($1::smallint[])
    UNION ALL
    SELECT slot, {_SNAPSHOTS}, version, content FROM window_snapshots WHERE slot = ANY ($1::smallint[])
    UNION ALL
    SELECT b.slot, {_BATCHES}, b.version, b.content
    FROM window_batches b LEFT JOIN window_snapshots s ON s.slot = b.slot
    WHERE b.slot = ANY ($1::smallint[]) AND b.version > coalesce(s.version, 0)
    ORDER BY slot, part, version
"""  # noqa: S608 - numbers of ours
_ADD = """
    WITH taken AS (SELECT * FROM unnest($1::smallint[], $2::bigint[], $3::bytea[]) AS x (slot, version, content)),
    moved AS (
        INSERT INTO window_slots (slot, version) SELECT slot, version FROM taken
        ON CONFLICT (slot) DO UPDATE SET version = excluded.version, moved_at = now()
        WHERE window_slots.version = excluded.version - 1
        RETURNING slot
    ),
    added AS (INSERT INTO window_batches (slot, version, content) SELECT slot, version, content FROM taken)
    SELECT count(*) FROM moved
"""
_SNAPSHOT = """
    INSERT INTO window_snapshots (slot, version, keys, evicted, content) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (slot) DO UPDATE SET version = excluded.version, keys = excluded.keys, evicted = excluded.evicted,
        content = excluded.content, taken_at = now()
    WHERE window_snapshots.version < excluded.version
"""
_DROP = "DELETE FROM window_batches WHERE slot = $1 AND version <= $2"

_BATCH = np.dtype([("keys", "<i8"), ("times", "<i8"), ("values", "<f8"), ("partners", "<u4"), ("marks", "<u4")])


class StaleSlot(Exception):
    """What was kept of a slot is not what is stored: it is read again."""


class Events(NamedTuple):
    """Events of keys of one slot, in order: what `Windows.fold()` takes."""

    keys: Ints
    times: Ints
    values: Floats
    partners: Marks
    marks: Marks

    def pack(self) -> bytes:
        """Return them as they are stored."""
        rows = np.empty(len(self.keys), _BATCH)
        for name, column in self._asdict().items():
            rows[name] = column
        return zstandard.ZstdCompressor(level=1).compress(rows.tobytes())


def unpacked(content: bytes) -> Events:
    """Return events as they were stored."""
    rows = np.frombuffer(zstandard.ZstdDecompressor().decompress(content), _BATCH)
    return Events(*(np.ascontiguousarray(rows[name]) for name in Events._fields))


def together(parts: Sequence[Events]) -> Events:
    """Return events of several parts, in order."""
    return parts[0] if len(parts) == 1 else Events(*(np.concatenate(column) for column in zip(*parts, strict=True)))


class Snapshot(NamedTuple):
    """A slot's state at a version, being made ready to be stored; how much had come since the one before."""

    version: int
    keys: int
    evicted: int
    since_bytes: int
    content: asyncio.Future[bytes]


class Kept:
    """What is kept of one slot."""

    def __init__(self, windows: Windows) -> None:
        self.windows = windows
        self.version = 0
        self.snapshot_bytes = 0
        self.since_bytes = 0
        self.snapshot: Snapshot | None = None
        self.storing: asyncio.Task[None] | None = None


class Slots:
    """The slots of this process. A batch that fails and partitions that change hands empty it, by `kept()`."""

    def __init__(self, half_life_ms: float = HALF_LIFE_MS) -> None:
        self._kept: dict[int, Kept] = {}
        self._half_life_ms = half_life_ms

    async def take(self, session: AsyncSession, slots: Collection[int]) -> None:
        """Restore what is not kept of some slots."""
        new = {slot: Kept(Windows(half_life_ms=self._half_life_ms)) for slot in slots if slot not in self._kept}
        if new:
            await _restore(session, new)
            self._kept |= new

    def fold(self, slot: int, events: Events) -> Floats:
        """Add events to a slot that was taken, and return the features of each."""
        return self._kept[slot].windows.fold(*events)

    async def store(self, session: AsyncSession, folded: Mapping[int, Events]) -> None:
        """Write what slots took in, in the caller's transaction. Raises StaleSlot where another owner did so too."""
        slots, connection = sorted(folded), await driver(session)
        packed = [folded[slot].pack() for slot in slots]
        for slot, content in zip(slots, packed, strict=True):
            self._kept[slot].version += 1
            self._kept[slot].since_bytes += len(content)
        versions = [self._kept[slot].version for slot in slots]
        if await connection.fetchval(_ADD, slots, versions, packed) != len(slots):
            raise StaleSlot("a slot took in something from somebody else")
        engine = session.bind
        assert isinstance(engine, AsyncEngine), "sessions are made of an engine"
        for slot in slots:
            _snapshot(engine, slot, self._kept[slot])


async def _restore(session: AsyncSession, new: Mapping[int, Kept]) -> None:
    for slot, part, version, content in await (await driver(session)).fetch(_STORED, list(new)):
        kept = new[slot]
        if part == _SLOTS:
            kept.version = version
        elif part == _SNAPSHOTS:
            kept.windows.restore(content)
            kept.snapshot_bytes = len(content)
        else:
            kept.windows.fold(*unpacked(content))
            kept.since_bytes += len(content)


def _snapshot(engine: AsyncEngine, slot: int, kept: Kept) -> None:
    """Take a step towards a snapshot, at most one a batch: begin it when it is due, store it, note that it is stored.

    What it was begun with is committed by the next batch: of one that is rolled back nothing is kept.
    """
    if kept.snapshot is None:
        if kept.since_bytes >= max(LEAST_BYTES, kept.snapshot_bytes // 2):
            kept.snapshot = _begun(kept)
    elif kept.storing is None:
        if kept.snapshot.content.done():
            kept.storing = asyncio.create_task(_store(engine, slot, kept.snapshot))
    elif kept.storing.done():
        error, snapshot = kept.storing.exception(), kept.snapshot
        kept.snapshot = kept.storing = None
        if error is not None:
            # It is made anew: the batches are still there.
            log.warning("snapshot_not_stored", slot=slot, error=repr(error))
            return
        kept.snapshot_bytes = len(snapshot.content.result())
        kept.since_bytes -= snapshot.since_bytes


def _begun(kept: Kept) -> Snapshot:
    state, thread = kept.windows.copied(), asyncio.get_running_loop().run_in_executor
    return Snapshot(kept.version, state.known, state.evicted, kept.since_bytes, thread(None, state.pack))


async def _store(engine: AsyncEngine, slot: int, snapshot: Snapshot) -> None:
    """Put a snapshot in the place of batches, unless a newer one is there: the slot may be another process's by now."""
    version, keys, evicted, _, content = snapshot
    async with engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert isinstance(raw, asyncpg.Connection), "the engine's driver"
        async with raw.transaction():
            await raw.execute(_SNAPSHOT, slot, version, keys, evicted, content.result())
            await raw.execute(_DROP, slot, version)
