"""CloudEvents over Kafka: both modes of the binding, and what a platform's own topic may bring."""

import json
from collections.abc import Sequence

import msgspec
from aiokafka import TopicPartition

from services.listings.intake import INGEST
from shared.events.base import Envelope
from shared.messaging import unpack
from shared.platform_topics import PlatformTopics, structured_form
from tests.contracts.vectors import vector_file
from tests.services.doors import OpenService, Service
from tests.services.inbox import assign, record
from tests.services.listings.factories import listing_published
from tests.services.platform_events import Json

PLACE = TopicPartition("platform.north.listings", 0)
Headers = Sequence[tuple[str, bytes | None]]


def scenario(number: int) -> tuple[bytes, list[list[tuple[str, str]]]]:
    """Return the payload of a scenario of the binding's feature file, and its tables."""
    text = vector_file("cloudevents/kafka-protocol-binding.feature").read_text(encoding="utf-8")
    part = text.split("Scenario")[number]
    payload = part.split('"""')[1].strip().encode()
    tables: list[list[tuple[str, str]]] = [[]]
    for line in part.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.strip().startswith("|") and cells[0] not in {"key", "contentType"}:
            tables[-1].append((cells[0], cells[-1]))
        elif tables[-1]:
            tables.append([])
    return payload, [table for table in tables if table]


def attributes_of(raw: bytes) -> dict[str, object]:
    event = json.loads(raw)
    assert event.pop("data") == {"message": "Hello World!"}
    return dict(event)


class TestStructuredForm:
    def test_joins_the_headers_of_the_binary_mode(self) -> None:
        payload, tables = scenario(1)
        headers, expected = tables[0], dict(tables[1])

        raw, kind = structured_form(record(payload, [(k, v.encode()) for k, v in headers], topic="t"))

        # JSON data is the default of the JSON form, so that its content type need not be repeated.
        assert attributes_of(raw) == {k: v for k, v in expected.items() if k != "datacontenttype"}
        assert kind == expected["type"]

    def test_joins_the_number_that_a_platform_counts_by(self) -> None:
        headers = [("ce_type", b"t"), ("ce_sequence", b"7"), ("ce_sequencetype", b"Integer")]

        raw, _ = structured_form(record(b"{}", headers, topic="t"))

        assert json.loads(raw) == {"type": "t", "sequence": "7", "sequencetype": "Integer", "data": {}}

    def test_reads_the_structured_mode(self) -> None:
        payload, tables = scenario(2)
        expected, examples = dict(tables[1]), [name for name, _ in tables[2]]

        for content_type in examples:
            one = record(payload, [("content-type", content_type.encode())], topic="t")
            raw, kind = structured_form(one)

            assert attributes_of(raw) == expected
            assert kind == expected["type"]
        assert len(examples) == 2


def binary(event: Json) -> tuple[bytes, Headers]:
    headers = [(f"ce_{name}", str(value).encode()) for name, value in event.items() if name != "data"]
    return json.dumps(event["data"]).encode(), [*headers, ("content-type", b"application/json")]


async def taken(service: Service, messages: Sequence[tuple[bytes | None, Headers]]) -> PlatformTopics:
    """Let the platform's topic of listings bring messages."""
    topics = PlatformTopics("listings", INGEST, "", service.sessions, keeps_unknown=True)
    await assign(topics, [PLACE.topic])
    records = [
        record(value, headers, topic=PLACE.topic, offset=offset) for offset, (value, headers) in enumerate(messages)
    ]
    await topics.apply({PLACE: records})
    return topics


async def codes(service: Service) -> list[str]:
    return [row["code"] for row in await service.rows('SELECT code FROM quarantine ORDER BY "offset"')]


class TestPlatformTopics:
    async def test_take_both_modes_into_the_accepted_log(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        in_binary, structured = listing_published(), listing_published()
        structured_headers: Headers = [("content-type", b"application/cloudevents+json; charset=utf-8")]

        await taken(service, [binary(in_binary), (json.dumps(structured).encode(), structured_headers)])

        (row,) = await service.rows("SELECT topic, body FROM outbox")
        decode = msgspec.json.Decoder(Envelope).decode
        assert [decode(m.value).id for m in unpack(row["body"])] == [in_binary["id"], structured["id"]]
        assert row["topic"] == "listings.accepted"

    async def test_take_an_event_once_whichever_way_it_comes(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        event = listing_published()

        await taken(service, [binary(event), (json.dumps(event).encode(), ())])

        (batch,) = await service.rows("SELECT duplicate, rejected FROM accepted_batches")
        assert (batch["duplicate"], batch["rejected"]) == (1, 0)

    async def test_quarantine_what_they_cannot_take_byte_for_byte(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        good = listing_published()
        foreign = listing_published(platform_id="south")
        unknown = {**listing_published(), "type": "platform.spaceship.launched.v1"}
        value, headers = binary(listing_published())
        escaping = value + b',"source":"/platforms/south"'
        messages: list[tuple[bytes | None, Headers]] = [
            (b"\x00\xff not json", ()),
            (None, ()),
            (None, headers),
            binary(foreign),
            binary(unknown),
            (escaping, headers),
            (value, [(name, None) for name, _ in headers]),
            (b'{"unknown": ' + b"[" * 100_000, ()),
            binary(good),
        ]

        await taken(service, messages)

        assert await codes(service) == [
            "malformed_json",
            "malformed_json",
            "malformed_json",
            "foreign_source",
            "unknown_type",
            "malformed_json",
            "foreign_source",
            "nesting_too_deep",
        ]
        (first, *_) = await service.rows('SELECT value FROM quarantine ORDER BY "offset"')
        assert first["value"] == b"\x00\xff not json"
        (accepted,) = await service.rows("SELECT event_id FROM accepted_events")
        assert accepted["event_id"] == good["id"]

    async def test_send_a_dead_letter_that_the_relay_can_read(self, open_service: OpenService) -> None:
        service = await open_service("listings")

        await taken(service, [(b"nonsense", [("no-value", None)])])

        (row,) = await service.rows("SELECT topic, body FROM outbox")
        (letter,) = unpack(row["body"])
        assert row["topic"] == f"{PLACE.topic}.listings-platforms.dlq"
        assert letter.value == b"nonsense"
        assert dict(letter.headers or [])["dlq_code"] == b"malformed_json"

    async def test_leave_the_types_of_other_services_to_them(self, open_service: OpenService) -> None:
        service = await open_service("listings")
        theirs = {**listing_published(), "type": "platform.operator.registered.v1"}

        topics = await taken(service, [binary(theirs)])

        assert await codes(service) == []
        assert topics._positions[PLACE].next == 1
