"""Figures of a rule: how many alerts a day, how soon they are judged, how many are right and how much they find."""

from datetime import timedelta
from typing import Any

import pytest_asyncio

from shared.auth import Role
from shared.clock import utc_now
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import transaction


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def judge(service: Service, rule: str, order_ref: str, verdict: str) -> None:
    (row,) = await service.rows("SELECT id FROM alerts WHERE rule = $1 AND order_ref = $2", rule, order_ref)
    answer = await service.post(f"/v1/alerts/{row['id']}/verdict", {"verdict": verdict}, Role.REGULATOR)
    assert answer.status_code == 200, answer.text


async def figures(service: Service, rule: str = "light_parcel") -> dict[str, Any]:
    found: dict[str, Any] = (await service.get(f"/v1/rules/{rule}/1/figures")).json()
    return found


def light(order_ref: str) -> Any:
    return transaction(order_ref=order_ref, weight_g=5, parcels=1)


def late(order_ref: str) -> Any:
    return transaction(order_ref=order_ref, match="time_order")


class TestFigures:
    async def test_of_a_rule_whose_alerts_nobody_judged_say_so(self, risk: Service) -> None:
        await handle(risk, [light("a")])

        found = await figures(risk)

        assert (found["alerts"], found["open"], found["unjudged"]) == (1, 1, 1)
        assert (found["precision"], found["recall"], found["recall_of"]) == (None, None, 0)
        assert found["median_hours_to_verdict"] is None

    async def test_have_what_it_found_of_all_that_was_confirmed(self, risk: Service) -> None:
        await handle(risk, [light("a"), light("b"), light("c"), late("d"), late("e")])
        await judge(risk, "light_parcel", "a", "confirmed")
        await judge(risk, "light_parcel", "b", "false_alarm")
        await judge(risk, "time_order", "d", "confirmed")
        await judge(risk, "time_order", "e", "unclear")

        found = await figures(risk)

        assert (found["confirmed"], found["false_alarms"], found["precision"]) == (1, 1, 0.5)
        assert (found["recall"], found["recall_of"]) == (0.5, 2)
        assert found["unjudged"] == 1

    async def test_count_what_another_rule_was_confirmed_of_as_found_where_it_alerted_too(self, risk: Service) -> None:
        both = transaction(order_ref="both", match="time_order", weight_g=5, parcels=1)
        await handle(risk, [both])
        await judge(risk, "time_order", "both", "confirmed")

        found = await figures(risk)

        assert (found["recall"], found["recall_of"]) == (1.0, 1)
        assert found["confirmed"] == 0

    async def test_leave_out_what_was_confirmed_before_the_rule_was_in_force(self, risk: Service) -> None:
        await handle(risk, [light("a"), late("b")])
        await judge(risk, "light_parcel", "a", "confirmed")
        await judge(risk, "time_order", "b", "confirmed")
        await risk.rows("UPDATE alerts SET raised_at = '2015-05-05' WHERE order_ref = 'b'")

        assert (await figures(risk))["recall_of"] == 1

    async def test_have_alerts_by_day_and_how_long_verdicts_took(self, risk: Service) -> None:
        await handle(risk, [light("a"), light("b"), light("c")])
        await judge(risk, "light_parcel", "a", "confirmed")
        await risk.rows("UPDATE alerts SET raised_at = raised_at - interval '2 days' WHERE order_ref = 'a'")
        await risk.rows("UPDATE alerts SET raised_at = raised_at - interval '40 days' WHERE order_ref = 'c'")

        found = await figures(risk)

        days = [(one["day"], one["alerts"], one["confirmed"]) for one in found["days"]]
        today = utc_now().date()
        assert days == [((today - timedelta(days=2)).isoformat(), 1, 1), (today.isoformat(), 1, 0)]
        assert 47.9 < found["median_hours_to_verdict"] < 48.1
        assert found["alerts"] == 3
