"""Orders of one operator that are cancelled all at once: alerted once, for that day."""

import pytest_asyncio

from services.risk.bookkeeping import update_books
from services.risk.patrol import go_round
from shared.events.listings import TransactionEvent
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import later, trade, transaction


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def orders(shop: str, count: int) -> list[TransactionEvent]:
    return [
        transaction(order_ref=f"{shop}-{n}", trade=trade(operator_ref=shop), buyer_ref=f"b{n}") for n in range(count)
    ]


async def look(service: Service) -> list[dict[str, object]]:
    await update_books(service.sessions)
    await go_round(service.sessions)
    items: list[dict[str, object]] = (await service.get("/v1/alerts?rule=flags_flipped")).json()["items"]
    return items


class TestFlags:
    async def test_set_for_many_orders_of_a_shop_at_once_are_alerted_once(self, risk: Service) -> None:
        hidden, others = orders("hidden", 40), orders("others", 200)
        await handle(risk, [*hidden, *others])

        await handle(risk, [later(one, cancelled=True) for one in hidden[:30] + others[:3]])

        (alert,) = await look(risk)
        assert alert["account_id"] == str(account_id("north", "hidden"))
        assert "flag:cancelled" in alert["evidence"]  # type: ignore[operator]
        await handle(risk, [later(later(one, cancelled=True), cancelled=True) for one in hidden[:30]])
        assert [one["id"] for one in await look(risk)] == [alert["id"]]
        assert [row["flips"] for row in await risk.rows("SELECT flips FROM flag_days ORDER BY flips")] == [3, 30]

    async def test_of_orders_that_came_with_them_are_not(self, risk: Service) -> None:
        cancelled = [transaction(order_ref=f"c{n}", buyer_ref=f"b{n}", cancelled=True) for n in range(30)]
        await handle(risk, [*cancelled, *orders("others", 200)])

        assert await look(risk) == []
