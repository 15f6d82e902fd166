"""Offers of categories that need a qualification: refused where their operator lacks it, in any order of arrival."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest_asyncio

from services.identity import offers
from shared.clock_store import fire_due
from shared.database import transaction
from shared.events.duties import OfferQualified, OfferRefused
from shared.events.listings import ListingRecorded
from shared.identifiers import account_id, listing_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_changed, operator_deregistered, operator_registered
from tests.services.inbox import deliver_platform_events, handle
from tests.services.platform_events import Json, send

FOOD = [{"kind": "food_trade", "number": "F-1", "expires_on": "2026-06-30"}]
DAYS = [f"2026-03-{day:02d}T00:00:00+00:00" for day in range(1, 9)]


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def told(service: Service, *events: Json) -> None:
    assert (await send(service, list(events))).json()["rejected"] == []
    await deliver_platform_events(service)


def offer(category: str | None = "Groceries", *, version: int = 1, at: str = DAYS[1], **says: Any) -> ListingRecorded:
    return ListingRecorded(
        occurred_at=datetime.fromisoformat(at),
        listing_id=listing_id("north", "l-1"),
        account_id=account_id("north", "shop"),
        platform_id="north",
        listing_ref="l-1",
        version=version,
        state=says.get("state", "published"),
        category=category,
    )


async def verdicts(service: Service) -> list[list[str] | None]:
    """Return what was published of the offer: the reasons of each refusal, None for what ended one."""
    events = await service.published(OfferRefused, OfferQualified)
    return [msgspec.json.decode(event.data).get("reasons") for event in events]


async def test_without_the_qualification_it_is_refused_and_with_it_no_longer(identity: Service) -> None:
    await told(identity, operator_registered(time=DAYS[0]))

    await handle(identity, [offer()])
    await told(identity, operator_changed(time=DAYS[2], qualifications=FOOD))
    await told(identity, operator_changed(time=DAYS[3], qualifications=FOOD, representative="Han Meimei"))

    assert await verdicts(identity) == [["qualification_missing_food_trade"], None]


async def test_that_comes_before_its_operator_is_refused_once_that_is_known(identity: Service) -> None:
    await handle(identity, [offer()])
    before = await verdicts(identity)

    await told(identity, operator_registered(time=DAYS[0]))

    assert (before, await verdicts(identity)) == ([], [["qualification_missing_food_trade"]])


async def test_with_one_that_has_expired_by_then_it_is_refused(identity: Service) -> None:
    await told(identity, operator_registered(time=DAYS[0], qualifications=FOOD))

    await handle(identity, [offer(at="2026-07-01T00:00:00+00:00")])

    assert await verdicts(identity) == [["qualification_expired_food_trade"]]


async def test_is_refused_on_the_day_after_its_qualification_ends_unless_that_was_renewed(identity: Service) -> None:
    food = [{"kind": "food_trade", "number": "F-1", "expires_on": "2026-06-30"}]
    renewed = [{"kind": "food_trade", "number": "F-2", "expires_on": "2028-06-30"}]
    await told(
        identity,
        operator_registered(time=DAYS[0], qualifications=food),
        operator_registered(time=DAYS[0], operator_ref="other", qualifications=food),
    )
    own = offer()
    others = msgspec.structs.replace(
        own, listing_id=listing_id("north", "l-2"), account_id=account_id("north", "other")
    )
    await handle(identity, [own, others])
    await told(identity, {**operator_changed(time=DAYS[3], operator_ref="other", qualifications=renewed)})

    await time_passes(identity, datetime(2026, 6, 30, 15, tzinfo=UTC))
    before = await verdicts(identity)
    for _ in "ab":
        await time_passes(identity, datetime(2026, 7, 2, tzinfo=UTC))

    assert (before, await verdicts(identity)) == ([], [["qualification_expired_food_trade"]])


async def time_passes(service: Service, until: datetime) -> None:
    async with transaction(service.sessions) as session:
        await fire_due(session, offers.FIRING, now=until, source="identity")


async def test_of_another_category_or_withdrawn_it_is_no_longer_refused(identity: Service) -> None:
    await told(identity, operator_registered(time=DAYS[0]))

    await handle(identity, [offer()])
    await handle(identity, [offer("Lamps", version=2, at=DAYS[2])])
    await handle(identity, [offer("食品", version=3, at=DAYS[3])])
    await handle(identity, [offer("食品", version=4, at=DAYS[4], state="withdrawn")])

    food = ["qualification_missing_food_trade"]
    assert await verdicts(identity) == [food, None, food, None]


async def test_an_older_version_that_comes_late_or_again_changes_nothing(identity: Service) -> None:
    await told(identity, operator_registered(time=DAYS[0]))

    await handle(identity, [offer("Lamps", version=2, at=DAYS[2]), offer(version=1), offer(version=3, at=DAYS[3])])
    await handle(identity, [offer("Lamps", version=2, at=DAYS[2])])

    assert await verdicts(identity) == [["qualification_missing_food_trade"]]


async def test_what_needs_nothing_and_whose_operator_has_ended_is_not_refused(identity: Service) -> None:
    await told(identity, operator_registered(time=DAYS[0]), operator_deregistered("left", time=DAYS[1]))

    await handle(identity, [offer(), offer(None), offer("Lamps")])

    assert await verdicts(identity) == []


async def test_is_asked_by_the_law_of_the_day_and_of_the_operators_country(identity: Service) -> None:
    await told(
        identity,
        operator_registered(time="2014-01-05T00:00:00Z", jurisdiction="CN"),
        operator_registered(time=DAYS[0], operator_ref="other", jurisdiction="DE", registration=None),
    )
    in_2014 = offer(at="2014-02-01T00:00:00+00:00")
    abroad = msgspec.structs.replace(
        offer(), listing_id=listing_id("north", "l-2"), account_id=account_id("north", "other")
    )

    await handle(identity, [in_2014, abroad])

    assert await verdicts(identity) == []
