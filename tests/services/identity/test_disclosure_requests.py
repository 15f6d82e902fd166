"""Who a seller is: demanded by a consumer, said by its platform in time, or a liability."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from services.identity import disclosure_requests
from shared.auth import Role
from shared.clock_store import fire_due
from shared.database import transaction
from shared.events.duties import DisclosureAnswered, DisclosureDefaulted, DisclosureRequested
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_registered
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

FRIDAY = "2026-03-20T02:00:00Z"
ANSWER = {"legal_name": "Lamp Trading Ltd", "address": "7 Quay Lane, Ningbo", "contact": "+86 574 5555 0188"}
DEMAND = {"platform_id": "north", "operator_ref": "shop", "order_ref": "o-1", "cause": "dispute"}


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def registered(service: Service, **data: Any) -> None:
    answer = await send(service, [operator_registered(time=FRIDAY, **data)])
    assert answer.json()["rejected"] == []
    await deliver_platform_events(service)


async def demand(service: Service, *, consumer: str = "c-1", **data: object) -> tuple[int, Json]:
    answer = await service.post("/v1/disclosure-requests", {**DEMAND, **data}, Role.CONSUMER, subject=consumer)
    return answer.status_code, answer.json()


async def answered(service: Service, request: Json, *, platform_id: str = "north", **data: object) -> tuple[int, Json]:
    path = f"/v1/disclosure-requests/{request['id']}/answer"
    answer = await service.post(path, {**ANSWER, **data}, Role.PLATFORM, platform_id=platform_id)
    return answer.status_code, answer.json()


async def reading(service: Service, request: Json, *, consumer: str = "c-1") -> tuple[int, Json]:
    path = f"/v1/disclosure-requests/{request['id']}/reading"
    answer = await service.post(path, {}, Role.CONSUMER, subject=consumer)
    return answer.status_code, answer.json()


async def time_passes(service: Service, until: datetime) -> None:
    async with transaction(service.sessions) as session:
        await fire_due(session, disclosure_requests.FIRING, now=until, source="identity")


class TestAnswer:
    async def test_reaches_the_consumer_who_asked_and_the_read_is_on_record(self, identity: Service) -> None:
        await registered(identity)
        status, request = await demand(identity)
        assert (status, request["state"]) == (201, "requested")
        assert len(await identity.published(DisclosureRequested)) == 1

        said, after = await answered(identity, request)
        opened, found = await reading(identity, request)

        assert (said, after["state"]) == (200, "answered")
        assert (opened, found["fields"]) == (201, ANSWER)
        assert len(await identity.published(DisclosureAnswered)) == 1
        reads = (await identity.get(f"/v1/personal-reads?account={account_id('north', 'shop')}")).json()["items"]
        assert (reads[0]["purpose"], reads[0]["role"], reads[0]["reader"]) == ("consumer_disclosure", "consumer", "c-1")

    async def test_is_stored_sealed(self, identity: Service) -> None:
        await registered(identity)
        _, request = await demand(identity)
        await answered(identity, request)

        stored = await identity.rows("SELECT disclosure_requests::text AS row FROM disclosure_requests")
        sent = await identity.rows("SELECT encode(body, 'escape') AS row FROM outbox")
        for text in ANSWER.values():
            assert text.split(",")[0] not in str(stored) + str(sent)

    @pytest.mark.parametrize("entity", ["company", "natural_person"])
    async def test_names_the_seller_and_nobody_else(self, identity: Service, entity: str) -> None:
        name = {"company": "Lamp Trading Ltd", "natural_person": "Zhang Weiming"}[entity]
        registration = {"company": {"scheme": "uscc", "number": "91110000600037341L"}, "natural_person": None}[entity]
        await registered(identity, entity_type=entity, legal_name=name, registration=registration)
        _, request = await demand(identity)

        status, problem = await answered(identity, request, legal_name="Umbrella Weaving Cooperative")

        assert (status, problem["code"], problem["pointer"]) == (422, "not_the_seller", "/legal_name")
        assert "Zhang" not in str(problem)
        assert (await answered(identity, request, legal_name=name))[0] == 200

    async def test_is_taken_for_a_seller_that_never_registered(self, identity: Service) -> None:
        _, request = await demand(identity, operator_ref="unheard-of")

        assert (await answered(identity, request))[0] == 200

    async def test_is_given_once(self, identity: Service) -> None:
        await registered(identity)
        _, request = await demand(identity)
        await answered(identity, request)

        status, problem = await answered(identity, request, address="another")

        assert (status, problem["code"]) == (409, "answered_before")

    @pytest.mark.parametrize(
        ("field", "value"), [("contact", "ask at the shop"), ("address", " "), ("legal_name", ""), ("contact", None)]
    )
    async def test_says_all_three(self, identity: Service, field: str, value: Any) -> None:
        await registered(identity)
        _, request = await demand(identity)

        status, problem = await answered(identity, request, **{field: value})

        assert (status, problem["pointer"]) == (422, f"/body/{field}")

    async def test_is_read_by_nobody_else(self, identity: Service) -> None:
        await registered(identity)
        _, request = await demand(identity)
        early = await reading(identity, request)
        await answered(identity, request)

        assert (early[0], early[1]["code"]) == (409, "not_answered")
        assert (await reading(identity, request, consumer="c-2"))[0] == 404
        assert (await answered(identity, request, platform_id="south"))[0] == 404
        path = f"/v1/disclosure-requests/{request['id']}"
        assert (await identity.get(path, Role.CONSUMER, subject="c-2")).status_code == 404
        assert (await identity.post(f"{path}/reading", {}, Role.REGULATOR)).status_code == 403


class TestDemand:
    async def test_asked_twice_is_one_until_it_is_answered(self, identity: Service) -> None:
        await registered(identity)
        _, first = await demand(identity)
        status, again = await demand(identity)
        _, others = await demand(identity, consumer="c-2")
        await answered(identity, first)
        later, fresh = await demand(identity)

        assert (status, again["id"]) == (200, first["id"])
        assert others["id"] != first["id"]
        assert (later, fresh["id"] != first["id"]) == (201, True)
        mine = await identity.get("/v1/disclosure-requests", Role.CONSUMER, subject="c-2")
        assert [item["id"] for item in mine.json()["items"]] == [others["id"]]

    async def test_ends_in_one_liability_when_nobody_answers_and_late_answers_do_not_undo_it(
        self, identity: Service
    ) -> None:
        await registered(identity)
        _, request = await demand(identity)
        await time_passes(identity, datetime.fromisoformat(request["due_at"]) - timedelta(seconds=1))
        before = await identity.published(DisclosureDefaulted)
        for _ in "ab":
            await time_passes(identity, datetime(2099, 1, 1, tzinfo=UTC))
        _, late = await answered(identity, request)

        assert before == []
        (event,) = await identity.published(DisclosureDefaulted)
        assert b"art. 44" in bytes(event.data)
        assert late["state"] == "answered_late"
        assert late["defaulted_at"] == request["due_at"]
        summary = (await identity.get("/v1/summary")).json()["disclosures"]
        assert summary == {"requested": 1, "answered": 1, "defaulted": 1}

    async def test_that_was_answered_never_becomes_one(self, identity: Service) -> None:
        await registered(identity)
        _, request = await demand(identity)
        await answered(identity, request)

        await time_passes(identity, datetime(2099, 1, 1, tzinfo=UTC))

        assert await identity.published(DisclosureDefaulted) == []
