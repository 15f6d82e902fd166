"""Totals of months: held against the orders that were sent, alerted with both figures, cleared when corrected."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services.risk.bookkeeping import update_books
from shared.clock import utc_now
from shared.events.listings import TransactionEvent
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import later, transaction
from tests.services.platform_events import Json, event
from tests.services.risk.declaring import of_customs, post, told


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> AsyncIterator[Service]:
    service = await open_service("risk")
    await service.rows("UPDATE rule_values SET value = 0 WHERE name = 'totals.grace'")
    yield service


def totals(orders: int, amount_minor: int | None = None, **data: Any) -> Json:
    """Return what a platform says its March comes to."""
    stated = {
        "month": "2026-03",
        "currency": "CNY",
        "orders": orders,
        "amount_minor": 10_000 * orders if amount_minor is None else amount_minor,
        **data,
    }
    return event("totals.stated", stated)


async def state(service: Service, *events: Json) -> None:
    """Send totals and compare them."""
    await told(service, *events)
    await update_books(service.sessions)


async def sent(service: Service, orders: int = 3) -> None:
    await handle(service, [transaction(order_ref=f"o{number}") for number in range(orders)])
    await update_books(service.sessions)


async def alerted(service: Service, state: str = "open") -> dict[str, dict[str, Any]]:
    items = (await service.get("/v1/alerts")).json()["items"]
    return {one["rule"]: one for one in items if one["state"] == state}


class TestTotals:
    async def test_that_agree_are_no_alert(self, risk: Service) -> None:
        await sent(risk)

        await state(risk, totals(3))

        assert await alerted(risk) == {}

    @pytest.mark.parametrize(
        ("orders", "amount_minor", "rule"),
        [
            (4, 40_000, "totals_over"),
            (3, 31_000, "totals_over"),
            (2, 20_000, "totals_under"),
            (3, 29_000, "totals_under"),
        ],
    )
    async def test_that_differ_are_alerted_with_both_figures(
        self, risk: Service, orders: int, amount_minor: int, rule: str
    ) -> None:
        await sent(risk)

        await state(risk, totals(orders, amount_minor))

        found = await alerted(risk)
        assert set(found) == {rule}
        assert found[rule]["account_id"] is None
        assert found[rule]["window_start"] == "2026-03-01T00:00:00Z"
        assert "month:2026-03 CNY" in found[rule]["evidence"]
        assert f"stated:{orders} orders, {amount_minor} CNY" in found[rule]["evidence"]
        assert "known:3 orders, 30000 CNY" in found[rule]["evidence"]
        values = {one["feature"]: one["value"] for one in found[rule]["contributions"]}
        assert (values["stated_orders"], values["known_orders"]) == (orders, 3)

    async def test_are_cleared_when_they_are_corrected(self, risk: Service) -> None:
        await sent(risk)
        await state(risk, totals(2))

        await state(risk, totals(3))

        assert set(await alerted(risk, "withdrawn")) == {"totals_under"}
        assert await alerted(risk) == {}

    async def test_are_cleared_when_the_missing_order_comes(self, risk: Service) -> None:
        await sent(risk, 2)
        await state(risk, totals(3))

        await sent(risk, 0)
        await handle(risk, [transaction(order_ref="late")])
        await update_books(risk.sessions)

        assert set(await alerted(risk, "withdrawn")) == {"totals_over"}

    async def test_corrected_to_what_still_differs_are_told_anew(self, risk: Service) -> None:
        await sent(risk)
        await state(risk, totals(1))

        await state(risk, totals(2))

        assert "stated:2 orders, 20000 CNY" in (await alerted(risk))["totals_under"]["evidence"]
        assert len(await risk.published(AlertRaised)) == 2
        assert len(await risk.published(AlertWithdrawn)) == 1

    async def test_are_compared_once_however_often_books_are_kept(self, risk: Service) -> None:
        await sent(risk)
        await state(risk, totals(2))

        await update_books(risk.sessions)
        await update_books(risk.sessions)

        assert len(await risk.published(AlertRaised)) == 1
        (seen,) = await risk.rows("SELECT sum(rows) AS rows FROM rule_days WHERE code = 'totals_under'")
        assert seen["rows"] == 1

    async def test_wait_for_orders_that_are_under_way(self, risk: Service) -> None:
        await risk.rows("UPDATE rule_values SET value = 1 WHERE name = 'totals.grace'")
        await sent(risk)

        await state(risk, totals(4))

        assert await alerted(risk) == {}

    async def test_name_the_orders_that_one_side_lacks(self, risk: Service) -> None:
        await sent(risk)

        await state(risk, totals(3, order_refs=["o0", "o1", "hidden"]))

        found = await alerted(risk)
        assert set(found) == {"totals_orders"}
        assert {"only_stated:hidden", "only_known:o2"} <= set(found["totals_orders"]["evidence"])

    async def test_of_another_currency_or_platform_are_others(self, risk: Service) -> None:
        usd = transaction(order_ref="usd", currency="USD", due_minor=500)
        await handle(risk, [transaction(), usd, transaction(platform_id="south")])
        await update_books(risk.sessions)

        await state(risk, totals(1, order_refs=["order"]), totals(1, 500, currency="USD", order_refs=["usd"]))

        assert await alerted(risk) == {}


class TestTotalsOfAnOperator:
    async def test_that_agree_are_no_alert(self, risk: Service) -> None:
        await sent(risk)

        await state(risk, totals(3, operator_ref="shop"))

        assert await alerted(risk) == {}

    @pytest.mark.parametrize(
        ("orders", "amount_minor", "rule"),
        [(4, 40_000, "operator_totals_over"), (3, 29_000, "operator_totals_under")],
    )
    async def test_that_differ_are_alerted_of_the_operator(
        self, risk: Service, orders: int, amount_minor: int, rule: str
    ) -> None:
        await sent(risk)

        await state(risk, totals(orders, amount_minor, operator_ref="shop"))

        found = await alerted(risk)
        assert set(found) == {rule}
        assert found[rule]["account_id"] == str(account_id("north", "shop"))
        assert f"stated:{orders} orders, {amount_minor} CNY" in found[rule]["evidence"]
        assert "known:3 orders, 30000 CNY" in found[rule]["evidence"]

    async def test_hold_its_own_part_of_orders_only(self, risk: Service) -> None:
        parts = [part_of("shop", 4_000, 0), part_of("other", 6_000, 1)]
        await handle(risk, parts)
        await update_books(risk.sessions)

        own = totals(1, 4_000, operator_ref="shop"), totals(1, 6_000, operator_ref="other")
        await state(risk, totals(1, 10_000), *own)

        assert await alerted(risk) == {}

    async def test_follow_an_order_that_is_anothers_by_now(self, risk: Service) -> None:
        placed = part_of("shop", 4_000, 0)
        await handle(risk, [placed])
        await handle(risk, [later(placed, trade=part_of("other", 4_000, 0).trade)])
        await update_books(risk.sessions)

        await state(risk, totals(1, 4_000, operator_ref="other"))

        assert await alerted(risk) == {}
        (month,) = await months_of(risk, "shop")
        assert (month["known_orders"], month["known_amount_minor"]) == (0, 0)

    async def test_that_nothing_was_sent_of_is_alerted(self, risk: Service) -> None:
        await state(risk, totals(1, 500, operator_ref="unseen"))

        assert set(await alerted(risk)) == {"operator_totals_over"}

    async def test_are_cleared_when_the_missing_order_comes(self, risk: Service) -> None:
        await sent(risk, 2)
        await state(risk, totals(3, operator_ref="shop"))

        await handle(risk, [transaction(order_ref="late")])
        await update_books(risk.sessions)

        assert set(await alerted(risk, "withdrawn")) == {"operator_totals_over"}

    async def test_of_more_operators_than_are_compared_at_once_are_all_compared(
        self, risk: Service, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("services.risk.totals.MOST_COMPARED", 2)

        await state(risk, *(totals(1, 500, operator_ref=f"unseen-{number}") for number in range(5)))

        items = (await risk.get("/v1/alerts")).json()["items"]
        assert len(items) == 5

    async def test_are_listed_by_account_and_not_among_the_platforms(self, risk: Service) -> None:
        await sent(risk)
        await state(risk, totals(2, operator_ref="shop"))

        (own,) = await months_of(risk, "shop")
        (whole,) = (await risk.get("/v1/totals/north")).json()

        assert (own["stated_orders"], own["known_orders"]) == (2, 3)
        assert (whole["stated_orders"], whole["known_orders"]) == (None, 3)


async def months_of(service: Service, operator_ref: str) -> list[dict[str, Any]]:
    account = account_id("north", operator_ref)
    found: list[dict[str, Any]] = (await service.get(f"/v1/totals/north?account_id={account}")).json()
    return found


def part_of(operator_ref: str, goods_minor: int, part: int) -> TransactionEvent:
    """Return an operator's part of an order of two."""
    whole = transaction(part=part, parts=2)
    assert whole.trade is not None
    account = account_id("north", operator_ref)
    own = msgspec.structs.replace(
        whole.trade, account_id=account, operator_ref=operator_ref, goods_minor=goods_minor, freight_minor=0
    )
    return msgspec.structs.replace(whole, trade=own)


class TestMonth:
    async def test_counts_an_order_once_with_its_newest_amount(self, risk: Service) -> None:
        two = [transaction(part=part, parts=2) for part in (0, 1)]
        await handle(risk, two)
        await handle(risk, [later(one, due_minor=12_000) for one in two])
        await update_books(risk.sessions)

        (month,) = (await risk.get("/v1/totals/north")).json()

        assert (month["month"], month["known_orders"], month["known_amount_minor"]) == ("2026-03-01", 1, 12_000)
        assert month["stated_orders"] is None

    async def test_follows_an_order_whose_time_is_stated_anew(self, risk: Service) -> None:
        placed = transaction()
        moved = later(placed, placed_at=placed.placed_at + timedelta(days=40))  # type: ignore[operator]
        await handle(risk, [placed, moved])
        await update_books(risk.sessions)

        months = (await risk.get("/v1/totals/north")).json()

        assert [(one["month"], one["known_orders"]) for one in months] == [("2026-04-01", 1)]

    async def test_does_not_count_an_order_that_is_not_known_yet(self, risk: Service) -> None:
        paid = transaction(trade=None, placed_at=None, match="payment_without_lines")
        await handle(risk, [paid])
        await update_books(risk.sessions)

        assert (await risk.get("/v1/totals/north")).json() == []


class TestStatement:
    @pytest.mark.parametrize(
        ("data", "code", "field"),
        [
            ({"month": "2026-13"}, "invalid_month", "month"),
            ({"month": "2026/03"}, "invalid_month", "month"),
            ({"month": "2026-3"}, "wrong_length", "month"),
            ({"month": "9999-12"}, "month_not_over", "month"),
            ({"month": "1989-12"}, "date_out_of_range", "month"),
            ({"month": f"{utc_now():%Y-%m}"}, "month_not_over", "month"),
            ({"currency": "XYZ"}, "unknown_currency", "currency"),
            ({"orders": -1}, "out_of_range", "orders"),
            ({"order_refs": ["a", "a", "b"]}, "contradiction", "order_refs"),
            ({"order_refs": ["a", "b", "c"], "operator_ref": "shop"}, "contradiction", "order_refs"),
        ],
    )
    async def test_with_a_value_that_cannot_be_is_refused_alone(
        self, risk: Service, data: dict[str, Any], code: str, field: str
    ) -> None:
        wrong = totals(3)
        wrong["data"].update(data)

        (refused,) = await post(risk, wrong, totals(3))

        assert (refused["index"], refused["code"], refused["pointer"]) == (0, code, f"/data/{field}")

    async def test_is_a_platforms_alone(self, risk: Service) -> None:
        customs = of_customs("platform.totals.stated.v1", totals(3)["data"], platform_id=None)

        (refused,) = await post(risk, customs)

        assert refused["code"] == "foreign_totals"
