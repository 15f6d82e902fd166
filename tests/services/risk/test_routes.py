"""Risk's HTTP door: alerts, assessments, operators and rules, and who may read them."""

import pytest
import pytest_asyncio

from shared.auth import Role
from shared.identifiers import account_id, new_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import transaction

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


class TestNotFound:
    @pytest.mark.parametrize("path", ["/v1/alerts/{}", "/v1/operators/{}", "/v1/assessments/north/{}"])
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
            for path in ("/v1/alerts", "/v1/rules", "/v1/summary"):
                answer = await risk.get(path, role, platform_id="north")

                assert answer.status_code == (200 if role in READERS else 403)
