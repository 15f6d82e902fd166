"""Declared values: held against what was paid for the order that a declaration names, in whatever order both come."""

from typing import Any

import pytest
import pytest_asyncio

from services.risk.patrol import go_round
from shared.events.listings import TransactionEvent
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import later, trade, transaction
from tests.services.risk.declaring import lodged, told

RULE = "undervalued_declaration"


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def paid(**fields: Any) -> TransactionEvent:
    """Return an order of goods for 100 yuan that is paid."""
    return transaction(**{"payments": 1, **fields})


async def declared(service: Service, value_minor: int, **data: Any) -> None:
    """Declare the goods of the order, and patrol."""
    await told(service, lodged(value_minor=value_minor, order_ref="order", **data))
    await go_round(service.sessions)


async def alerted(service: Service, state: str = "open") -> list[dict[str, Any]]:
    items = (await service.get(f"/v1/alerts?rule={RULE}")).json()["items"]
    return [one for one in items if one["state"] == state]


class TestDeclaredValue:
    async def test_far_below_what_was_paid_is_alerted_with_both_figures(self, risk: Service) -> None:
        await handle(risk, [paid()])

        await declared(risk, 3_000)

        (alert,) = await alerted(risk)
        assert (alert["account_id"], alert["order_ref"], alert["severity"]) == (
            str(account_id("north", "shop")),
            "order",
            "high",
        )
        assert alert["evidence"] == ["declaration:declaration-1", "declared:3000 CNY", "sold:10000 CNY", "order:order"]
        assert len(await risk.published(AlertRaised)) == 1

    async def test_comes_before_the_order_or_its_payment_as_well(self, risk: Service) -> None:
        await declared(risk, 3_000)
        await handle(risk, [unpaid := paid(payments=0, paid_minor=0)])
        await go_round(risk.sessions)
        before = await alerted(risk)

        await handle(risk, [later(unpaid, payments=1, paid_minor=10_000)])
        await go_round(risk.sessions)

        assert (before, len(await alerted(risk))) == ([], 1)

    async def test_holds_freight_to_be_part_of_the_price(self, risk: Service) -> None:
        await handle(risk, [paid(trade=trade(goods_minor=6_000, freight_minor=4_000))])

        await declared(risk, 4_900)

        assert len(await alerted(risk)) == 1

    @pytest.mark.parametrize(
        "stated",
        [
            {"value_minor": 10_000},
            {"value_minor": 5_000},
            {"value_minor": 900, "currency": "EUR"},
            {"value_minor": 3_000, "currency": "XTS"},
            {"value_minor": 3_000, "seller_ref": "another"},
        ],
    )
    async def test_that_can_be_true_is_no_alert(self, risk: Service, stated: dict[str, Any]) -> None:
        await handle(risk, [paid()])

        await declared(risk, **stated)

        assert await alerted(risk) == []

    async def test_in_another_currency_is_compared_at_the_rates_of_the_day(self, risk: Service) -> None:
        await handle(risk, [paid()])

        await declared(risk, 500, currency="EUR")

        assert len(await alerted(risk)) == 1

    async def test_of_no_seller_is_of_all_parts_of_the_order(self, risk: Service) -> None:
        both = {"parts": 2, "due_minor": 20_000}
        await handle(risk, [paid(part=0, **both), paid(part=1, **both)])

        await declared(risk, 9_000, seller_ref=None)

        (alert,) = await alerted(risk)
        assert "sold:20000 CNY" in alert["evidence"]

    async def test_stated_anew_is_compared_again(self, risk: Service) -> None:
        await handle(risk, [paid()])
        await declared(risk, 3_000)

        await declared(risk, 10_000)

        assert (len(await alerted(risk)), len(await alerted(risk, "withdrawn"))) == (0, 1)
        assert len(await risk.published(AlertWithdrawn)) == 1

    async def test_that_was_of_another_order_is_cleared(self, risk: Service) -> None:
        await handle(risk, [paid(), paid(order_ref="cheap", trade=trade(goods_minor=3_000))])
        await declared(risk, 3_000)

        await told(risk, lodged(value_minor=3_000, order_ref="cheap"))
        await go_round(risk.sessions)

        assert (len(await alerted(risk)), len(await alerted(risk, "withdrawn"))) == (0, 1)

    async def test_is_compared_once(self, risk: Service) -> None:
        await handle(risk, [paid()])
        await declared(risk, 3_000)

        await go_round(risk.sessions)

        assert await risk.rows("SELECT id FROM declarations WHERE NOT is_compared") == []
        assert len(await risk.published(AlertRaised)) == 1
