"""Loading an extract of a public register: staged by COPY, then taken over in steps that each commit.

One transaction for all would hold back the relay, which sends nothing beyond the oldest that is open. An extract that
was interrupted leaves entries that are true of its day; loading it again finishes it.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg

from services.identity.registry_rows import Entry, Fault, Reading
from shared.errors import Conflict
from shared.identifiers import new_id

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"
CHUNK = 10_000

_STAGED = ("extract_id", "row", "number", "name", "normal_name", "grams", "status", "registered_on", "content")
_LAST = """
    SELECT max(stated_on) FROM registry_extracts WHERE jurisdiction = $1 AND scheme = $2 AND state = 'loaded'
"""
# One load of a register at a time; what is still "loading" when we have the lock died on the way.
_ALONE = "SELECT pg_advisory_lock(hashtext('registry ' || $1 || ' ' || $2))"
_NOT_ALONE = "SELECT pg_advisory_unlock(hashtext('registry ' || $1 || ' ' || $2))"
_CLEAR = """
    WITH dead AS (
        UPDATE registry_extracts SET state = 'interrupted'
        WHERE jurisdiction = $1 AND scheme = $2 AND state = 'loading' RETURNING id
    )
    DELETE FROM registry_rows WHERE extract_id IN (SELECT id FROM dead)
"""
_BEGIN = """
    INSERT INTO registry_extracts (id, jurisdiction, scheme, stated_on, is_complete, file_name, state)
    VALUES ($1, $2, $3, $4, $5, $6, 'loading')
"""
_TWICE = """
    DELETE FROM registry_rows r USING registry_rows first
    WHERE r.extract_id = $1 AND first.extract_id = $1 AND first.number = r.number AND first.row < r.row
    RETURNING r.row, (r.name, r.status, r.registered_on, r.content)
        IS NOT DISTINCT FROM (first.name, first.status, first.registered_on, first.content) AS is_repeated
"""
# Said of the day itself before: said anew. Said of an earlier day and different: that ends, and a new entry begins.
_SAY_ANEW = """
    UPDATE registry_entries e SET name = r.name, normal_name = r.normal_name, grams = r.grams, status = r.status,
        registered_on = r.registered_on, content = r.content, extract_id = r.extract_id, valid_to = NULL
    FROM registry_rows r
    WHERE r.extract_id = $1 AND r.row >= $2 AND r.row < $3 AND e.jurisdiction = $4 AND e.scheme = $5
        AND e.number = r.number AND e.valid_from = $6
        AND (e.name, e.status, e.registered_on, e.content, e.valid_to)
            IS DISTINCT FROM (r.name, r.status, r.registered_on, r.content, NULL::date)
"""
_END_CHANGED = """
    UPDATE registry_entries e SET valid_to = $6 FROM registry_rows r
    WHERE r.extract_id = $1 AND r.row >= $2 AND r.row < $3 AND e.jurisdiction = $4 AND e.scheme = $5
        AND e.number = r.number AND e.valid_from < $6 AND e.valid_to IS NULL
        AND (e.name, e.status, e.registered_on, e.content)
            IS DISTINCT FROM (r.name, r.status, r.registered_on, r.content)
"""
_ADD = """
    INSERT INTO registry_entries (jurisdiction, scheme, number, valid_from, name, normal_name, grams, status,
        registered_on, content, extract_id)
    SELECT $4, $5, r.number, $6, r.name, r.normal_name, r.grams, r.status, r.registered_on, r.content, r.extract_id
    FROM registry_rows r
    WHERE r.extract_id = $1 AND r.row >= $2 AND r.row < $3 AND NOT EXISTS (
        SELECT FROM registry_entries e
        WHERE e.jurisdiction = $4 AND e.scheme = $5 AND e.number = r.number AND e.valid_to IS NULL
    )
    ON CONFLICT DO NOTHING
"""
_END_ABSENT = """
    UPDATE registry_entries SET valid_to = $4 WHERE ctid IN (
        SELECT e.ctid FROM registry_entries e
        WHERE e.jurisdiction = $2 AND e.scheme = $3 AND e.valid_to IS NULL AND e.valid_from <= $4 AND NOT EXISTS (
            SELECT FROM registry_rows r WHERE r.extract_id = $1 AND r.number = e.number
        )
        LIMIT 10000
    )
"""
_FINISH = """
    UPDATE registry_extracts SET state = 'loaded', loaded_at = now(), rows = $2, broken = $3, changed = $4, ended = $5
    WHERE id = $1
"""


class ExtractOlder(Conflict):
    """A later extract of the register was loaded already."""

    code = "extract_older"


class Terms(NamedTuple):
    """Which register an extract is of, of which day, whether it is all of it, and where it came from."""

    jurisdiction: str
    scheme: str
    stated_on: date
    is_complete: bool
    file_name: str


class Loaded(NamedTuple):
    """What loading an extract came to. `changed` entries are new or say something else; `ended` ones are gone."""

    rows: int
    broken: int
    irregular: int
    changed: int
    ended: int


class _Staged:
    """Counts rows as they are staged, and tells their faults."""

    def __init__(self, report: Callable[[Fault], None]) -> None:
        self.rows = self.broken = self.irregular = 0
        self.last = -1
        self._report = report

    def take(self, reading: Reading) -> Entry | None:
        for fault in reading.faults:
            self._report(fault)
        self.rows += 1
        self.broken += reading.entry is None
        self.irregular += reading.is_irregular
        if reading.entry is not None:
            self.last = reading.entry.row
        return reading.entry

    def refuse(self, row: int) -> None:
        self._report(Fault(row, "number", "number_twice"))
        self.broken += 1


async def load(
    connection: Connection, terms: Terms, readings: Iterable[Reading], report: Callable[[Fault], None]
) -> Loaded:
    """Load an extract; report each fault. Raises ExtractOlder."""
    register = (terms.jurisdiction, terms.scheme)
    await connection.execute(_ALONE, *register)
    try:
        await connection.execute(_CLEAR, *register)
        return await _load(connection, terms, readings, report)
    finally:
        await connection.execute(_NOT_ALONE, *register)


async def _load(
    connection: Connection, terms: Terms, readings: Iterable[Reading], report: Callable[[Fault], None]
) -> Loaded:
    last = await connection.fetchval(_LAST, terms.jurisdiction, terms.scheme)
    if last is not None and terms.stated_on < last:
        raise ExtractOlder(f"an extract of {last} is loaded; one of {terms.stated_on} says nothing newer")
    extract = new_id()
    await connection.execute(_BEGIN, extract, *terms)
    staged = _Staged(report)
    try:
        for chunk in _chunks(entry for reading in readings if (entry := staged.take(reading)) is not None):
            records = [(extract, *entry[:-1], json.dumps(entry.content, ensure_ascii=False)) for entry in chunk]
            await connection.copy_records_to_table("registry_rows", records=records, columns=_STAGED)
        for found in await connection.fetch(_TWICE, extract):
            if not found["is_repeated"]:
                staged.refuse(found["row"])
        changed = await _take_over(connection, terms, extract, staged.last)
        ended = await _end_absent(connection, terms, extract) if terms.is_complete else 0
        await connection.execute(_FINISH, extract, staged.rows, staged.broken, changed, ended)
    finally:
        await connection.execute("DELETE FROM registry_rows WHERE extract_id = $1", extract)
    return Loaded(staged.rows, staged.broken, staged.irregular, changed, ended)


async def _take_over(connection: Connection, terms: Terms, extract: UUID, last: int) -> int:
    changed = 0
    register = (terms.jurisdiction, terms.scheme, terms.stated_on)
    for first in range(0, last + 1, CHUNK):
        async with connection.transaction():
            place = (extract, first, first + CHUNK)
            anew = await connection.execute(_SAY_ANEW, *place, *register)
            await connection.execute(_END_CHANGED, *place, *register)
            added = await connection.execute(_ADD, *place, *register)
        changed += _count(anew) + _count(added)
    return changed


async def _end_absent(connection: Connection, terms: Terms, extract: UUID) -> int:
    ended = 0
    while True:
        done = _count(await connection.execute(_END_ABSENT, extract, terms.jurisdiction, terms.scheme, terms.stated_on))
        ended += done
        if not done:
            return ended


def _chunks(entries: Iterator[Entry]) -> Iterator[Sequence[Entry]]:
    while chunk := list(islice(entries, CHUNK)):
        yield chunk


def _count(status: str) -> int:
    return int(status.rpartition(" ")[2])
