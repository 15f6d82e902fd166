"""How far readers are behind a service's topics: what back-pressure and dashboards go by."""

import asyncio
from collections.abc import Iterable

import asyncpg
import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.clock import wait
from shared.database import CONNECTION_ERRORS
from shared.topics import PARTITIONS, SUBSCRIPTIONS

log = structlog.get_logger(__name__)

EVERY_SECONDS = 1.0
_STORE = "UPDATE relay_cursors SET lag = $2 WHERE outbox = $1"


async def watch(service: str, dsn: str, bootstrap: str, stop: asyncio.Event) -> None:
    """Store the lag of the slowest reader of a service's topics, every second until told to stop."""
    readers = {
        reader: [TopicPartition(topic, partition) for topic in topics for partition in range(PARTITIONS)]
        for reader, all_topics in SUBSCRIPTIONS.items()
        if (topics := [topic for topic in all_topics if topic.partition(".")[0] == service])
    }
    while readers and not stop.is_set():
        try:
            await _measure(service, dsn, bootstrap, readers, stop)
        except (*CONNECTION_ERRORS, asyncpg.PostgresError, KafkaError, TimeoutError) as error:
            log.info("lag_unknown", outbox=service, error=repr(error))
            await wait(stop, EVERY_SECONDS)


async def _measure(
    service: str, dsn: str, bootstrap: str, readers: dict[str, list[TopicPartition]], stop: asyncio.Event
) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    consumer = AIOKafkaConsumer(bootstrap_servers=bootstrap)
    connection = await asyncpg.connect(dsn, timeout=5, command_timeout=10)
    try:
        await admin.start()
        await consumer.start()
        while not await wait(stop, EVERY_SECONDS):
            ends = await consumer.end_offsets({place for places in readers.values() for place in places})
            lags = [await _lag(admin, reader, places, ends) for reader, places in readers.items()]
            await connection.execute(_STORE, service, max(lags))
    finally:
        connection.terminate()
        await admin.close()
        await consumer.stop()


async def _lag(
    admin: AIOKafkaAdminClient, reader: str, places: Iterable[TopicPartition], ends: dict[TopicPartition, int]
) -> int:
    stored = await admin.list_consumer_group_offsets(reader, partitions=list(places))
    # A broker that came back empty may know offsets beyond its end: nothing is behind there.
    return sum(max(0, ends[place] - max(at.offset, 0)) for place, at in stored.items())
