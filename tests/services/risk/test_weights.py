"""Empty parcels: beside what other shops send of the category, over weeks, cleared when they are no more."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest_asyncio

from services.risk.patrol import go_round
from shared.events.listings import ListingRecorded, TransactionEvent
from shared.identifiers import account_id, listing_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED, later, trade, transaction

_SHOPS = 6


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def offer(shop: int, category: str | None = "toys", version: int = 1) -> ListingRecorded:
    return ListingRecorded(
        occurred_at=PLACED,
        listing_id=listing_id("north", f"l{shop}"),
        account_id=account_id("north", f"s{shop}"),
        platform_id="north",
        listing_ref=f"l{shop}",
        version=version,
        state="published",
        category=category,
    )


def sent(shop: int, grams: int | None, *, number: int = 0, quantity: int = 1) -> TransactionEvent:
    own = msgspec.structs.replace(trade(operator_ref=f"s{shop}"), listing_refs=[f"l{shop}"], quantity=quantity)
    at = PLACED + timedelta(hours=number)
    return transaction(
        order_ref=f"o{shop}-{number}",
        trade=own,
        buyer_ref=f"b{shop}-{number}",
        placed_at=at,
        shipped_at=at + timedelta(hours=5),
        parcels=1,
        weight_g=grams,
    )


def many(shop: int, grams: int, count: int = 12) -> list[TransactionEvent]:
    return [sent(shop, grams, number=number) for number in range(count)]


async def market(service: Service, *events: TransactionEvent) -> None:
    """Let six shops send toys of 300 g, and others what they send."""
    await handle(service, [offer(shop) for shop in [*range(_SHOPS), 9]])
    await handle(service, [event for shop in range(_SHOPS) for event in many(shop, 300)])
    await handle(service, events)
    await go_round(service.sessions)


async def alerted(service: Service, state: str = "open") -> list[dict[str, Any]]:
    items = (await service.get("/v1/alerts?rule=light_parcels")).json()["items"]
    return [one for one in items if one["state"] == state]


async def weighed(service: Service) -> Sequence[Any]:
    return await service.rows("SELECT rows FROM parcel_weights")


class TestLightParcels:
    async def test_of_a_shop_are_alerted_with_the_orders(self, risk: Service) -> None:
        await market(risk, *many(9, 30))

        (alert,) = await alerted(risk)

        assert alert["account_id"] == str(account_id("north", "s9"))
        assert alert["evidence"][:2] == ["weight:30 g of toys, at least 100 g expected", "order:o9-0"]
        values = {one["feature"]: one["value"] for one in alert["contributions"]}
        assert (values["light_parcels"], values["light_share"]) == (12, 1.0)

    async def test_are_none_where_goods_are_a_little_lighter(self, risk: Service) -> None:
        await market(risk, *many(9, 110))

        assert await alerted(risk) == []

    async def test_are_weighed_by_the_piece(self, risk: Service) -> None:
        await market(risk, *(sent(9, 200, number=number, quantity=10) for number in range(12)))

        assert len(await alerted(risk)) == 1

    async def test_are_cleared_when_the_offer_is_of_another_category(self, risk: Service) -> None:
        await market(risk, *many(9, 30))
        await handle(risk, [offer(9, "stickers", version=2), offer(9, "toys", version=1)])
        for shop in range(20, 26):
            await handle(risk, [offer(shop, "stickers"), *many(shop, 28)])

        await go_round(risk.sessions)

        assert await alerted(risk) == []
        assert len(await alerted(risk, "withdrawn")) == 1

    async def test_are_weighed_once_whichever_came_first(self, risk: Service) -> None:
        whole = sent(1, 300)
        await handle(risk, [offer(1), msgspec.structs.replace(whole, trade=None, placed_at=None)])
        assert len(await weighed(risk)) == 0

        await handle(risk, [later(whole)])
        await handle(risk, [later(later(whole), cancelled=True)])

        assert [row["rows"] for row in await weighed(risk)] == [1]

    async def test_of_unknown_weight_or_with_several_offers_are_not_weighed(self, risk: Service) -> None:
        mixed = sent(1, 300, number=2)
        two = later(mixed, trade=msgspec.structs.replace(trade(operator_ref="s1"), listing_refs=["l1", "l2"]))
        await handle(risk, [sent(1, None), two])

        assert len(await weighed(risk)) == 0
