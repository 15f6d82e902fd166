"""Offers that are held by identity's word, and let go by it."""

from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from shared.auth import Role
from shared.events.duties import OfferQualified, OfferRefused
from shared.events.listings import ListingAllowed, ListingHeld
from shared.identifiers import account_id, listing_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import deliver_platform_events, handle
from tests.services.platform_events import Json, event, send

MARCH = datetime(2026, 3, 1, tzinfo=UTC)
ABOUT: Any = {
    "occurred_at": MARCH,
    "listing_id": listing_id("north", "l-1"),
    "account_id": account_id("north", "shop"),
    "platform_id": "north",
    "listing_ref": "l-1",
}


@pytest_asyncio.fixture
async def listings(open_service: OpenService) -> Service:
    service = await open_service("listings")
    published = event(
        "listing.published",
        {"listing_ref": "l-1", "operator_ref": "shop", "title": "Noodles", "price_minor": 900, "currency": "CNY"},
    )
    assert (await send(service, [published])).json()["accepted"] == 1
    await deliver_platform_events(service)
    return service


async def shown(service: Service) -> Json:
    answer = await service.get("/v1/listings/north/l-1", Role.PLATFORM, platform_id="north")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def test_an_offer_that_is_refused_is_held_until_it_is_qualified(listings: Service) -> None:
    before = await shown(listings)
    refused = OfferRefused(**ABOUT, reasons=["qualification_missing_food_trade"])

    await handle(listings, [refused])
    held = await shown(listings)
    await handle(listings, [refused, OfferQualified(**ABOUT)])
    after = await shown(listings)

    assert (before["verdict"], before["held_for"]) == ("allowed", [])
    assert (held["verdict"], held["held_for"]) == ("held", ["qualification_missing_food_trade"])
    assert (after["verdict"], after["held_for"]) == ("allowed", [])
    assert len(await listings.published(ListingHeld)) == 2
    assert len(await listings.published(ListingAllowed)) == 1


async def test_an_offer_may_be_held_before_it_is_known_here(listings: Service) -> None:
    early = {**ABOUT, "listing_id": listing_id("north", "l-2"), "listing_ref": "l-2"}

    await handle(listings, [OfferRefused(**early, reasons=["qualification_missing_food_trade"])])
    published = event("listing.published", {"listing_ref": "l-2", "operator_ref": "shop", "title": "Rice"})
    await send(listings, [published])
    await deliver_platform_events(listings)

    answer = await listings.get("/v1/listings/north/l-2")
    assert answer.json()["verdict"] == "held"
