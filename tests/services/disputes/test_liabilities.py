"""Platforms that are to pay in a seller's place."""

from datetime import UTC, datetime

import pytest_asyncio

from shared.auth import Role
from shared.events.duties import DisclosureDefaulted
from shared.identifiers import account_id, new_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle


@pytest_asyncio.fixture
async def disputes(open_service: OpenService) -> Service:
    return await open_service("disputes")


def defaulted(platform_id: str = "north", consumer: str = "c-1") -> DisclosureDefaulted:
    return DisclosureDefaulted(
        occurred_at=datetime(2026, 3, 25, 16, tzinfo=UTC),
        request_id=new_id(),
        account_id=account_id(platform_id, "shop"),
        platform_id=platform_id,
        operator_ref="shop",
        consumer_ref=consumer,
        order_ref="o-1",
        source="Consumer Rights Protection Law, art. 44",
    )


async def listed(service: Service, role: Role, **who: str) -> list[str]:
    answer = await service.get("/v1/liabilities", role, **who)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


async def test_a_seller_that_was_not_disclosed_in_time_makes_its_platform_liable_once(disputes: Service) -> None:
    one, other = defaulted(), defaulted("south", "c-2")

    await handle(disputes, [one, other])
    await handle(disputes, [one])

    assert sorted(await listed(disputes, Role.REGULATOR)) == sorted([str(one.request_id), str(other.request_id)])
    assert await listed(disputes, Role.CONSUMER, subject="c-1") == [str(one.request_id)]
    assert await listed(disputes, Role.PLATFORM, platform_id="south") == [str(other.request_id)]
    page = (await disputes.get("/v1/liabilities?limit=1")).json()
    following = (await disputes.get(f"/v1/liabilities?limit=1&cursor={page['next']}")).json()
    assert {page["items"][0]["id"], following["items"][0]["id"]} == {str(one.request_id), str(other.request_id)}
    assert (page["items"][0]["ground"], following["next"]) == ("seller_not_disclosed", None)
