"""Alerts get their chance: described as they were raised, told beside the alert, listed by it."""

import asyncio
import math
from datetime import date, timedelta
from uuid import UUID

import pytest
import pytest_asyncio

from services.risk.chances import FEATURES, NUMBERS
from services.risk.chancing import keep_scoring
from shared.auth import Role
from shared.identifiers import derived_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import transaction
from tests.services.risk.judged import FIRST, NOW, SHOP, alert, history, known, learn, raised, score, told, waiting


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


class TestDescribed:
    async def test_by_what_was_known_when_it_was_raised(self, risk: Service) -> None:
        day = timedelta(days=1)
        other = {"rule": "order_surge", "severity": "low", "value": 300.0}
        await raised(
            risk,
            [
                alert(1, FIRST, verdict="confirmed", judged_at=FIRST + 2 * day),
                alert(2, FIRST + 20 * day, **other, verdict="false_alarm", judged_at=FIRST + 22 * day),
                alert(3, FIRST + 25 * day, verdict="confirmed", judged_at=FIRST + 60 * day),
                alert(4, FIRST + 27 * day, value=24.0, evidence=["order:a", "order:b"]),
                alert(5, FIRST + 28 * day),
                alert(
                    6,
                    FIRST + 10 * day,
                    account_id=derived_id("other"),
                    verdict="false_alarm",
                    judged_at=FIRST + 26 * day,
                ),
            ],
        )
        await risk.rows(
            "INSERT INTO day_features (account_id, day, version, content) VALUES ($1, $2, 1, ''), ($1, $3, 1, '')",
            SHOP,
            date(2026, 1, 8),
            date(2026, 3, 1),
        )
        for on, risk_class in ((date(2026, 1, 26), "B"), (date(2026, 1, 28), "D")):
            await risk.rows(
                "INSERT INTO forecasts (operator_id, made_on, risk_class, probability) VALUES ($1, $2, $3, 0.1)",
                SHOP,
                on,
                risk_class,
            )

        await score(risk)

        found = await known(risk, 4)
        assert found == {
            "severity": 2,
            "points": 40,
            "features": 1,
            "over_most": pytest.approx(math.log(4)),
            "over_least": pytest.approx(math.log(4)),
            "evidence": 2,
            "alerts_7d": 1,
            "alerts_30d": 3,
            "severe_30d": 2,
            "same_rule_30d": 2,
            "confirmed_before": 1,
            "dismissed_before": 1,
            "risk_class": 1,
            "age_days": 20,
            "rule_confirmed": 1,
            "rule_dismissed": 1,
            "rule_precision": 0.5,
        }
        first = await known(risk, 1)
        assert (first["alerts_30d"], first["rule_confirmed"], first["rule_precision"]) == (0, 0, 0.5)
        assert math.isnan(first["risk_class"])
        assert math.isnan(first["age_days"])

    async def test_the_same_whenever_that_is_done(self, open_service: OpenService) -> None:
        rows = history(60, seed=3)
        for row in rows:
            row["account_id"] = derived_id("shop", int(row["value"]) % 4)
        described = []
        for steps in (60, 1):
            service = await open_service("risk")
            for at in range(0, 60, 60 // steps):
                await raised(service, rows[at : at + 60 // steps])
                await score(service)
            found = await service.rows("SELECT known FROM alerts ORDER BY raised_at")
            described.append([[repr(number) for number in row["known"]] for row in found])

        assert described[0] == described[1]

    async def test_once_and_not_by_what_came_later(self, risk: Service) -> None:
        await raised(risk, [alert(1, FIRST)])
        await score(risk)
        before = await known(risk, 1)
        await risk.rows("UPDATE alerts SET contributions = '[]', evidence = '{}'")

        await score(risk)

        assert repr(await known(risk, 1)) == repr(before)

    async def test_of_an_order_in_the_stream(self, risk: Service) -> None:
        await handle(risk, [transaction(order_ref="o", payments=0, parcels=1, paid_minor=0)])

        await score(risk)

        (row,) = await risk.rows("SELECT known FROM alerts WHERE rule = 'shipped_unpaid'")
        assert dict(zip(NUMBERS, row["known"], strict=True))["features"] == 3


class TestAlerts:
    async def test_carry_their_chance_and_what_adds_up_to_it(self, risk: Service) -> None:
        await raised(risk, [*history(400), *waiting(5)])
        chancer = await score(risk)
        await learn(risk)
        await score(risk, chancer)

        for one in await told(risk, "&order=chance"):
            odds = sum(part["log_odds"] for part in one["chance_contributions"])
            assert one["chance_by"] == "alerts/1"
            assert one["chance_confirmed"] == pytest.approx(1 / (1 + math.exp(-odds)))
            assert one["chance_contributions"][-1]["feature"] == "base"
            assert {part["feature"] for part in one["chance_contributions"]} <= {*FEATURES, "base"}

    async def test_that_come_later_have_one_too(self, risk: Service) -> None:
        await raised(risk, history(400))
        chancer = await score(risk)
        await learn(risk)
        await score(risk, chancer)

        await raised(risk, waiting(2))
        await score(risk, chancer)

        assert [one["chance_by"] for one in await told(risk, "&order=chance")] == ["alerts/1"] * 2

    async def test_are_described_as_they_come_beside_the_patrol(self, risk: Service) -> None:
        stop = asyncio.Event()
        scoring = asyncio.create_task(keep_scoring(risk.sessions, stop))
        await raised(risk, [alert(1, FIRST)])

        for _ in range(400):
            if await risk.rows("SELECT 1 FROM alerts WHERE known IS NOT NULL"):
                break
            await asyncio.sleep(0.05)
        stop.set()
        await asyncio.wait_for(scoring, 20)

        assert (await known(risk, 1))["points"] == 40

    async def test_are_listed_by_it_page_by_page_and_none_is_hidden(self, risk: Service) -> None:
        await raised(risk, [*history(400), *waiting(9)])
        chancer = await score(risk)
        await learn(risk)
        await score(risk, chancer)
        await raised(risk, [alert(n, NOW) for n in (20_001, 20_002)])

        listed, query = [], "order=chance&limit=3"
        while True:
            page = (await risk.get(f"/v1/alerts?{query}")).json()
            listed += page["items"]
            if page["next"] is None:
                break
            query = f"order=chance&limit=3&cursor={page['next']}"

        chances = [one["chance_confirmed"] for one in listed]
        stated = [chance for chance in chances if chance is not None]
        assert (len(listed), len({one["id"] for one in listed})) == (11, 11)
        assert stated == sorted(stated, reverse=True)
        assert (len(stated), chances[-2:]) == (9, [None, None])
        assert stated[0] > 0.6
        assert stated[-1] < 0.4
        everywhere = await told(risk)
        assert {one["state"] for one in listed} == {"open"}
        assert {one["id"] for one in listed} <= {one["id"] for one in everywhere}

    async def test_are_judged_and_leave_the_list_with_the_chance_they_had(self, risk: Service) -> None:
        await raised(risk, [*history(400), *waiting(2)])
        chancer = await score(risk)
        await learn(risk)
        await score(risk, chancer)
        first, second = await told(risk, "&order=chance")

        await risk.post(f"/v1/alerts/{first['id']}/verdict", {"verdict": "confirmed"}, Role.REGULATOR)

        assert [one["id"] for one in await told(risk, "&order=chance")] == [second["id"]]
        shown = (await risk.get(f"/v1/alerts/{first['id']}")).json()
        assert shown["chance_confirmed"] == first["chance_confirmed"]

    async def test_of_a_shop_or_a_rule_are_listed_alone(self, risk: Service) -> None:
        await raised(
            risk, [alert(1, FIRST), alert(2, FIRST, rule="order_surge"), alert(3, FIRST, account_id=UUID(int=7))]
        )

        assert len(await told(risk, "&order=chance&rule=brushing_repeats")) == 2
        assert len(await told(risk, f"&order=chance&account_id={SHOP}")) == 2

    @pytest.mark.parametrize(
        "query", ["order=worst", "order=chance&cursor=nonsense", "order=chance&cursor=WyJhIiwiYiJd"]
    )
    async def test_are_not_listed_in_an_order_there_is_not(self, risk: Service, query: str) -> None:
        assert (await risk.get(f"/v1/alerts?{query}")).status_code == 422
