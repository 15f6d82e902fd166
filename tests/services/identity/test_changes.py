"""Changes of files: told by the names of fields, personal ones too, and never by what they say."""

import msgspec
import pytest_asyncio

from shared.events.identity import FileChanged
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_changed, operator_deregistered, operator_registered
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

MARCH = [f"2026-03-{day:02d}T00:00:00Z" for day in range(1, 9)]


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def told(service: Service, *events: Json) -> list[list[str]]:
    """Send events as one batch, and return the changes published so far."""
    assert (await send(service, list(events))).json()["rejected"] == []
    await deliver_platform_events(service)
    published = await service.published(FileChanged)
    return [msgspec.json.decode(event.data)["fields"] for event in published]


async def test_a_change_names_its_fields_and_a_file_that_says_the_same_makes_none(identity: Service) -> None:
    first = await told(identity, operator_registered(time=MARCH[0]))
    same = await told(identity, operator_changed(time=MARCH[1]))
    moved = await told(
        identity,
        operator_changed(
            time=MARCH[2], contacts={"address": "2 Harbour Road", "phone": "+86 10 5555 0100"}, mode="B2B"
        ),
    )

    assert (first, same) == ([], [])
    assert moved == [["contacts.address", "contacts.email", "mode"]]
    stored = str(await identity.rows("SELECT digests::text FROM file_digests"))
    assert "Harbour" not in stored + str(moved)


async def test_several_of_one_batch_are_told_one_after_the_other(identity: Service) -> None:
    changes = await told(
        identity,
        operator_registered(time=MARCH[0]),
        operator_changed(time=MARCH[1], representative="Han Meimei"),
        operator_changed(time=MARCH[2], representative="Han Meimei", bank_accounts=["6222 0000 0000 0001"]),
    )

    assert changes == [["representative"], ["bank_accounts"]]


async def test_an_account_that_comes_back_is_compared_with_what_it_was(identity: Service) -> None:
    await told(identity, operator_registered(time=MARCH[0]))

    changes = await told(
        identity,
        operator_deregistered("left", time=MARCH[1]),
        operator_registered(time=MARCH[2], legal_name="Lamp and Shade Ltd"),
    )

    assert changes == [["legal_name"]]


async def test_equal_values_of_two_accounts_have_nothing_in_common(identity: Service) -> None:
    await told(identity, operator_registered(), operator_registered(operator_ref="other"))

    one, other = await identity.rows("SELECT digests FROM file_digests")

    digests = [set(msgspec.json.decode(row["digests"]).values()) for row in (one, other)]
    assert not digests[0] & digests[1]
