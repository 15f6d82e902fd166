"""Risk's HTTP door: alerts, assessments, operators and rules, and who may read them."""

from datetime import date

import pytest
import pytest_asyncio

from shared.auth import Role
from shared.identifiers import account_id, new_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import transaction
from tests.services.risk.declaring import found, set_policy, stated

READERS = {Role.REGULATOR, Role.INSPECTOR, Role.CUSTOMS, Role.TAX, Role.ADMINISTRATOR}


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


class TestAlerts:
    async def test_are_paged_newest_first_and_come_once(self, risk: Service) -> None:
        for n in range(5):
            await handle(risk, [transaction(order_ref=str(n), match="time_order", buyer_ref=str(n))])

        seen: list[str] = []
        path: str | None = "/v1/alerts?limit=2"
        while path is not None:
            page = (await risk.get(path)).json()
            seen += [item["order_ref"] for item in page["items"]]
            path = f"/v1/alerts?limit=2&cursor={page['next']}" if page["next"] else None

        assert seen[:1] == ["4"]
        assert sorted(seen) == ["0", "1", "2", "3", "4"]

    async def test_are_found_by_account_and_by_rule(self, risk: Service) -> None:
        await handle(risk, [transaction(match="time_order")])
        shop, stranger = account_id("north", "shop"), new_id()

        own = (await risk.get(f"/v1/alerts?account_id={shop}")).json()["items"]
        others = (await risk.get(f"/v1/alerts?account_id={stranger}")).json()["items"]
        of_rule = (await risk.get("/v1/alerts?rule=time_order")).json()["items"]
        of_another = (await risk.get("/v1/alerts?rule=light_parcel")).json()["items"]

        assert [len(own), len(others), len(of_rule), len(of_another)] == [1, 0, 1, 0]
        assert (await risk.get(f"/v1/alerts/{own[0]['id']}")).json() == own[0]

    async def test_refuse_a_cursor_they_did_not_give(self, risk: Service) -> None:
        answer = await risk.get("/v1/alerts?cursor=nonsense")

        assert (answer.status_code, answer.json()["pointer"]) == (422, "/query/cursor")


class TestDeclarations:
    async def test_are_paged_newest_first_and_come_once(self, risk: Service) -> None:
        for n in range(5):
            await handle(risk, [stated(n)])

        seen: list[str] = []
        path: str | None = "/v1/declarations?limit=2"
        while path is not None:
            page = (await risk.get(path)).json()
            seen += [item["declaration_ref"] for item in page["items"]]
            path = f"/v1/declarations?limit=2&cursor={page['next']}" if page["next"] else None

        assert seen == [f"declaration-{n}" for n in (4, 3, 2, 1, 0)]

    async def test_are_found_by_channel_and_by_day(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=1.0)
        await handle(risk, [stated(1), stated(2, lodged_on=date(2026, 3, 3))])

        async def refs(query: str) -> list[str]:
            items = (await risk.get(f"/v1/declarations?{query}")).json()["items"]
            return sorted(item["declaration_ref"] for item in items)

        assert await refs("channel=inspection") == ["declaration-1", "declaration-2"]
        assert await refs("channel=release") == []
        assert await refs("day=2026-03-03") == ["declaration-2"]
        assert (await risk.get("/v1/declarations?channel=burn")).status_code == 422

    async def test_are_counted_with_what_was_found(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=1.0)
        await handle(risk, [stated(n) for n in range(4)])
        await handle(risk, [found(n, date(2026, 3, 3), violated=n == 0) for n in range(2)])

        counted = (await risk.get("/v1/summary")).json()["declarations"]

        assert (counted["lodged"], counted["by_channel"]) == (4, {"inspection": 4})
        assert (counted["inspected"], counted["violations"], counted["explored"]) == (2, 1, 2)
        assert (counted["hit_rate"], counted["explored_hit_rate"]) == (None, 0.5)
        assert counted["violation_rate_estimated"] == pytest.approx(0.5)

    async def test_weigh_what_was_found_by_how_improbable_it_was_to_be_inspected(self, risk: Service) -> None:
        await handle(risk, [stated(n) for n in range(3)])
        # One was certain to be inspected and two were drawn, each for ten others.
        for n, probability in enumerate((1.0, 0.1, 0.1)):
            await risk.rows(
                "UPDATE declarations SET channel = 'inspection', explored = $2, selection_probability = $3"
                " WHERE declaration_ref = $1",
                f"declaration-{n}",
                probability < 1,
                probability,
            )
        await handle(risk, [found(n, date(2026, 3, 3), violated=n < 2) for n in range(3)])

        counted = (await risk.get("/v1/summary")).json()["declarations"]

        assert (counted["hit_rate"], counted["explored_hit_rate"]) == (1.0, 0.5)
        assert counted["violation_rate_estimated"] == pytest.approx(11 / 21)

    async def test_have_no_rates_before_there_are_any(self, risk: Service) -> None:
        counted = (await risk.get("/v1/summary")).json()["declarations"]

        assert (counted["lodged"], counted["hit_rate"], counted["violation_rate_estimated"]) == (0, None, None)


class TestNotFound:
    @pytest.mark.parametrize(
        "path",
        ["/v1/alerts/{}", "/v1/operators/{}", "/v1/assessments/north/{}", "/v1/declarations/north/{}"],
    )
    async def test_is_a_problem_document(self, risk: Service, path: str) -> None:
        answer = await risk.get(path.format(new_id()))

        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        assert answer.headers["content-type"] == "application/problem+json"


class TestRules:
    async def test_are_shown_with_version_and_source(self, risk: Service) -> None:
        shown = (await risk.get("/v1/rules")).json()

        assert len(shown) >= 10
        assert all(rule["version"] == 1 and rule["source"] for rule in shown)


class TestReaders:
    async def test_are_those_who_supervise(self, risk: Service) -> None:
        for role in Role:
            for path in ("/v1/alerts", "/v1/rules", "/v1/summary", "/v1/declarations", "/v1/models"):
                answer = await risk.get(path, role, platform_id="north")

                assert answer.status_code == (200 if role in READERS else 403)
