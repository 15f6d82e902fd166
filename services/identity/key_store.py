"""Keys of subjects, in a database of their own: what is destroyed here is read by nobody any more, back-ups included.

See ADR 16.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from sqlalchemy import DateTime, LargeBinary, Text, func
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from services.identity.blind import read_key
from services.identity.sealing import MasterKeys, SubjectKey, new_key
from shared.database import driver, make_sessions, new_metadata, transaction

metadata = new_metadata()

_LOAD = "SELECT subject, generation, master, wrapped FROM subject_keys WHERE subject = ANY ($1::uuid[])"
_STORE = """
    INSERT INTO subject_keys (subject, generation, master, wrapped)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::bytea[]) ON CONFLICT DO NOTHING
"""
_DESTROY = """
    UPDATE subject_keys SET wrapped = NULL, destroyed_at = $3
    WHERE subject = $1 AND generation = ANY ($2::int[]) AND destroyed_at IS NULL
"""
_WRAPPED_BY_OTHERS = """
    SELECT subject, generation, master, wrapped FROM subject_keys
    WHERE master <> $1 AND wrapped IS NOT NULL ORDER BY subject, generation LIMIT $2 FOR UPDATE
"""
_REWRAP = """
    UPDATE subject_keys k SET master = $3, wrapped = x.w FROM unnest($1::uuid[], $2::int[], $4::bytea[]) AS x (s, g, w)
    WHERE k.subject = x.s AND k.generation = x.g
"""
_AT_ONCE = 5_000

Held = Mapping[UUID, Mapping[int, SubjectKey]]


class Base(DeclarativeBase):
    """The table of the keys' database."""

    metadata = metadata


class StoredKey(Base):
    """A subject's key, wrapped; nothing but the day it was destroyed is left of one that was."""

    __tablename__ = "subject_keys"

    subject: Mapped[UUID] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(primary_key=True)
    master: Mapped[str] = mapped_column(Text)
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    destroyed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class KeyStore:
    """Hands out keys of subjects and destroys them. It commits by itself: a key without data harms nobody."""

    def __init__(self, engine: AsyncEngine, masters: MasterKeys) -> None:
        self._engine = engine
        self._sessions = make_sessions(engine)
        self.masters = masters

    async def close(self) -> None:
        """Close the connections."""
        await self._engine.dispose()

    async def ensured(self, subjects: Collection[UUID]) -> dict[UUID, SubjectKey]:
        """Return the newest key of each subject, made where there is none that lives."""
        if not subjects:
            return {}
        async with transaction(self._sessions) as session:
            connection = await driver(session)
            rows = await connection.fetch(_LOAD, list(subjects))
            missing = self._missing(subjects, rows)
            if missing:
                # Of two that make a key at once the first one's stays, and both read that.
                wrapped = [self.masters.wrapped(subject, own) for subject, own in missing.items()]
                generations = [own.generation for own in missing.values()]
                names = [self.masters.current] * len(missing)
                await connection.execute(_STORE, list(missing), generations, names, wrapped)
                rows = await connection.fetch(_LOAD, list(subjects))
        held = self._unwrapped(rows)
        return {subject: held[subject][max(held[subject])] for subject in subjects}

    async def held(self, subjects: Collection[UUID]) -> Held:
        """Return the keys of subjects that live, by generation; those of some that are gone are not in it."""
        if not subjects:
            return {}
        async with transaction(self._sessions) as session:
            return self._unwrapped(await (await driver(session)).fetch(_LOAD, list(subjects)))

    async def destroy(self, subject: UUID, generations: Collection[int], *, at: datetime) -> None:
        """Destroy some of a subject's keys for good; those that came since go on."""
        async with transaction(self._sessions) as session:
            await (await driver(session)).execute(_DESTROY, subject, list(generations), at)

    async def rewrap(self) -> int:
        """Wrap some keys that an older master key wraps by the current one; return how many."""
        async with transaction(self._sessions) as session:
            connection = await driver(session)
            rows = await connection.fetch(_WRAPPED_BY_OTHERS, self.masters.current, _AT_ONCE)
            keys = self._unwrapped(rows)
            wrapped = [self.masters.wrapped(r["subject"], keys[r["subject"]][r["generation"]]) for r in rows]
            subjects, generations = [r["subject"] for r in rows], [r["generation"] for r in rows]
            await connection.execute(_REWRAP, subjects, generations, self.masters.current, wrapped)
        return len(rows)

    def _missing(self, subjects: Collection[UUID], rows: Iterable[Any]) -> dict[UUID, SubjectKey]:  # asyncpg's records
        newest: dict[UUID, int] = {}
        lives: set[UUID] = set()
        for row in rows:
            newest[row["subject"]] = max(row["generation"], newest.get(row["subject"], 0))
            if row["wrapped"] is not None:
                lives.add(row["subject"])
        return {subject: new_key(newest.get(subject, 0) + 1) for subject in sorted(set(subjects) - lives)}

    def _unwrapped(self, rows: Iterable[Any]) -> dict[UUID, dict[int, SubjectKey]]:  # asyncpg's records
        found: dict[UUID, dict[int, SubjectKey]] = {}
        for row in rows:
            if row["wrapped"] is not None:
                own = self.masters.unwrapped(row["subject"], row["generation"], row["master"], row["wrapped"])
                found.setdefault(row["subject"], {})[own.generation] = own
        return found


def master_keys(path: Path) -> MasterKeys:
    """Return the master keys of a file, lines of 64 hexadecimal digits, the current one first; made if missing."""
    if not path.exists():
        read_key(path)
    return MasterKeys([bytes.fromhex(line) for line in path.read_text().split()])
