"""The tables every service sends and receives by, and `publish()`, which only inserts.

One outbox row holds the events of one transaction for one topic, as a compressed list, in order.
The accepted log of an ingest door is the same table: what platforms sent, as the bytes that came.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import zstandard
from opentelemetry import propagate
from sqlalchemy import BigInteger, DateTime, Identity, Index, LargeBinary, Text, func, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from sqlalchemy.types import UserDefinedType

from shared.database import columns, driver, new_metadata
from shared.events.base import Event
from shared.identifiers import new_id

metadata = new_metadata()
IDS_PER_ROW = 1 << 16
MAX_EVENTS_PER_ROW = 5_000

_compress = zstandard.ZstdCompressor(level=1).compress
_decompress = zstandard.ZstdDecompressor().decompress
_encode = msgspec.json.Encoder().encode


_ENQUEUE = """
    INSERT INTO outbox (topic, count, body, traceparent)
    SELECT t, c, b, $4 FROM unnest($1::text[], $2::int[], $3::bytea[]) WITH ORDINALITY AS x (t, c, b, n) ORDER BY n
"""


class Xid8(UserDefinedType[int]):
    """PostgreSQL's 64-bit transaction id, which does not wrap."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Name the type in DDL."""
        return "xid8"


class Base(DeclarativeBase):
    """Tables of messaging, in every service's database."""

    metadata = metadata


class Outbox(Base):
    """What is to be sent, in the order (xid, id); `count` events in `body`."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_xid_id", "xid", "id"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    xid: Mapped[int] = mapped_column(Xid8(), server_default=text("pg_current_xact_id()"))
    topic: Mapped[str] = mapped_column(Text)
    count: Mapped[int]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    traceparent: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class RelayCursor(Base):
    """How far the relay has sent, on which cluster."""

    __tablename__ = "relay_cursors"

    outbox: Mapped[str] = mapped_column(Text, primary_key=True)
    cluster_id: Mapped[str] = mapped_column(Text)
    xid: Mapped[int] = mapped_column(Xid8())
    id: Mapped[int] = mapped_column(BigInteger)
    sent: Mapped[int] = mapped_column(BigInteger, server_default="0")
    lag: Mapped[int] = mapped_column(BigInteger, server_default="0")
    moved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class StreamOffset(Base):
    """The position of a consumer in a partition: it commits with the effects of what was read."""

    __tablename__ = "stream_offsets"

    consumer: Mapped[str] = mapped_column(Text, primary_key=True)
    topic: Mapped[str] = mapped_column(Text, primary_key=True)
    partition: Mapped[int] = mapped_column(primary_key=True)
    cluster_id: Mapped[str] = mapped_column(Text)
    next: Mapped[int] = mapped_column(BigInteger, server_default="0")
    last_sequence: Mapped[str] = mapped_column(Text, server_default="")
    applied: Mapped[int] = mapped_column(BigInteger, server_default="0")
    batches: Mapped[int] = mapped_column(BigInteger, server_default="0")
    seconds: Mapped[float] = mapped_column(server_default="0")
    moved_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class AppliedBatch(Base):
    """Which outbox positions a committed batch applied: int64 little-endian, for reconciliation."""

    __tablename__ = "applied_batches"
    __table_args__ = (Index("ix_applied_batches_consumer_topic", "consumer", "topic"),)

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    consumer: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    partition: Mapped[int]
    positions: Mapped[bytes] = mapped_column(LargeBinary)
    applied_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())


class Quarantined(Base):
    """A message that could not be applied, byte for byte, with the reason."""

    __tablename__ = "quarantine"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    consumer: Mapped[str] = mapped_column(Text)
    topic: Mapped[str] = mapped_column(Text)
    partition: Mapped[int]
    offset: Mapped[int] = mapped_column(BigInteger)
    key: Mapped[bytes | None] = mapped_column(LargeBinary)
    headers: Mapped[bytes] = mapped_column(LargeBinary)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    code: Mapped[str] = mapped_column(Text)
    detail: Mapped[str] = mapped_column(Text)
    quarantined_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    released_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Message(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One entry of an outbox row: a CloudEvent in JSON form, or a dead letter with its own headers."""

    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]] | None = None


_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(list[Message]).decode


def pack(messages: Sequence[Message]) -> bytes:
    """Compress messages into the body of an outbox row."""
    return _compress(_pack(messages))


def unpack(body: bytes) -> list[Message]:
    """Read the body of an outbox row."""
    return _unpack(_decompress(body))


def sequence(xid: int, row_id: int, index: int) -> bytes:
    """Return an event's place in its outbox: it sorts as text (CloudEvents extension `sequence`)."""
    return b"%012x%016x" % (xid, row_id * IDS_PER_ROW + index)


def position(sequence: str) -> int:
    """Return the outbox position, unique in its outbox, of a sequence."""
    return int(sequence[12:], 16)


def current_traceparent() -> str | None:
    """Return the W3C trace context of what is being done, to be sent along."""
    carrier: dict[str, str] = {}
    propagate.inject(carrier)
    return carrier.get("traceparent")


async def publish(session: AsyncSession, events: Event | Iterable[Event], *, source: str) -> None:
    """Insert events into the outbox, in the caller's transaction; the relay sends them after its commit.

    `source` is the publishing service's name. Events of one topic keep their order.
    """
    by_topic: dict[str, list[Message]] = defaultdict(list)
    address = f"/services/{source}"
    for event in (events,) if isinstance(events, Event) else events:
        subject = str(event.key())
        by_topic[event.topic].append(Message(subject.encode(), _structured(event, subject, address)))
    await enqueue(session, by_topic)


async def enqueue(session: AsyncSession, by_topic: Mapping[str, Sequence[Message]]) -> None:
    """Insert ready messages, a row a topic."""
    rows = [
        (topic, len(part), pack(part))
        for topic, messages in by_topic.items()
        for start in range(0, len(messages), MAX_EVENTS_PER_ROW)
        for part in (messages[start : start + MAX_EVENTS_PER_ROW],)
    ]
    if rows:
        await (await driver(session)).execute(_ENQUEUE, *columns(rows, list, list, list), current_traceparent())


class _Structured(msgspec.Struct, frozen=True, kw_only=True):
    specversion: str = "1.0"
    id: UUID
    source: str
    type: str
    time: datetime
    subject: str
    datacontenttype: str = "application/json"
    data: Event


def _structured(event: Event, subject: str, source: str) -> bytes:
    return _encode(
        _Structured(id=new_id(), source=source, type=event.type, time=event.occurred_at, subject=subject, data=event)
    )
