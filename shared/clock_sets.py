"""The clocks of many subjects at once: read together, begun and closed in memory, written together."""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from shared import clocks
from shared.clock_store import About, reckoned
from shared.clocks import Clock
from shared.database import Executes, columns, driver, text_array

_RUNNING = """
    SELECT id, kind, subject, clock::text FROM clocks
    WHERE subject = ANY ($1::uuid[]) AND kind = ANY ($2::text[]) AND state IN ('running', 'paused')
    ORDER BY id FOR UPDATE
"""
_START = """
    INSERT INTO clocks (id, kind, subject, platform_id, content, started_at, clock, state, last_day, due_at,
        is_provisional)
    SELECT i, k, s, p, c::jsonb, t, j::jsonb, z, l, d, v FROM unnest($1::uuid[], $2::text::text[], $3::uuid[],
        $4::text::text[], $5::text::text[], $6::timestamptz[], $7::text::text[], $8::text::text[], $9::date[],
        $10::timestamptz[], $11::bool[]) AS x (i, k, s, p, c, t, j, z, l, d, v)
    ON CONFLICT DO NOTHING
"""
_CLOSE = """
    UPDATE clocks c SET clock = x.j::jsonb, state = x.z
    FROM unnest($1::uuid[], $2::text::text[], $3::text::text[]) AS x (i, j, z) WHERE c.id = x.i
"""
_read = msgspec.json.Decoder(Clock).decode


@dataclass
class _Kept:
    """A clock, as it was begun here or is stored; `about` is None of one that is stored.

    `ends` says when it would end as it was begun: so it is stored, and stays for those who ask.
    """

    id: UUID
    kind: str
    begun: Clock
    clock: Clock
    about: About | None = None
    ends: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class ClockSet:
    """The clocks of some subjects that have not ended, and those that are begun."""

    kept: dict[UUID, list[_Kept]] = field(default_factory=lambda: defaultdict(list))

    def start(self, about: About, clock: Clock, ends: Mapping[str, Any] | None = None) -> None:
        """Begin a clock, of which it may have been reckoned when it `ends`. Raises NoCalendar."""
        reckoned_ends = reckoned(clock) if ends is None else ends
        self.kept[about.subject].append(_Kept(about.id, about.kind, clock, clock, about, reckoned_ends))

    def close(self, subject: UUID, kinds: Collection[str], *, at: datetime, evidence: str) -> None:
        """Stop the clocks of some kinds of a subject; one that began later ends as it begins."""
        for one in self.kept.get(subject, ()):
            if one.kind in kinds and one.clock.state in ("running", "paused"):
                one.clock = clocks.close(one.clock, at=max(at, one.clock.started_at), evidence=evidence)

    async def write(self, connection: Executes) -> None:
        """Store what was begun and closed."""
        everything = [kept for clocks_of in self.kept.values() for kept in clocks_of]
        if new := [_new_row(kept, kept.about) for kept in everything if kept.about is not None]:
            forms = (list, text_array, list, text_array, text_array, list, text_array, text_array, list, list, list)
            await connection.execute(_START, *columns(new, *forms))
        closed = [kept for kept in everything if kept.about is None and kept.clock is not kept.begun]
        if closed:
            rows = [(kept.id, _text(kept.clock), kept.clock.state) for kept in closed]
            await connection.execute(_CLOSE, *columns(rows, list, text_array, text_array))


async def running(session: AsyncSession, subjects: Collection[UUID], kinds: Collection[str]) -> ClockSet:
    """Return the clocks of some kinds of subjects that have not ended; nobody else changes them until the commit."""
    found = ClockSet()
    if subjects:
        for row in await (await driver(session)).fetch(_RUNNING, list(subjects), list(kinds)):
            clock = _read(row["clock"])
            found.kept[row["subject"]].append(_Kept(row["id"], row["kind"], clock, clock))
    return found


def _new_row(kept: _Kept, about: About) -> tuple[object, ...]:
    ends = kept.ends
    own = (about.id, about.kind, about.subject, about.platform_id, msgspec.json.encode(about.content).decode())
    at = (kept.begun.started_at, _text(kept.clock), kept.clock.state)
    return (*own, *at, ends["last_day"], ends["due_at"], ends["is_provisional"])


def _text(clock: Clock) -> str:
    return msgspec.json.encode(clock).decode()
