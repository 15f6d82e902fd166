"""The accepted log: one outbox row per batch, and one narrow row per event that remembers its id."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy import BigInteger, DateTime, Identity, LargeBinary, SmallInteger, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import driver, new_metadata, number_array, text_array
from shared.messaging import Message, current_traceparent, pack, unpack

metadata = new_metadata()

HASH_BYTES = 16


class Base(DeclarativeBase):
    """Tables of an ingest door, in the database of each service that has one."""

    metadata = metadata


class Accepted(Base):
    """An event's id within its platform, the hash of its bytes, and where its bytes are."""

    __tablename__ = "accepted_events"

    platform_id: Mapped[str] = mapped_column(Text, primary_key=True)
    event_id: Mapped[str] = mapped_column(Text, primary_key=True)
    payload_hash: Mapped[bytes] = mapped_column(LargeBinary)
    outbox_id: Mapped[int] = mapped_column(BigInteger)
    index: Mapped[int] = mapped_column(SmallInteger)


class AcceptedBatch(Base):
    """What became of one batch: counts by type. Appended, never updated, so that batches do not wait."""

    __tablename__ = "accepted_batches"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    platform_id: Mapped[str] = mapped_column(Text)
    outbox_id: Mapped[int | None] = mapped_column(BigInteger)
    accepted: Mapped[dict[str, int]] = mapped_column(JSONB)
    duplicate: Mapped[int]
    rejected: Mapped[int]
    received_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Item(msgspec.Struct, frozen=True, gc=False):
    """One event that is fit to be stored."""

    index: int
    id: str
    type: str
    key: UUID
    raw: bytes
    payload_hash: bytes
    # What its platform counts it as.
    number: int | None = None


@dataclass
class Stored:
    """What was new, what was known, and what claims a known id for another payload."""

    accepted: int = 0
    duplicate: int = 0
    conflicting: list[Item] = field(default_factory=list)


_NEXT_ID = "SELECT nextval(pg_get_serial_sequence('outbox', 'id'))"
_REMEMBER = """
    INSERT INTO accepted_events (platform_id, event_id, payload_hash, outbox_id, index)
    SELECT $1, e, substr($2::bytea, (n::int - 1) * $3::int + 1, $3), $6, i
    FROM unnest($4::text::text[], $5::text::smallint[]) WITH ORDINALITY AS x (e, i, n)
    ON CONFLICT DO NOTHING RETURNING index
"""
_STORE_NEW = """
    WITH sent AS (
        INSERT INTO outbox (topic, count, body, traceparent) VALUES ($6, $7, $8, $9) RETURNING id
    ), counted AS (
        INSERT INTO accepted_batches (platform_id, outbox_id, accepted, duplicate, rejected)
        SELECT $1, id, $10::jsonb, 0, $11 FROM sent
    )
    INSERT INTO accepted_events (platform_id, event_id, payload_hash, outbox_id, index)
    SELECT $1, e, substr($2::bytea, (n::int - 1) * $3::int + 1, $3), (SELECT id FROM sent), i
    FROM unnest($4::text::text[], $5::text::smallint[]) WITH ORDINALITY AS x (e, i, n)
"""
_OUTBOX = """
    INSERT INTO outbox (id, topic, count, body, traceparent) OVERRIDING SYSTEM VALUE
    VALUES ($1, $2, $3, $4, $5)
"""
_COUNT = """
    INSERT INTO accepted_batches (platform_id, outbox_id, accepted, duplicate, rejected)
    VALUES ($1, $2, $3::jsonb, $4, $5)
"""
_KNOWN = """
    SELECT a.event_id, a.payload_hash, a.index, a.outbox_id FROM accepted_events a
    WHERE a.platform_id = $1 AND a.event_id = ANY ($2::text[])
"""
_BODY = "SELECT body FROM outbox WHERE id = $1"


class IdKnown(Exception):
    """An id of a batch that was taken for new is known, or stands in it twice: nothing was stored."""


async def store_new(session: AsyncSession, topic: str, platform_id: str, items: Sequence[Item], rejected: int) -> None:
    """Store a platform's events, all of them new, in one statement. Raises IdKnown where one is not."""
    connection = await driver(session)
    outbox = (topic, len(items), _body(items), current_traceparent())
    try:
        await connection.execute(_STORE_NEW, *_narrow(platform_id, items), *outbox, _by_type(items), rejected)
    except asyncpg.UniqueViolationError as error:
        raise IdKnown(f"an id of {platform_id}'s batch is known") from error


async def store(session: AsyncSession, topic: str, platform_id: str, items: Sequence[Item], rejected: int) -> Stored:
    """Store new events of a platform, and tell known ids from claimed ones."""
    connection = await driver(session)
    outbox_id = await connection.fetchval(_NEXT_ID)
    inserted = await connection.fetch(_REMEMBER, *_narrow(platform_id, items), outbox_id)
    new = {row["index"] for row in inserted}
    fresh = [item for item in items if item.index in new]
    stored = Stored(accepted=len(fresh))
    if fresh:
        await connection.execute(_OUTBOX, outbox_id, topic, len(fresh), _body(fresh), current_traceparent())
    await _sort_out(connection, platform_id, [item for item in items if item.index not in new], stored)
    refused = rejected + len(stored.conflicting)
    known_id = outbox_id if fresh else None
    await connection.execute(_COUNT, platform_id, known_id, _by_type(fresh), stored.duplicate, refused)
    return stored


def _narrow(platform_id: str, items: Sequence[Item]) -> tuple[object, ...]:
    hashes = b"".join([item.payload_hash for item in items])
    ids, indexes = text_array([item.id for item in items]), number_array([item.index for item in items])
    return platform_id, hashes, HASH_BYTES, ids, indexes


def _body(items: Sequence[Item]) -> bytes:
    return pack([Message(str(item.key).encode(), item.raw) for item in items])


def _by_type(items: Sequence[Item]) -> str:
    return msgspec.json.encode(Counter([item.type for item in items])).decode()


async def _sort_out(connection: Any, platform_id: str, known: Sequence[Item], stored: Stored) -> None:
    """Count same bytes, and the same JSON value in other bytes, as duplicates; the rest as conflicts."""
    if not known:
        return
    rows = await connection.fetch(_KNOWN, platform_id, [item.id for item in known])
    before = {row["event_id"]: row for row in rows}
    bodies: dict[int, list[bytes]] = {}
    for item in known:
        row = before[item.id]
        if row["payload_hash"] == item.payload_hash:
            stored.duplicate += 1
            continue
        if row["outbox_id"] not in bodies:
            body = await connection.fetchval(_BODY, row["outbox_id"])
            bodies[row["outbox_id"]] = [m.value for m in unpack(body)] if body else []
        if any(_same_value(item, raw) for raw in bodies[row["outbox_id"]]):
            stored.duplicate += 1
        else:
            stored.conflicting.append(item)


def _same_value(item: Item, raw: bytes) -> bool:
    if item.id.encode() not in raw:
        return False
    try:
        return bool(msgspec.json.decode(raw) == msgspec.json.decode(item.raw))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # A field that nobody reads may hold what cannot be read, such as 1e400: then only the bytes tell.
        return False


@dataclass(frozen=True)
class Counts:
    """How many events an ingest door accepted by type, and how many it found known or refused."""

    accepted: dict[str, int]
    duplicate: int
    rejected: int


_ACCEPTED_BY_TYPE = text("""
    SELECT key, sum(value::bigint) FROM accepted_batches, jsonb_each_text(accepted) GROUP BY key ORDER BY key
""")
_REFUSED = text("SELECT coalesce(sum(duplicate), 0), coalesce(sum(rejected), 0) FROM accepted_batches")


async def counts(session: AsyncSession) -> Counts:
    """Count what came in, as far as the session may see."""
    by_type = {key: int(n) for key, n in (await session.execute(_ACCEPTED_BY_TYPE)).all()}
    duplicate, rejected = (await session.execute(_REFUSED)).one()
    return Counts(by_type, int(duplicate), int(rejected))
