"""Notices a department has received, in SQLite: each webhook-id once, whatever arrives how often."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import msgspec
from msgspec import Struct

from simulator.signatures import NO_SIGNATURE_FITS

_MOST_AT_ONCE = 500
_MOST_GAPS = 100

_SCHEMA = """
CREATE TABLE IF NOT EXISTS notices (
    position INTEGER PRIMARY KEY,
    department TEXT NOT NULL,
    webhook_id TEXT NOT NULL,
    type TEXT NOT NULL,
    operator_id TEXT,
    seq INTEGER,
    body BLOB NOT NULL,
    received_at TEXT NOT NULL,
    times_received INTEGER NOT NULL DEFAULT 1,
    times_altered INTEGER NOT NULL DEFAULT 0,
    UNIQUE (department, webhook_id)
);
CREATE INDEX IF NOT EXISTS notices_by_operator ON notices (department, operator_id, seq);
CREATE TABLE IF NOT EXISTS refusals (reason TEXT PRIMARY KEY, times INTEGER NOT NULL);
"""
# The first body stays: a repeated id with another body is counted, never believed.
_STORE = """
INSERT INTO notices (department, webhook_id, type, operator_id, seq, body, received_at)
VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (department, webhook_id) DO UPDATE SET
    times_received = times_received + 1, times_altered = times_altered + (body <> excluded.body)
"""
_REFUSE = """
INSERT INTO refusals (reason, times) VALUES (?, 1) ON CONFLICT (reason) DO UPDATE SET times = times + 1
"""
# The sequence of an operator begins at 1, so a lost first notice is a gap as well.
_GAPS = """
SELECT department, operator_id, max(seq) AS last, count(DISTINCT seq) AS present
FROM notices WHERE seq IS NOT NULL
GROUP BY department, operator_id HAVING max(seq) <> count(DISTINCT seq)
ORDER BY department, operator_id
"""


class Notice(Struct, frozen=True, kw_only=True):
    """One accepted notice as it is to be stored."""

    department: str
    webhook_id: str
    type: str
    operator_id: str | None
    seq: int | None
    body: bytes
    received_at: str


class StoredNotice(Struct, frozen=True, kw_only=True):
    """One notice as it is listed."""

    position: int
    webhook_id: str
    type: str
    operator_id: str | None
    seq: int | None
    received_at: str
    times_received: int
    body: msgspec.Raw


class Gap(NamedTuple):
    """An operator whose sequence misses `missing` notices below `last`."""

    department: str
    operator_id: str
    last: int
    missing: int


class DepartmentCounts(Struct, frozen=True, kw_only=True):
    """What one department has: requests, distinct notices, and these by type."""

    received: int
    distinct: int
    types: dict[str, int]


class Summary(Struct, frozen=True, kw_only=True):
    """What all departments have, and what is wrong with it. `gaps` lists the first hundred."""

    received: int
    distinct: int
    altered: int
    missing: int
    bad_signatures: int
    refusals: dict[str, int]
    departments: dict[str, DepartmentCounts]
    gaps: list[Gap]


class NoticeStore:
    """A file of its own, written by one process. What `store` was awaited for survives a crash."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = directory / "notices.sqlite"
        # One connection, used by one thread at a time: the writer's, one call after the other.
        self._database = sqlite3.connect(self._path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.executescript(_SCHEMA)
        self._waiting: list[tuple[Notice, asyncio.Future[None]]] = []
        self._writing = asyncio.Lock()
        # One task writes for all: were each to write when its turn came, each would find only the one before it.
        self._writer: asyncio.Task[None] | None = None

    async def store(self, notice: Notice) -> None:
        """Return once the notice is on disk; notices that wait together share one commit."""
        stored = asyncio.get_running_loop().create_future()
        self._waiting.append((notice, stored))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write_waiting())
        await stored

    async def refuse(self, reason: str) -> None:
        """Count a request that was not accepted."""
        async with self._writing:
            await asyncio.to_thread(self._database.execute, _REFUSE, (reason,))

    def summary(self) -> Summary:
        """Return all counts."""
        with closing(self._reader()) as reader:
            departments = _departments(reader)
            refusals: dict[str, int] = dict(reader.execute("SELECT reason, times FROM refusals ORDER BY reason"))
            gaps = [Gap(who, operator, last, last - present) for who, operator, last, present in reader.execute(_GAPS)]
            altered: int = reader.execute("SELECT coalesce(sum(times_altered), 0) FROM notices").fetchone()[0]
        return Summary(
            received=sum(counts.received for counts in departments.values()),
            distinct=sum(counts.distinct for counts in departments.values()),
            altered=altered,
            missing=sum(gap.missing for gap in gaps),
            bad_signatures=refusals.get(NO_SIGNATURE_FITS, 0),
            refusals=refusals,
            departments=departments,
            gaps=gaps[:_MOST_GAPS],
        )

    def page(self, department: str, *, after: int, limit: int) -> list[StoredNotice]:
        """Return a department's notices beyond a position, in order of arrival."""
        query = (
            "SELECT position, webhook_id, type, operator_id, seq, received_at, times_received, body"
            " FROM notices WHERE department = ? AND position > ? ORDER BY position LIMIT ?"
        )
        with closing(self._reader()) as reader:
            return [
                StoredNotice(
                    position=row[0],
                    webhook_id=row[1],
                    type=row[2],
                    operator_id=row[3],
                    seq=row[4],
                    received_at=row[5],
                    times_received=row[6],
                    body=msgspec.Raw(row[7]),
                )
                for row in reader.execute(query, (department, after, limit))
            ]

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def _reader(self) -> sqlite3.Connection:
        return sqlite3.connect(self._path)

    async def _write_waiting(self) -> None:
        while self._waiting:
            async with self._writing:
                now, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                await self._commit(now)

    async def _commit(self, waiting: Sequence[tuple[Notice, asyncio.Future[None]]]) -> None:
        try:
            await asyncio.to_thread(self._write, [notice for notice, _ in waiting])
        except sqlite3.Error as error:
            for _, stored in waiting:
                if not stored.cancelled():
                    stored.set_exception(error)
            return
        for _, stored in waiting:
            if not stored.cancelled():
                stored.set_result(None)

    def _write(self, notices: Sequence[Notice]) -> None:
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(_STORE, [msgspec.structs.astuple(notice) for notice in notices])


def _departments(reader: sqlite3.Connection) -> dict[str, DepartmentCounts]:
    query = (
        "SELECT department, type, sum(times_received), count(*) FROM notices"
        " GROUP BY department, type ORDER BY department, type"
    )
    counts: dict[str, DepartmentCounts] = {}
    for department, kind, received, distinct in reader.execute(query):
        before = counts.get(department, DepartmentCounts(received=0, distinct=0, types={}))
        counts[department] = DepartmentCounts(
            received=before.received + received,
            distinct=before.distinct + distinct,
            types=before.types | {kind: distinct},
        )
    return counts
