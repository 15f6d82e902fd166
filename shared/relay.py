"""The relay: sends an outbox to Kafka in commit order, then moves its cursor.

A cursor on the id alone would lose rows of transactions that commit late, so the order is (transaction id, id)
and only transactions older than every running one are read.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import asyncpg
import msgspec
import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import BatchBuilder

from shared.clock import wait
from shared.database import CONNECTION_ERRORS
from shared.events.base import Envelope
from shared.messaging import Message, sequence, unpack
from shared.partitions import partitions

log = structlog.get_logger(__name__)

ROWS_AT_ONCE = 32
POLL_SECONDS = 0.02
# Where nothing came for a second, an empty look every 20 ms costs more than it finds.
IDLE_POLLS = 50
IDLE_POLL_SECONDS = 0.1
SEND_TIMEOUT_SECONDS = 30
BATCH_BYTES = 1_000_000

Headers = list[tuple[str, bytes]]

_LOCK = "SELECT pg_try_advisory_lock(hashtext('crosswatch.relay'))"
_READ = """
    SELECT id, xid::text::bigint AS xid, topic, body, count, traceparent FROM outbox
    WHERE (xid, id) > ($1::text::xid8, $2) AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ORDER BY xid, id LIMIT $3
"""
_START = """
    INSERT INTO relay_cursors (outbox, cluster_id, xid, id) VALUES ($1, $2, '0', 0)
    ON CONFLICT (outbox) DO UPDATE SET
        xid = CASE WHEN relay_cursors.cluster_id = $2 THEN relay_cursors.xid ELSE '0'::xid8 END,
        id = CASE WHEN relay_cursors.cluster_id = $2 THEN relay_cursors.id ELSE 0 END,
        sent = CASE WHEN relay_cursors.cluster_id = $2 THEN relay_cursors.sent ELSE 0 END,
        cluster_id = $2
    RETURNING xid::text::bigint AS xid, id
"""
_MOVE = """
    UPDATE relay_cursors SET xid = $2::text::xid8, id = $3, sent = sent + $4, moved_at = now()
    WHERE outbox = $1
"""

_envelope = msgspec.json.Decoder(Envelope).decode


EnsureTopic = Callable[[str], Awaitable[None]]


@dataclass
class Cursor:
    """The last row whose events the broker has acknowledged."""

    xid: int
    id: int


class Relay:
    """Sends one service's outbox; at most one per database (advisory lock)."""

    def __init__(
        self, service: str, dsn: str, producer: AIOKafkaProducer, cluster_id: str, ensure_topic: EnsureTopic
    ) -> None:
        self.service = service
        self._dsn = dsn
        self._producer = producer
        self._cluster_id = cluster_id
        self._ensure_topic = ensure_topic
        self._partitions: dict[str, int] = {}

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; a world that is away is waited for."""
        while not stop.is_set():
            try:
                await self._session(stop)
            except (*CONNECTION_ERRORS, asyncpg.PostgresError, KafkaError, TimeoutError) as error:
                log.warning("relay_waits", outbox=self.service, error=repr(error))
                await wait(stop, 0.5)

    async def _session(self, stop: asyncio.Event) -> None:
        connection = await asyncpg.connect(self._dsn, timeout=5, command_timeout=60)
        try:
            while not await connection.fetchval(_LOCK):
                if await wait(stop, 0.2):
                    return
            cursor = await self._start(connection)
            idle = 0
            while not stop.is_set():
                sent = await self.relay_once(connection, cursor)
                idle = 0 if sent else idle + 1
                if sent < ROWS_AT_ONCE:
                    await wait(stop, POLL_SECONDS if idle < IDLE_POLLS else IDLE_POLL_SECONDS)
        finally:
            connection.terminate()

    async def _start(self, connection: "asyncpg.Connection[asyncpg.Record]") -> Cursor:
        row = await connection.fetchrow(_START, self.service, self._cluster_id)
        assert row is not None, "the statement returns the row it wrote"
        log.info("relay_starts", outbox=self.service, xid=row["xid"], id=row["id"])
        return Cursor(row["xid"], row["id"])

    async def relay_once(self, connection: "asyncpg.Connection[asyncpg.Record]", cursor: Cursor) -> int:
        """Send what lies behind the cursor, wait for every acknowledgement, move it; return rows sent."""
        rows = await connection.fetch(_READ, str(cursor.xid), cursor.id, ROWS_AT_ONCE)
        if not rows:
            return 0
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await self._send(rows)
        last = rows[-1]
        await connection.execute(_MOVE, self.service, str(last["xid"]), last["id"], sum(r["count"] for r in rows))
        cursor.xid, cursor.id = last["xid"], last["id"]
        return len(rows)

    async def _send(self, rows: Sequence[asyncpg.Record]) -> None:
        batches = _Batches(self._producer)
        for row in rows:
            messages = unpack(row["body"])
            targets = partitions([m.key for m in messages], await self._count(row["topic"]))
            traceparent = row["traceparent"].encode() if row["traceparent"] else None
            xid, row_id = row["xid"], row["id"]
            for index, (message, target) in enumerate(zip(messages, targets, strict=True)):
                headers, value = _binary_form(message, sequence(xid, row_id, index), traceparent)
                if not batches.append(row["topic"], target, message.key, value, headers):
                    await batches.make_room(row["topic"], target, message.key, value, headers)
        await batches.flush()

    async def _count(self, topic: str) -> int:
        if topic not in self._partitions:
            await self._ensure_topic(topic)
            self._partitions[topic] = len(await self._producer.partitions_for(topic))
        return self._partitions[topic]


class _Batches:
    """One growing batch per partition, sent when full: a send per message would cost four times as much."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer
        self._open: dict[tuple[str, int], BatchBuilder] = {}
        self._sent: dict[tuple[str, int], asyncio.Future[object]] = {}

    def append(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> bool:
        """Add a message to its partition's batch; tell whether it had room."""
        place = (topic, partition)
        batch = self._open.get(place)
        if batch is None:
            batch = self._open[place] = self._producer.create_batch()
        return batch.append(timestamp=None, key=key, value=value, headers=headers) is not None

    async def make_room(self, topic: str, partition: int, key: bytes, value: bytes, headers: Headers) -> None:
        """Send a partition's batch and add a message to the next one."""
        await self._close((topic, partition))
        if not self.append(topic, partition, key, value, headers):
            raise ValueError(f"an event of {len(value)} bytes does not fit a batch of {BATCH_BYTES}")

    async def flush(self) -> None:
        for place in list(self._open):
            await self._close(place)
        await asyncio.gather(*self._sent.values())

    async def _close(self, place: tuple[str, int]) -> None:
        batch = self._open.pop(place)
        if place in self._sent:
            # Were it to fail and this one not, it would be sent again behind a later sequence, and be skipped.
            await self._sent[place]
        self._sent[place] = await self._producer.send_batch(batch, place[0], partition=place[1])


_SPECVERSION = ("ce_specversion", b"1.0")
_CONTENT_TYPE = ("content-type", b"application/json")


def _binary_form(message: Message, place: bytes, traceparent: bytes | None) -> tuple[Headers, bytes]:
    """Return a CloudEvent's headers and value in Kafka's binary binding (CloudEvents Kafka 1.0.2, 3.2)."""
    if message.headers is not None:
        return [*message.headers, ("ce_sequence", place)], message.value
    event = _envelope(message.value)
    headers = [
        _SPECVERSION,
        ("ce_id", event.id.encode()),
        _repeated("ce_type", event.type),
        _repeated("ce_source", event.source),
        ("ce_sequence", place),
        _CONTENT_TYPE,
    ]
    if event.time is not None:
        headers.append(("ce_time", event.time.encode()))
    if event.subject is not None:
        headers.append(("ce_subject", event.subject.encode()))
    if traceparent is not None:
        headers.append(("traceparent", traceparent))
    return headers, bytes(event.data)


@lru_cache(maxsize=4_096)
def _repeated(name: str, text: str) -> tuple[str, bytes]:
    return name, text.encode()


async def make_producer(bootstrap: str, *, idempotent: bool) -> AIOKafkaProducer:
    """Start a producer whose acknowledgement means every in-sync replica has the batch."""
    producer = AIOKafkaProducer(
        bootstrap_servers=bootstrap,
        acks="all",
        enable_idempotence=idempotent,
        max_batch_size=BATCH_BYTES,
        max_request_size=8_000_000,
        request_timeout_ms=20_000,
        linger_ms=0,
    )
    await producer.start()
    return producer
