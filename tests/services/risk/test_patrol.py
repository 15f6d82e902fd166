"""The patrol: rings, arranged trade and missing parcels in the orders of weeks, and what clears them."""

from collections.abc import Sequence
from datetime import timedelta
from random import Random
from uuid import UUID

import pytest_asyncio

from services.risk.patrol import go_round
from shared.events.listings import TransactionEvent
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED, later, trade, transaction

_DAYS = 20


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def order(
    number: int | str, shop: int | str, buyer: str, *, day: float, device: str | None = None, address: str | None = None
) -> TransactionEvent:
    """Return an order that was paid and shipped."""
    placed = PLACED + timedelta(days=day)
    return transaction(
        order_ref=f"o{number}",
        trade=trade(operator_ref=f"s{shop}"),
        buyer_ref=buyer,
        placed_at=placed,
        paid_at=placed,
        shipped_at=placed + timedelta(hours=9),
        parcels=1,
        payments=1,
        device_ref=device or f"device of {buyer}",
        address_ref=address or f"address of {buyer}",
    )


def market(orders: int = 1_200, *, shops: int = 60, buyers: int = 500, seed: int = 1) -> list[TransactionEvent]:
    """Return ordinary trade."""
    random = Random(seed)
    return [
        order(n, int(shops * random.random() ** 2), f"b{random.randrange(buyers)}", day=_DAYS * random.random())
        for n in range(orders)
    ]


def wide_market() -> list[TransactionEvent]:
    """Return trade in which a ring of a dozen buyers cannot be chance."""
    return market(3_000, shops=300, buyers=2_000)


def brushed(orders: int = 30) -> list[TransactionEvent]:
    """Return orders of three people on one device, twice a day for weeks."""
    return [
        order(f"x{n}", "x", f"x{n % 3}", day=n * _DAYS / orders, device="device", address="address")
        for n in range(orders)
    ]


def ring(buyers: Sequence[int], shops: Sequence[int], *, seed: int = 2, name: str = "r") -> list[TransactionEvent]:
    """Return orders by which buyers go together from shop to shop, and as many elsewhere."""
    random = Random(seed)
    together = [(buyer, shop) for shop in shops for buyer in buyers if random.random() < 0.8]
    elsewhere = [(buyer, random.randrange(300)) for buyer, _ in together[::2]]
    return [
        order(f"{name}{n}", shop, f"b{buyer}", day=_DAYS * random.random())
        for n, (buyer, shop) in enumerate(together + elsewhere)
    ]


async def alerted(service: Service, state: str = "open") -> set[tuple[str, UUID]]:
    rows = await service.rows("SELECT rule, account_id FROM alerts WHERE state = $1", state)
    return {(row["rule"], row["account_id"]) for row in rows}


async def rings(service: Service) -> list[dict[str, object]]:
    items: list[dict[str, object]] = (await service.get("/v1/rings?limit=200")).json()["items"]
    return items


class TestShops:
    async def test_are_alerted_where_the_same_few_keep_buying(self, risk: Service) -> None:
        await handle(risk, market() + brushed())

        await go_round(risk.sessions)

        shop = account_id("north", "sx")
        assert ("brushing_repeats", shop) in await alerted(risk)
        assert {account for rule, account in await alerted(risk) if rule.startswith("brushing")} == {shop}
        [alert] = (await risk.get(f"/v1/alerts?rule=brushing_repeats&account_id={shop}")).json()["items"]
        assert alert["contributions"][0]["feature"] == "repeat_improbability"
        assert alert["contributions"][0]["value"] > 6
        assert alert["evidence"]
        assert set(alert["evidence"]) <= {f"order:ox{n}" for n in range(30)}

    async def test_are_alerted_once_however_often_they_are_looked_at(self, risk: Service) -> None:
        await handle(risk, market() + brushed())
        await go_round(risk.sessions)
        first = len(await risk.published(AlertRaised))

        await go_round(risk.sessions)
        await handle(risk, [order("late", 1, "b1", day=_DAYS)])
        await go_round(risk.sessions)

        assert first > 0
        assert len(await risk.published(AlertRaised)) == first
        assert not await risk.published(AlertWithdrawn)

    async def test_are_cleared_when_later_orders_explain_them(self, risk: Service) -> None:
        await handle(risk, market() + brushed())
        await go_round(risk.sessions)
        ordinary = [order(f"y{n}", "x", f"b{n % 500}", day=_DAYS * n / 2_000) for n in range(2_000)]

        await handle(risk, ordinary)
        await go_round(risk.sessions)

        assert ("brushing_repeats", account_id("north", "sx")) in await alerted(risk, "withdrawn")

    async def test_keep_their_alert_when_the_evidence_has_grown_old(self, risk: Service) -> None:
        await handle(risk, market() + brushed())
        await go_round(risk.sessions)

        await handle(risk, [order(f"new{n}", "x", f"b{n}", day=_DAYS + 40) for n in range(20)])
        await go_round(risk.sessions)

        assert ("brushing_repeats", account_id("north", "sx")) in await alerted(risk)

    async def test_are_not_hidden_by_an_order_of_the_far_future(self, risk: Service) -> None:
        await handle(risk, [*market(), *brushed(), order("future", 3, "b3", day=36_500)])

        await go_round(risk.sessions)

        assert ("brushing_repeats", account_id("north", "sx")) in await alerted(risk)


class TestRings:
    async def test_are_found_and_keep_their_id_while_they_grow(self, risk: Service) -> None:
        await handle(risk, wide_market() + ring(range(12), range(250, 258)))
        await go_round(risk.sessions)
        [before] = await rings(risk)

        await handle(risk, ring(range(16), range(250, 259), seed=3, name="more"))
        await go_round(risk.sessions)

        [after] = await rings(risk)
        assert after["id"] == before["id"]
        assert len(after["buyers"]) > len(before["buyers"])  # type: ignore[arg-type]
        assert (await risk.get(f"/v1/rings/{after['id']}")).json() == after
        of_shop = (await risk.get(f"/v1/rings?account_id={account_id('north', 's250')}")).json()["items"]
        assert [one["id"] for one in of_shop] == [after["id"]]

    async def test_are_named_by_the_alerts_of_their_shops(self, risk: Service) -> None:
        await handle(risk, wide_market() + ring(range(12), range(250, 258)))

        await go_round(risk.sessions)

        [found] = await rings(risk)
        alerts = (await risk.get("/v1/alerts?rule=brushing_ring")).json()["items"]
        assert len(alerts) >= 6
        assert {alert["account_id"] for alert in alerts} <= set(found["accounts"])  # type: ignore[call-overload]
        assert {alert["evidence"][0] for alert in alerts} == {f"ring:{found['id']}"}


class TestParcels:
    async def test_that_never_came_are_alerted_and_cleared_when_they_do(self, risk: Service) -> None:
        unshipped = transaction(
            order_ref="opaid", trade=trade(operator_ref="s1"), paid_at=PLACED, payments=1, match="awaiting_documents"
        )
        cancelled = transaction(
            order_ref="ocancelled", trade=trade(operator_ref="s1"), paid_at=PLACED, payments=1, cancelled=True
        )
        await handle(risk, [unshipped, cancelled, order("recent", 2, "b2", day=8)])

        await go_round(risk.sessions)

        alerts = (await risk.get("/v1/alerts?rule=parcel_missing")).json()["items"]
        assert [alert["order_ref"] for alert in alerts] == ["opaid"]

        await handle(risk, [later(unshipped, parcels=1, shipped_at=PLACED + timedelta(days=8))])
        await go_round(risk.sessions)

        assert {rule for rule, _ in await alerted(risk, "withdrawn")} == {"parcel_missing"}


class TestSummary:
    async def test_says_what_the_patrol_has_not_seen(self, risk: Service) -> None:
        await go_round(risk.sessions)
        await handle(risk, market(20))
        before = (await risk.get("/v1/summary")).json()

        await go_round(risk.sessions)

        assert (await risk.get("/v1/summary")).json()["unpatrolled"] == 0
        assert before["rings"] == 0
