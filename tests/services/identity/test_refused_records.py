"""What is refused of platforms' own topics: kept sealed, with its dead letter too, and taken once it is mended."""

import json
from collections.abc import Sequence
from typing import Any

from aiokafka import TopicPartition
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.intake import INGEST
from services.identity.refused_records import RefusedRecords
from shared.database import transaction
from shared.platform_topics import PlatformTopics
from shared.received import Received
from shared.releasing import record_of, release, waiting
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_registered
from tests.services.identity.test_personal import everything
from tests.services.inbox import assign, record
from tests.services.platform_events import Json

PLACE = TopicPartition("platform.north.files", 0)
SECRET: Any = {"representative": "欧阳思远", "contacts": {"phone": "+86 574 8765 4321"}}
WORDS = ("欧阳思远", "8765 4321", "very private")


async def topics_of(service: Service) -> PlatformTopics:
    vault = service.app.state.vault
    topics = PlatformTopics("identity", INGEST.sealed_by(vault.seal), "", service.sessions)
    topics.kept_in(RefusedRecords(vault))
    await assign(topics, [PLACE.topic])
    return topics


async def brought(topics: PlatformTopics, events: Sequence[Json]) -> None:
    """Let the platform's topic bring events, with a header that says more than it should."""
    headers = [("content-type", b"application/cloudevents+json"), ("note", b"very private")]
    key = "欧阳思远".encode()
    values = [json.dumps(event, ensure_ascii=False).encode() for event in events]
    records = [record(value, headers, topic=PLACE.topic, offset=n, key=key) for n, value in enumerate(values)]
    await topics.apply({PLACE: records})


def broken() -> Json:
    """Return a file that is refused for its country."""
    return operator_registered(jurisdiction="China", **SECRET)


async def test_nothing_of_what_was_refused_can_be_read_and_the_good_beside_it_is_taken(
    open_service: OpenService,
) -> None:
    service = await open_service("identity")
    topics = await topics_of(service)

    await brought(topics, [broken(), operator_registered(operator_ref="good", **SECRET)])

    (row,) = await service.rows("SELECT code, detail FROM quarantine")
    assert (row["code"], "/data/jurisdiction" in row["detail"]) == ("wrong_length", True)
    kept = await everything(service)
    assert "good" in kept
    for word in WORDS:
        assert word not in kept, word


async def test_a_handler_that_fails_leaves_nothing_readable_either(open_service: OpenService) -> None:
    service = await open_service("identity")
    topics = await topics_of(service)

    async def fails(session: AsyncSession, received: Sequence[Received]) -> None:
        raise ValueError("the disk is full")

    vars(topics)["_handle"] = fails
    await brought(topics, [broken()])

    (row,) = await service.rows("SELECT code FROM quarantine")
    assert row["code"] == "handler_failed"
    kept = await everything(service)
    for word in WORDS:
        assert word not in kept, word


async def test_it_is_opened_to_be_taken_again(open_service: OpenService) -> None:
    service = await open_service("identity")
    topics = await topics_of(service)
    await brought(topics, [broken()])
    async with transaction(service.sessions) as session:
        (held,) = await waiting(session)

    opened = await RefusedRecords(service.app.state.vault).opened_record("north", record_of(held))
    still = await release(service.sessions, [topics], held.id)

    assert json.loads(opened.value or b"")["data"]["representative"] == "欧阳思远"
    assert still is not None
    assert still.startswith("wrong_length")
