"""The accepted log: one outbox row per batch, and one narrow row per event that remembers its id."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, DateTime, Identity, LargeBinary, SmallInteger, Text, func, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from shared.database import driver, new_metadata
from shared.messaging import Message, current_traceparent, pack, unpack

metadata = new_metadata()


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


@dataclass
class Stored:
    """What was new, what was known, and what claims a known id for another payload."""

    accepted: int = 0
    duplicate: int = 0
    conflicting: list[Item] = field(default_factory=list)


_NEXT_ID = "SELECT nextval(pg_get_serial_sequence('outbox', 'id'))"
_REMEMBER = """
    INSERT INTO accepted_events (platform_id, event_id, payload_hash, outbox_id, index)
    SELECT $1, e, h, $2, i FROM unnest($3::text[], $4::bytea[], $5::smallint[]) AS x (e, h, i)
    ON CONFLICT DO NOTHING RETURNING index
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


async def store(session: AsyncSession, topic: str, platform_id: str, items: Sequence[Item], rejected: int) -> Stored:
    """Store new events of a platform, and tell known ids from claimed ones."""
    connection = await driver(session)
    outbox_id = await connection.fetchval(_NEXT_ID)
    inserted = await connection.fetch(
        _REMEMBER,
        platform_id,
        outbox_id,
        [item.id for item in items],
        [item.payload_hash for item in items],
        [item.index for item in items],
    )
    new = {row["index"] for row in inserted} if len(inserted) < len(items) else None
    fresh = items if new is None else [item for item in items if item.index in new]
    stored = Stored(accepted=len(fresh))
    if fresh:
        body = pack([Message(str(item.key).encode(), item.raw) for item in fresh])
        await connection.execute(_OUTBOX, outbox_id, topic, len(fresh), body, current_traceparent())
    if new is not None:
        await _sort_out(connection, platform_id, [i for i in items if i.index not in new], stored)
    counts = msgspec.json.encode(Counter(item.type for item in fresh)).decode()
    await connection.execute(
        _COUNT,
        platform_id,
        outbox_id if fresh else None,
        counts,
        stored.duplicate,
        rejected + len(stored.conflicting),
    )
    return stored


async def _sort_out(connection: Any, platform_id: str, known: Sequence[Item], stored: Stored) -> None:
    """Count same bytes, and the same JSON value in other bytes, as duplicates; the rest as conflicts."""
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
