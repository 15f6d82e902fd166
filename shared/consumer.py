"""The Kafka loop: read a batch, apply it, and commit effects, outbox rows, quarantine and position together.

The position lives in PostgreSQL, so an effect and the fact that it happened cannot come apart. Kafka's own
offsets are written too, for lag tools, and never read.
"""

import asyncio
import re
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import KafkaError
from sqlalchemy.ext.asyncio import AsyncSession

from shared import quarantine, stream_positions
from shared.clock import wait
from shared.database import Sessions, forget, is_connection_error, transaction
from shared.fetching import Record, read_as_they_are
from shared.messaging import position
from shared.received import Headers, Received, text
from shared.settings import ANYONE, Member
from shared.topics import read_cluster_id

log = structlog.get_logger(__name__)

Records = Mapping[TopicPartition, Sequence[Record]]

MAX_MESSAGE_BYTES = 1_000_000
COMMIT_SECONDS = 1.0
GATHER_SECONDS = 0.1
# The embedded broker looks for news twice in this time; Apache Kafka answers as soon as there are some.
POLL_MS = 100
FULL_BATCH = 2_000
PAUSE_PER_BATCH = 0.2
# What is done so soon leaves cores free: nobody is to wait for it.
QUICK_SECONDS = 0.005
MOST_PAUSE_SECONDS = 0.1
STOP_AFTER_QUARANTINED_IN_A_ROW = 500
_PLACE = re.compile(r"[0-9a-f]{12}[0-7][0-9a-f]{15}")


Handler = Callable[[AsyncSession, Sequence[Received]], Awaitable[None]]
Handlers = Mapping[type[Any], Handler]


class PositionLost(Exception):
    """Another owner has moved a partition's position on: stop and rejoin."""


class TooManyQuarantined(Exception):
    """Nearly everything fails: a bad deploy, not bad messages."""


@dataclass
class Batch:
    """What was read at once, decoded, beside what could not be."""

    received: list[Received] = field(default_factory=list)
    refused: list[quarantine.Refused] = field(default_factory=list)
    progress: dict[TopicPartition, stream_positions.Progress] = field(default_factory=dict)


class Consumer:
    """One consumer group's member for one service."""

    def __init__(  # noqa: PLR0913 - what a group's member is made of, each by name
        self,
        name: str,
        *,
        bootstrap: str,
        sessions: Sessions,
        handlers: Handlers,
        known_types: Mapping[str, type[Any]],
        topics: Collection[str] = (),
        pattern: str | None = None,
        max_records: int = 4_000,
        least_pause: float = 0.0,
        gathered: Collection[str] = (),
        fetch_wait_ms: int = POLL_MS,
        member: Member = ANYONE,
    ) -> None:
        self.name = name
        self._bootstrap = bootstrap
        self._sessions = sessions
        self._decoders = {name.encode(): msgspec.json.Decoder(kind).decode for name, kind in known_types.items()}
        self._handlers = handlers
        self._topics = list(topics)
        self._pattern = pattern
        self._max_records = max_records
        self._least_pause = least_pause
        # Topics of few and large messages: alone each would cost a transaction of its own.
        self._gathered = frozenset(gathered)
        self._gathered_until = 0.0
        self._fetch_wait_ms = fetch_wait_ms
        self._member = member
        self._not_taken: Exception | None = None
        self._positions: dict[TopicPartition, stream_positions.Position] = {}
        self._cluster_id = ""
        self._in_a_row = 0
        # How often partitions were taken over: what was read before that was read from somewhere else.
        self._taken = 0
        # A rebalance waits for the batch in hand; what was read before it is not applied after it.
        self._hands = asyncio.Lock()

    async def run(self, stop: asyncio.Event) -> None:
        """Consume until told to stop; rejoin when a partition was taken over or the broker went away."""
        while not stop.is_set():
            try:
                await self._membership(stop)
            except Exception as error:
                if not isinstance(error, KafkaError | PositionLost) and not is_connection_error(error):
                    raise
                log.warning("consumer_rejoins", consumer=self.name, error=repr(error))
                await wait(stop, 0.5)

    async def _membership(self, stop: asyncio.Event) -> None:
        self._cluster_id = await read_cluster_id(self._bootstrap)
        read_as_they_are()
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self.name,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            # Range gives one member the same partitions of every topic: one account's trade and reviews.
            partition_assignment_strategy=(RangePartitionAssignor,),
            group_instance_id=self._member.name,
            session_timeout_ms=self._member.session_timeout_ms,
            heartbeat_interval_ms=self._member.session_timeout_ms // 4,
            max_poll_interval_ms=300_000,
            max_partition_fetch_bytes=4 << 20,
            fetch_max_wait_ms=self._fetch_wait_ms,
            metadata_max_age_ms=5_000 if self._pattern else 60_000,
        )
        await consumer.start()
        self._not_taken = None
        try:
            listener = _Seek(self, consumer)
            if self._pattern is not None:
                consumer.subscribe(pattern=self._pattern, listener=listener)
            else:
                consumer.subscribe(self._topics, listener=listener)
            await self._consume(consumer, stop)
        finally:
            await asyncio.wait_for(consumer.stop(), 10)

    async def _consume(self, consumer: AIOKafkaConsumer, stop: asyncio.Event) -> None:
        committed = time.monotonic()
        while not stop.is_set():
            taken = self._taken
            self._resume(consumer)
            records = await consumer.getmany(timeout_ms=POLL_MS, max_records=self._max_records)
            if self._not_taken is not None:
                raise self._not_taken
            if records:
                # aiokafka would fetch the next batch now: a small one, and old by the time it is applied.
                held = consumer.assignment()
                consumer.pause(*held)
                started = time.monotonic()
                if not await self._apply_when_possible(records, stop, taken):
                    self._seek(consumer, held & consumer.assignment())
                count = sum(map(len, records.values()))
                if (pause := self._pause(count, time.monotonic() - started)) > 0:
                    await wait(stop, pause)
                if self._gathered.intersection(place.topic for place in records):
                    self._gathered_until = time.monotonic() + GATHER_SECONDS
            if time.monotonic() - committed > COMMIT_SECONDS:
                committed = time.monotonic()
                await self._tell_kafka(consumer)

    def _resume(self, consumer: AIOKafkaConsumer) -> None:
        """Read on, but for topics that gather."""
        paused: frozenset[TopicPartition] = consumer.paused()
        if self._gathered and time.monotonic() < self._gathered_until:
            paused = frozenset(place for place in paused if place.topic not in self._gathered)
        consumer.resume(*paused)

    def _pause(self, count: int, took: float) -> float:
        """Return how long to let messages gather: a transaction costs the same for few as for many."""
        if count >= FULL_BATCH:
            return 0.0
        return max(self._least_pause, min((took - QUICK_SECONDS) * PAUSE_PER_BATCH, MOST_PAUSE_SECONDS))

    async def _apply_when_possible(self, records: Records, stop: asyncio.Event, taken: int) -> bool:
        """Apply records; return False where partitions were taken over since they were asked for.

        Until it is told where to read from, aiokafka reads from where the group told Kafka it was. That may be ahead of
        what is stored here, where the database was restored from a backup: what lies between would be skipped.
        """
        pause = 0.1
        while not stop.is_set():
            try:
                async with self._hands:
                    if self._taken != taken:
                        return False
                    await self.apply(records)
            except Exception as error:
                if isinstance(error, PositionLost) or not is_connection_error(error):
                    raise
                log.warning("database_away", consumer=self.name, error=repr(error), pause_seconds=pause)
                await wait(stop, pause)
                pause = min(pause * 2, 5.0)
            else:
                break
        return True

    async def apply(self, records: Records) -> None:
        """Apply records in one transaction; when their effects fail, one by one, the failing ones refused."""
        batch = self._decode(records)
        if not batch.progress:
            return
        try:
            await self._commit(batch)
        except (PositionLost, TooManyQuarantined):
            raise
        except Exception as error:
            if is_connection_error(error):
                raise
            await self._one_by_one(batch, records, error)
        for place, progress in batch.progress.items():
            self._positions[place] = progress.after

    async def _kept(self, refused: list[quarantine.Refused]) -> list[quarantine.Refused]:
        """Return refused records as they may be kept."""
        return refused

    async def _commit(self, batch: Batch) -> None:
        started = time.perf_counter()
        in_a_row = self._refused_in_a_row(len(batch.refused), len(batch.received))
        async with transaction(self._sessions) as session:
            await self._handle(session, batch.received)
            await quarantine.put(session, self.name, await self._kept(batch.refused))
            seconds = time.perf_counter() - started
            moved = await stream_positions.advance(session, self.name, self._cluster_id, batch.progress, seconds)
            if moved != len(batch.progress):
                raise PositionLost(f"{self.name}: {moved} of {len(batch.progress)} positions were ours")
        self._in_a_row = in_a_row

    async def _handle(self, session: AsyncSession, received: Sequence[Received]) -> None:
        by_handler: dict[Handler, list[Received]] = defaultdict(list)
        for one in received:
            if (handler := self._handlers.get(type(one.event))) is not None:
                by_handler[handler].append(one)
        for handler, events in by_handler.items():
            await handler(session, events)

    async def apply_again(self, session: AsyncSession, place: TopicPartition, record: Record) -> None:
        """Apply one record in the caller's transaction, wherever it lies. Raises what speaks against it."""
        await self._handle(session, [self._received(place, record, dict(record.headers))])

    async def _one_by_one(self, batch: Batch, records: Records, cause: Exception) -> None:
        """Find the messages a batch fails on, by handling each in a savepoint of its own."""
        log.warning("batch_failed", consumer=self.name, error=repr(cause))
        originals = {(place, r.offset): r for place, rs in records.items() for r in rs}
        applied = 0
        async with transaction(self._sessions) as session:
            for one in batch.received:
                try:
                    async with session.begin_nested():
                        await self._handle(session, [one])
                    applied += 1
                except Exception as error:
                    if is_connection_error(error):
                        raise
                    forget(session)
                    record = originals[one.place, one.offset]
                    batch.refused.append(quarantine.Refused(one.place, record, "handler_failed", repr(error)))
            in_a_row = self._refused_in_a_row(len(batch.refused), applied)
            await quarantine.put(session, self.name, await self._kept(batch.refused))
            moved = await stream_positions.advance(session, self.name, self._cluster_id, batch.progress, 0.0)
            if moved != len(batch.progress):
                raise PositionLost(f"{self.name}: another owner moved on")
        self._in_a_row = in_a_row

    def _decode(self, records: Records) -> Batch:
        batch = Batch()
        for place, messages in records.items():
            before = self._positions.get(place)
            if before is None or not messages:
                continue
            progress = stream_positions.Progress(before=before, after=before)
            for record in messages:
                self._decode_one(place, record, progress, batch)
            progress.after = stream_positions.Position(messages[-1].offset + 1, progress.last_sequence)
            batch.progress[place] = progress
        return batch

    def _decode_one(
        self, place: TopicPartition, record: Record, progress: stream_positions.Progress, batch: Batch
    ) -> None:
        headers = dict(record.headers)
        try:
            if sequence := headers.get("ce_sequence"):
                stated = sequence.decode("ascii", "replace")
                at = _outbox_position(stated)
                if stated <= progress.last_sequence:
                    return
                progress.last_sequence = stated
                progress.positions.append(at)
            batch.received.append(self._received(place, record, headers))
        except quarantine.UnreadableError as error:
            batch.refused.append(quarantine.Refused(place, record, error.code, error.detail))

    def _received(self, place: TopicPartition, record: Record, headers: Headers) -> Received:
        decode = self._decoders.get(headers.get("ce_type") or b"")
        if decode is None:
            raise quarantine.UnreadableError("unknown_type", f"type {text(headers, 'ce_type')[:200]!r} is not known")
        value = record.value
        if value is None or len(value) > MAX_MESSAGE_BYTES:
            raise quarantine.UnreadableError("wrong_size", f"a value has 1 to {MAX_MESSAGE_BYTES} bytes")
        try:
            event = decode(value)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise quarantine.UnreadableError("undecodable", str(error)) from error
        return Received(event, headers, place, record.offset)

    def _refused_in_a_row(self, refused: int, applied: int) -> int:
        """Return how many were refused since one was applied. Raises TooManyQuarantined, before anything commits."""
        in_a_row = 0 if applied else self._in_a_row + refused
        if in_a_row > STOP_AFTER_QUARANTINED_IN_A_ROW:
            raise TooManyQuarantined(f"{self.name} refused {in_a_row} messages in a row")
        return in_a_row

    async def _tell_kafka(self, consumer: AIOKafkaConsumer) -> None:
        offsets = {p: at.next for p, at in self._positions.items() if p in consumer.assignment()}
        if not offsets:
            return
        try:
            await consumer.commit(offsets)
        except KafkaError as error:
            log.info("lag_not_told", consumer=self.name, error=repr(error))

    async def take(self, consumer: AIOKafkaConsumer, assigned: Collection[TopicPartition]) -> None:
        """Seek every assigned partition to the position stored in PostgreSQL."""
        places = [(p.topic, p.partition) for p in assigned]
        async with self._hands:
            async with transaction(self._sessions) as session:
                stored = await stream_positions.read(session, self.name, self._cluster_id, places)
                # What this process remembers was true of the partitions it held, and while it held them.
                forget(session)
            self._taken += 1
            self._positions = {TopicPartition(*place): at for place, at in stored.items()}
            self._seek(consumer, assigned)
        log.info("assigned", consumer=self.name, partitions=len(places))

    def _seek(self, consumer: AIOKafkaConsumer, held: Collection[TopicPartition]) -> None:
        for partition in self._positions.keys() & set(held):
            consumer.seek(partition, self._positions[partition].next)

    def leave(self, cause: Exception) -> None:
        """End this membership: without positions every record would be read and none applied."""
        self._not_taken = cause

    async def release(self) -> None:
        """Let go of every partition; what was not committed will be read again by the next owner."""
        async with self._hands:
            self._positions = {}


def _outbox_position(place: str) -> int:
    if _PLACE.fullmatch(place) is None:
        # Taken for a sequence it could be newer than all that follow, which would then be skipped.
        raise quarantine.UnreadableError("bad_sequence", f"{place[:100]!r} is not a place in an outbox")
    return position(place)


class _Seek(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka ships no types
    def __init__(self, owner: Consumer, consumer: AIOKafkaConsumer) -> None:
        self._owner = owner
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:  # noqa: ARG002 - aiokafka's
        await self._owner.release()

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        try:
            await self._owner.take(self._consumer, assigned)
        except Exception as error:  # noqa: BLE001 - the loop raises it; aiokafka would swallow it
            self._owner.leave(error)
