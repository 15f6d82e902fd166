"""Where a consumer reads from: what the database says, whatever Kafka was told."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from sqlalchemy.ext.asyncio import AsyncSession

from deploy.databases import plain
from deploy.kafka.cluster import KafkaCluster
from deploy.tokens import Issuer
from shared.consumer import Consumer
from shared.events.catalogue import EVENT_TYPES
from shared.events.platform import ListingPublished
from shared.messaging import sequence
from shared.received import Received
from shared.topics import ensure_topics
from tests.conftest import NewSettings
from tests.kafka.clusters import new_cluster
from tests.services.doors import Service, opening
from tests.services.listings.factories import listing_published

pytestmark = pytest.mark.kafka

TOPIC = "restored"
_MESSAGES = 10


@pytest_asyncio.fixture
async def cluster() -> AsyncIterator[KafkaCluster]:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        async with new_cluster(Path(directory), brokers=1) as cluster:
            yield cluster


@pytest_asyncio.fixture
async def listings(new_settings: NewSettings, issuer: Issuer) -> AsyncIterator[Service]:
    async with opening(new_settings, issuer) as open_service:
        yield await open_service("listings")


@asynccontextmanager
async def slow(service: Service) -> AsyncIterator[None]:
    """Let the database answer what it is asked about positions only after a while."""
    assert service.settings.owner_database_url is not None, "tests have the owner's"
    connection = await asyncpg.connect(plain(service.settings.owner_database_url))
    try:
        async with connection.transaction():
            await connection.execute("LOCK TABLE stream_offsets IN ACCESS EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def send_all(bootstrap: str) -> None:
    await ensure_topics(bootstrap, 1, [TOPIC])
    async with AIOKafkaProducer(bootstrap_servers=bootstrap) as producer:
        for number in range(_MESSAGES):
            event = listing_published(listing_ref=f"lamp-{number}")
            names = {"ce_id": event["id"], "ce_type": event["type"], "ce_source": event["source"]}
            headers = [(name, text.encode()) for name, text in names.items()]
            place = ("ce_sequence", sequence(7, number, 0))
            await producer.send_and_wait(
                TOPIC, msgspec.json.encode(event["data"]), partition=0, headers=[*headers, place]
            )


async def tell_kafka(bootstrap: str, offset: int) -> None:
    """Commit an offset as a member of the consumer's group that is gone by now."""
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, group_id=TOPIC, enable_auto_commit=False) as told:
        told.assign([TopicPartition(TOPIC, 0)])
        await told.commit({TopicPartition(TOPIC, 0): offset})


async def test_nothing_is_skipped_where_kafka_was_told_of_more_than_a_restored_database_has(
    listings: Service, cluster: KafkaCluster
) -> None:
    await send_all(cluster.bootstrap)
    await tell_kafka(cluster.bootstrap, 7)
    applied: list[str] = []
    through, stop = asyncio.Event(), asyncio.Event()

    async def note(_: AsyncSession, received: Sequence[Received]) -> None:
        applied.extend(one.event.listing_ref for one in received)
        if f"lamp-{_MESSAGES - 1}" in applied:
            through.set()

    consumer = Consumer(
        TOPIC,
        bootstrap=cluster.bootstrap,
        sessions=listings.sessions,
        handlers={ListingPublished: note},
        known_types=EVENT_TYPES,
        topics=[TOPIC],
    )
    async with slow(listings):
        running = asyncio.create_task(consumer.run(stop))
        # Long enough for Kafka to hand out what it believes to be next.
        await asyncio.sleep(5)
    await asyncio.wait_for(through.wait(), 60)
    stop.set()
    await running

    assert applied == [f"lamp-{number}" for number in range(_MESSAGES)]
