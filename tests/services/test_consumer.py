"""The consumer, mostly without Kafka: what a batch commits, what is quarantined, and what a second delivery changes."""

import asyncio
from collections.abc import Sequence
from uuid import uuid4

import msgspec
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer, ConsumerRecord, TopicPartition
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings.handlers import HANDLERS
from shared.consumer import STOP_AFTER_QUARANTINED_IN_A_ROW, Consumer, PositionLost, TooManyQuarantined
from shared.events.catalogue import EVENT_TYPES
from shared.events.platform import ListingPublished
from shared.messaging import sequence, unpack
from shared.received import Received
from shared.topics import ensure_topics
from tests.services.doors import OpenService, Service
from tests.services.inbox import assign, consumer_of, record
from tests.services.listings.factories import listing_published, listing_withdrawn
from tests.services.platform_events import Json

PLACE = TopicPartition("listings.accepted", 0)


@pytest_asyncio.fixture
async def listings(open_service: OpenService) -> Service:
    return await open_service("listings")


def headers(event: Json, number: int) -> list[tuple[str, bytes | None]]:
    return [
        ("ce_id", event["id"].encode()),
        ("ce_type", event["type"].encode()),
        ("ce_source", event["source"].encode()),
        ("ce_time", event["time"].encode()),
        ("ce_sequence", sequence(7, number, 0)),
    ]


def good(number: int, *, offset: int | None = None) -> ConsumerRecord:
    event = listing_published(listing_ref=f"lamp-{number}")
    at = number if offset is None else offset
    return record(msgspec.json.encode(event["data"]), headers(event, number), topic=PLACE.topic, offset=at)


def bad(value: bytes | None, number: int, **replaced: bytes | None) -> ConsumerRecord:
    event = listing_published()
    kept = {**dict(headers(event, number)), **replaced}
    return record(value, list(kept.items()), topic=PLACE.topic, offset=number)


async def codes(service: Service) -> list[str]:
    return [row["code"] for row in await service.rows('SELECT code FROM quarantine ORDER BY "offset"')]


async def listed(service: Service) -> int:
    (row,) = await service.rows("SELECT count(*) AS n FROM listings")
    return int(row["n"])


class TestApply:
    async def test_commits_effects_and_position_together(self, listings: Service) -> None:
        consumer = await consumer_of(listings)

        await consumer.apply({PLACE: [good(1), good(2)]})

        (position,) = await listings.rows("SELECT * FROM stream_offsets WHERE topic = $1", PLACE.topic)
        assert (position["next"], position["applied"]) == (3, 2)
        assert position["last_sequence"] == sequence(7, 2, 0).decode()
        assert await listed(listings) == 2

    async def test_changes_nothing_the_second_time(self, listings: Service) -> None:
        consumer = await consumer_of(listings)
        records = [good(1), good(2)]
        await consumer.apply({PLACE: records})

        again = [good(1, offset=3), good(2, offset=4)]
        await consumer.apply({PLACE: again})

        assert await listed(listings) == 2
        (versions,) = await listings.rows("SELECT max(version) AS most FROM listings")
        assert versions["most"] == 1

    async def test_stops_where_another_owner_has_moved_on(self, listings: Service) -> None:
        first, second = await consumer_of(listings), await consumer_of(listings)
        await first.apply({PLACE: [good(1)]})

        with pytest.raises(PositionLost):
            await second.apply({PLACE: [good(1), good(2)]})

        assert await listed(listings) == 1

    async def test_skips_what_it_was_not_assigned(self, listings: Service) -> None:
        consumer = await consumer_of(listings)
        await consumer.release()

        await consumer.apply({PLACE: [good(1)]})

        assert await listed(listings) == 0

    async def test_starts_again_on_another_cluster_and_drops_what_it_knows(self, listings: Service) -> None:
        consumer = await consumer_of(listings)
        await consumer.apply({PLACE: [good(1), good(2)]})

        seeker = await assign(consumer, [PLACE.topic])
        assert seeker.sought == {PLACE: 3}
        consumer._cluster_id = "another"
        await consumer.take(seeker, [PLACE])
        await consumer.apply({PLACE: [good(1, offset=0), good(2, offset=1), good(3, offset=2)]})

        assert seeker.sought == {PLACE: 0}
        assert await listed(listings) == 3


class TestFetching:
    async def test_reads_nothing_ahead_of_the_batch_in_hand(self, listings: Service, broker: str) -> None:
        topic = f"fetching-{uuid4()}"
        await ensure_topics(broker, 1, [topic])
        batches: list[list[str]] = []
        in_hand, let_go, through, stop = (asyncio.Event() for _ in range(4))

        async def hold(_: AsyncSession, received: Sequence[Received]) -> None:
            batches.append([one.event.listing_ref for one in received])
            in_hand.set()
            await let_go.wait()
            if "lamp-3" in batches[-1]:
                through.set()

        consumer = Consumer(
            topic,
            bootstrap=broker,
            sessions=listings.sessions,
            handlers={ListingPublished: hold},
            known_types=EVENT_TYPES,
            topics=[topic],
        )
        async with AIOKafkaProducer(bootstrap_servers=broker) as producer:
            await send(producer, topic, 1)
            running = asyncio.create_task(consumer.run(stop))
            await asyncio.wait_for(in_hand.wait(), 20)
            await send(producer, topic, 2)
            # Long enough for a fetch that should not be made.
            await asyncio.sleep(0.5)
            await send(producer, topic, 3)
            let_go.set()
            await asyncio.wait_for(through.wait(), 20)
        stop.set()
        await running

        assert batches == [["lamp-1"], ["lamp-2", "lamp-3"]]


async def send(producer: AIOKafkaProducer, topic: str, number: int) -> None:
    message = good(number)
    await producer.send_and_wait(topic, message.value, partition=0, headers=list(message.headers))


class TestPoison:
    async def test_is_quarantined_byte_for_byte_and_the_partition_moves_on(self, listings: Service) -> None:
        consumer = await consumer_of(listings)
        data = msgspec.json.encode(listing_published()["data"])
        records = [
            good(0),
            bad(b"\x00\xff", 1),
            bad(b'{"listing_ref": 5}', 2),
            bad(None, 3),
            bad(b"x" * 4_000_000, 4),
            bad(data, 5, ce_type=b"platform.spaceship.launched.v1"),
            bad(data, 6, ce_type=None),
            bad(data, 7, ce_time=b"yesterday"),
            bad(data, 8, ce_sequence=b"zzzz"),
            bad(data, 9, ce_sequence=b"f" * 28),
            bad(data, 10, ce_sequence=b"\xff\xfe"),
            bad(b"[" * 100_000, 11),
            good(12),
        ]

        await consumer.apply({PLACE: records})

        assert await codes(listings) == [
            *("undecodable", "undecodable", "wrong_size", "wrong_size", "unknown_type", "unknown_type"),
            *("handler_failed", "bad_sequence", "bad_sequence", "bad_sequence", "undecodable"),
        ]
        stored = await listings.rows('SELECT "offset", value, headers FROM quarantine ORDER BY "offset"')
        assert [row["value"] for row in stored] == [r.value or b"" for r in records[1:-1]]
        assert await listed(listings) == 2

    async def test_becomes_a_dead_letter_in_the_same_transaction(self, listings: Service) -> None:
        consumer = await consumer_of(listings)

        await consumer.apply({PLACE: [bad(b"nonsense", 1, ce_time=None)]})

        (row,) = await listings.rows("SELECT topic, body FROM outbox")
        (letter,) = unpack(row["body"])
        assert row["topic"] == "listings.accepted.listings.dlq"
        assert (letter.value, dict(letter.headers or [])["dlq_code"]) == (b"nonsense", b"undecodable")

    async def test_in_a_handler_costs_only_itself(self, listings: Service) -> None:
        consumer = await consumer_of(listings)
        withdrawn = listing_withdrawn("never-published")
        poison = record(msgspec.json.encode(withdrawn["data"]), headers(withdrawn, 2), topic=PLACE.topic, offset=2)

        await consumer.apply({PLACE: [good(1), poison, good(3)]})

        assert await codes(listings) == ["handler_failed"]
        assert await listed(listings) == 2

    async def test_that_does_not_end_stops_the_consumer(self, listings: Service) -> None:
        consumer = await consumer_of(listings)
        many = range(STOP_AFTER_QUARANTINED_IN_A_ROW + 1)

        with pytest.raises(TooManyQuarantined):
            await consumer.apply({PLACE: [bad(b"nonsense", number) for number in many]})

        assert await codes(listings) == []

    async def test_that_is_a_bad_deploy_stops_the_consumer_before_it_has_refused_everything(
        self, listings: Service
    ) -> None:
        async def broken(session: AsyncSession, received: Sequence[Received]) -> None:
            raise RuntimeError("a bad deploy")

        consumer = Consumer(
            "listings",
            bootstrap="",
            sessions=listings.sessions,
            handlers={**HANDLERS, ListingPublished: broken},
            known_types=EVENT_TYPES,
        )
        await assign(consumer, [PLACE.topic])

        async def deploy() -> None:
            for start in range(0, 5 * STOP_AFTER_QUARANTINED_IN_A_ROW, 200):
                await consumer.apply({PLACE: [good(number) for number in range(start, start + 200)]})

        with pytest.raises(TooManyQuarantined):
            await deploy()

        assert len(await codes(listings)) <= STOP_AFTER_QUARANTINED_IN_A_ROW
