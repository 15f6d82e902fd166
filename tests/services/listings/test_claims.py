"""Offers screened for claims: told once for each version and kind of claim, with the places."""

from typing import Any

import msgspec
import pytest_asyncio

from shared.events.listings import ClaimFound
from shared.identifiers import account_id, listing_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import deliver_platform_events
from tests.services.listings.factories import listing_published, listing_withdrawn
from tests.services.platform_events import event, send


@pytest_asyncio.fixture
async def listings(open_service: OpenService) -> Service:
    return await open_service("listings")


async def claims_of(service: Service, *events: dict[str, Any]) -> list[ClaimFound]:
    assert (await send(service, list(events))).json()["rejected"] == []
    await deliver_platform_events(service)
    return [msgspec.json.decode(one.data, type=ClaimFound) for one in await service.published(ClaimFound)]


class TestClaims:
    async def test_are_told_with_account_law_and_places(self, listings: Service) -> None:
        offer = listing_published(title="Tea that cures cancer", description="It cures cancer and 根治糖尿病.")

        [claim] = await claims_of(listings, offer)

        assert (claim.listing_id, claim.account_id) == (listing_id("north", "lamp"), account_id("north", "shop"))
        assert (claim.code, claim.version) == ("medical_cure", 1)
        assert claim.articles == ["Advertising Law of China, arts. 16 and 17", "Directive 2005/29/EC, annex I no. 17"]
        assert [(place.field, place.start, place.end) for place in claim.places] == [
            ("title", 9, 21),
            ("description", 3, 15),
            ("description", 20, 22),
        ]

    async def test_are_told_once_for_each_version_and_kind(self, listings: Service) -> None:
        changed = {"listing_ref": "lamp", "operator_ref": "shop", "title": "World's best lamp, without side effects"}

        claims = await claims_of(
            listings,
            listing_published(title="World's best, simply the world's best lamp"),
            event("listing.changed", changed),
            event("listing.changed", changed | {"title": "A lamp"}),
            listing_withdrawn(),
        )

        assert [(claim.version, claim.code) for claim in claims] == [
            (1, "superlative"), (2, "guaranteed_effect"), (2, "superlative")
        ]  # fmt: skip
