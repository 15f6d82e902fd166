"""A bad message is kept byte for byte and the partition moves on; mended, it is released by a command."""

import json
from collections.abc import AsyncIterator, Sequence
from typing import Any
from uuid import uuid4

import msgspec
import pytest_asyncio
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings.handlers import HANDLERS
from services.listings.settings import Settings
from services.listings.worker import consumers
from shared.consumer import Consumer, Handlers
from shared.database import driver
from shared.events.catalogue import EVENT_TYPES
from shared.events.platform import OrderCancelled
from shared.received import Received
from shared.releasing import release
from shared.topics import ensure_topics
from tests.conftest import NewSettings
from tests.faults.streams import QUICK, Headers, Stream, consuming, first_message, opened
from tests.services.listings.factories import listing_published, listing_withdrawn, order_placed

_WAITING = 'SELECT * FROM quarantine WHERE released_at IS NULL ORDER BY "offset"'


async def store_too_much(session: AsyncSession, received: Sequence[Received]) -> None:
    """Give a column what it cannot hold: asyncpg says so with an InterfaceError."""
    await (await driver(session)).fetchval("SELECT $1::int4", 1 << 40)


FAILING: Handlers = {**HANDLERS, OrderCancelled: store_too_much}


def headers_of(event: dict[str, Any]) -> Headers:
    """Return the headers of an event in Kafka's binary binding."""
    return [(f"ce_{name}", str(value).encode()) for name, value in event.items() if name != "data"]


def value_of(event: dict[str, Any]) -> bytes:
    return json.dumps(event["data"]).encode()


GOOD = headers_of(listing_published())
UNKNOWN = [("ce_type", b"platform.unicorn.sighted.v1"), ("odd", b"\x00\xff")]
CANCELLED = [("ce_type", OrderCancelled.type.encode()), ("ce_source", b"/platforms/north")]

# What is wrong, what is put on the topic, and the code it is kept under.
POISON: list[tuple[bytes | None, Headers, str]] = [
    (b"\xff\x00{not json", GOOD, "undecodable"),
    (b'{"listing_ref": 5}', GOOD, "undecodable"),
    (b'{"horn": 1}', UNKNOWN, "unknown_type"),
    (b'{"listing_ref": "' + b"x" * 4_000_000 + b'"}', GOOD, "wrong_size"),
    (b"", GOOD, "undecodable"),
    (b"no headers", [], "unknown_type"),
    (value_of(listing_withdrawn("never-published")), headers_of(listing_withdrawn()), "handler_failed"),
    (b'{"order_ref": "o", "cancelled_at": "2026-03-01T10:00:00Z"}', CANCELLED, "handler_failed"),
]


@pytest_asyncio.fixture
async def stream(new_settings: NewSettings, broker: str) -> AsyncIterator[Stream]:
    async with opened(await new_settings(Settings), broker) as stream:
        yield stream


async def new_consumer(stream: Stream) -> tuple[Consumer, str]:
    """Return a consumer of a topic of its own: the tests of a session share the broker."""
    name = f"poison-{uuid4().hex[:8]}"
    topic = f"{name}.accepted"
    await ensure_topics(stream.settings.kafka_bootstrap, 1, [topic])
    consumer = Consumer(
        name,
        bootstrap=stream.settings.kafka_bootstrap,
        sessions=stream.sessions,
        handlers=FAILING,
        known_types=EVENT_TYPES,
        topics=[topic],
        member=QUICK,
    )
    return consumer, topic


class TestPoison:
    async def test_is_kept_byte_for_byte_while_the_partition_moves_on(self, stream: Stream) -> None:
        consumer, topic = await new_consumer(stream)
        good = listing_published(listing_ref="after-the-poison")

        for number, (value, headers, _) in enumerate(POISON):
            await stream.put(topic, value, headers, key=b"\x00key-%d" % number)
        await stream.put(topic, value_of(good), headers_of(good))
        async with consuming(consumer):
            await stream.until("SELECT 1 FROM listings WHERE listing_ref = 'after-the-poison'")

        kept = await stream.rows(_WAITING)
        assert [(row["value"], row["code"]) for row in kept] == [(value, code) for value, _, code in POISON]
        for number, (row, (_, headers, _)) in enumerate(zip(kept, POISON, strict=True)):
            assert (row["consumer"], row["topic"], row["offset"]) == (consumer.name, topic, number)
            assert row["key"] == b"\x00key-%d" % number
            assert [tuple(header) for header in msgspec.msgpack.decode(row["headers"])] == list(headers)

    async def test_is_told_to_the_dead_letter_topic(self, stream: Stream) -> None:
        consumer, topic = await new_consumer(stream)

        await stream.put(topic, b"\xff\x00{not json", UNKNOWN, key=b"unicorn")
        async with consuming(consumer):
            letter = await first_message(stream.settings.kafka_bootstrap, f"{topic}.{consumer.name}.dlq")

        assert (letter.key, letter.value) == (b"unicorn", b"\xff\x00{not json")
        told = dict(letter.headers)
        assert told["odd"] == b"\x00\xff"
        assert told["dlq_code"] == b"unknown_type"
        assert b"unicorn" in told["dlq_detail"]

    async def test_stays_until_it_can_be_applied_and_is_then_applied_once(self, stream: Stream) -> None:
        consumer, topic = await new_consumer(stream)
        withdrawal = listing_withdrawn("late")
        await stream.put(topic, value_of(withdrawal), headers_of(withdrawal))
        async with consuming(consumer):
            await stream.until("SELECT 1 FROM quarantine")
            early = (await stream.rows(_WAITING))[0]["id"]
            refused = await release(stream.sessions, [consumer], early)

            publication = listing_published(listing_ref="late")
            await stream.put(topic, value_of(publication), headers_of(publication))
            await stream.until("SELECT 1 FROM listings WHERE listing_ref = 'late'")
        released = await release(stream.sessions, [consumer], early)

        assert refused is not None
        assert refused.startswith("handler_failed: UnknownListing")
        assert released is None
        assert await stream.rows(_WAITING) == []
        states = await stream.rows("SELECT state FROM listings WHERE listing_ref = 'late'")
        assert [row["state"] for row in states] == ["withdrawn"]


class TestPlatformTopics:
    async def test_bring_what_a_platform_produces_itself_into_its_transactions(self, stream: Stream) -> None:
        platform = f"far-{uuid4().hex[:8]}"
        topic = f"platform.{platform}.orders"
        structured = order_placed(platform_id=platform, order_ref="structured")
        binary = order_placed(platform_id=platform, order_ref="binary")
        foreign = order_placed(platform_id="somebody-else", order_ref="foreign")
        await ensure_topics(stream.settings.kafka_bootstrap, 1, ["listings.accepted", topic])

        await stream.put(topic, json.dumps(structured).encode(), [("content-type", b"application/cloudevents+json")])
        await stream.put(topic, value_of(foreign), headers_of(foreign), key=b"theirs")
        await stream.put(topic, value_of(binary), headers_of(binary))
        settings = stream.settings.model_copy(update={"kafka_session_timeout_ms": QUICK.session_timeout_ms})
        async with consuming(*consumers(Settings.model_validate(settings.model_dump()))):
            await stream.until("SELECT 1 FROM transactions HAVING count(*) = 2")

        stored = await stream.rows("SELECT platform_id, order_ref FROM transactions ORDER BY order_ref")
        assert [tuple(row) for row in stored] == [(platform, "binary"), (platform, "structured")]
        kept = await stream.rows(_WAITING)
        assert [(row["consumer"], row["code"], row["key"]) for row in kept] == [
            ("listings-platforms", "foreign_source", b"theirs")
        ]
        assert kept[0]["value"] == value_of(foreign)
