"""Where operators stand: classes with reasons, forecasts held against what happened, investigations proposed."""

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services.risk import standings
from services.risk.rule_values import RuleValues
from shared.auth import Role
from shared.database import kept
from shared.database import transaction as in_transaction
from shared.events.risk import InvestigationProposed, OperatorAssessed
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED, review, trade, transaction

SHOP = account_id("north", "shop")


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def assess(service: Service, at: datetime = PLACED + timedelta(days=1)) -> None:
    async with in_transaction(service.sessions) as session:
        await standings.assess(session, at=at)


async def operator(service: Service, shop: str = "shop") -> dict[str, Any]:
    answer: dict[str, Any] = (await service.get(f"/v1/operators/{account_id('north', shop)}")).json()
    return answer


def late(number: int, **fields: Any) -> Any:
    """Return a transaction whose parcel moved too early: a severe alert."""
    return transaction(order_ref=f"late{number}", match="time_order", buyer_ref=f"b{number}", **fields)


class TestClass:
    async def test_follows_from_alerts_and_says_which(self, risk: Service) -> None:
        await handle(risk, [late(n) for n in range(2)])

        await assess(risk)

        found = await operator(risk)
        assert found["risk_class"] == "C"
        assert found["points"] == pytest.approx(2 * 8 * 0.5 ** (1 / 90), abs=0.001)
        assert [(one["rule"], one["alerts"]) for one in found["reasons"]] == [("time_order", 2)]

    async def test_is_published_when_it_changes_and_only_then(self, risk: Service) -> None:
        await handle(risk, [late(n) for n in range(2)])
        await assess(risk)
        await assess(risk)

        await handle(risk, [late(n) for n in range(2, 9)])
        await assess(risk)

        changes = [
            msgspec.json.decode(one.data, type=OperatorAssessed) for one in await risk.published(OperatorAssessed)
        ]
        assert [(one.risk_class_before, one.risk_class) for one in changes] == [(None, "C"), ("C", "D")]

    async def test_weighs_confirmed_alerts_and_forgets_dismissed_ones(self, risk: Service) -> None:
        await handle(risk, [late(1), late(2)])
        ids = [one["id"] for one in (await risk.get("/v1/alerts")).json()["items"]]
        for alert, verdict in zip(ids, ("confirmed", "false_alarm"), strict=True):
            await risk.post(f"/v1/alerts/{alert}/verdict", {"verdict": verdict}, Role.REGULATOR, subject="anna")

        await assess(risk, PLACED)

        assert (await operator(risk))["points"] == pytest.approx(16.0)

    async def test_fades_with_time(self, risk: Service) -> None:
        await handle(risk, [late(n) for n in range(2)])
        await assess(risk)

        await assess(risk, PLACED + timedelta(days=360))

        assert (await operator(risk))["risk_class"] == "A"
        assert (await risk.get("/v1/summary")).json()["by_class"] == {"A": 1}


class TestInspections:
    async def test_are_drawn_more_often_of_worse_classes(self, risk: Service) -> None:
        await handle(risk, [late(n) for n in range(9)])
        await handle(risk, [transaction(order_ref="q", trade=trade(operator_ref="quiet"), match="amount_mismatch")])
        await assess(risk)
        quiet, stranger = account_id("north", "quiet"), account_id("north", "stranger")

        async with in_transaction(risk.sessions) as session:
            values = kept(session, RuleValues)
            await values.refresh(session)
            times = await standings.inspected_times(session, [SHOP, quiet, stranger, None], values, PLACED.date())

        assert times == [4.0, 1.0, 1.0, 1.0]


class TestForecast:
    async def test_is_held_against_what_happened(self, risk: Service) -> None:
        await handle(risk, [late(n) for n in range(2)])
        await handle(risk, [transaction(order_ref="q", match="amount_mismatch", trade=trade(operator_ref="quiet"))])
        await assess(risk)
        before = (await operator(risk))["probability"]

        at = PLACED + timedelta(days=10)
        await handle(risk, [late(7, placed_at=at, occurred_at=at)])
        await assess(risk, PLACED + timedelta(days=33))

        track = (await risk.get("/v1/forecasts")).json()
        assert before == 0.3
        assert (track["C"]["forecasts"], track["C"]["violated"], track["C"]["expected"]) == (1, 1, 0.3)
        assert track["C"]["brier"] == pytest.approx(0.49)
        assert (track["B"]["forecasts"], track["B"]["violated"]) == (1, 0)
        assert (await operator(risk))["probability"] == pytest.approx((1 + 0.3 * 20) / 21)

    async def test_is_made_once_a_week(self, risk: Service) -> None:
        await handle(risk, [late(1)])

        for day in (1, 2, 6, 8, 9):
            await assess(risk, PLACED + timedelta(days=day))

        rows = await risk.rows("SELECT made_on FROM forecasts ORDER BY made_on")
        assert [row["made_on"] for row in rows] == [(PLACED + timedelta(days=day)).date() for day in (1, 8)]


class TestInvestigation:
    async def test_is_proposed_once_where_severe_signals_agree(self, risk: Service) -> None:
        await handle(risk, [late(n) for n in range(2)])
        await handle(risk, [review(n, text_hash="same", text_length=40) for n in range(3)])

        await assess(risk)
        await assess(risk)

        [found] = (await risk.get("/v1/investigations")).json()["items"]
        assert found["operator_id"] == str(SHOP)
        assert {one["rule"] for one in found["reasons"]} == {"time_order", "review_text_repeated"}
        assert len(await risk.published(InvestigationProposed)) == 1

    async def test_is_not_proposed_for_one_kind_of_evidence(self, risk: Service) -> None:
        await handle(risk, [late(n) for n in range(9)])

        await assess(risk)

        assert (await operator(risk))["risk_class"] == "D"
        assert (await risk.get("/v1/investigations")).json()["items"] == []
