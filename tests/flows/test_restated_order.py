"""An order that is paid and then stated anew, from a platform's door to an alert, and a month that leaves it out."""

from services.risk.bookkeeping import update_books, verify_whole
from tests.flows.conftest import Marketplace
from tests.services.listings.factories import line, order_placed, payment_made
from tests.services.platform_events import event, send


async def lower(marketplace: Marketplace) -> None:
    """Let a platform send two paid orders, lower one of them, and leave the other out of its month."""
    listings, risk = marketplace.services["listings"], marketplace.services["risk"]
    await risk.rows("UPDATE rule_values SET value = 0 WHERE name = 'totals.grace'")
    other = {"order_ref": "hidden"}
    await send(
        listings, [order_placed(), payment_made(), order_placed(**other), payment_made(payment_ref="p2", **other)]
    )
    await marketplace.pump()
    await send(listings, [order_placed(lines=[line(unit_price_minor=1)])])
    month = {"month": "2026-03", "currency": "CNY", "orders": 1, "amount_minor": 1, "order_refs": ["order"]}
    assert (await send(risk, [event("totals.stated", month)])).json()["accepted"] == 1
    await marketplace.pump()
    await update_books(risk.sessions)


class TestRestatedOrder:
    async def test_becomes_an_alert_with_both_amounts(self, marketplace: Marketplace) -> None:
        await lower(marketplace)

        risk = marketplace.services["risk"]
        (alert,) = (await risk.get("/v1/alerts?rule=amount_restated")).json()["items"]
        assert alert["order_ref"] == "order"
        kinds = dict(one.split(":", 1) for one in alert["evidence"])
        assert int(kinds["before"].split()[0]) > int(kinds["after"].split()[0])
        (of_month,) = (await risk.get("/v1/alerts?rule=totals_orders")).json()["items"]
        assert "only_known:hidden" in of_month["evidence"]
        assert (await verify_whole(risk.sessions, "north", step=1)).broken_at is None

    async def test_delivered_again_changes_nothing_anywhere(self, marketplace: Marketplace) -> None:
        await lower(marketplace)
        await marketplace.pump()
        before = await marketplace.holdings()

        again = await marketplace.redeliver()
        await update_books(marketplace.services["risk"].sessions)

        assert again > 0
        assert await marketplace.holdings() == before
