"""Leaks of personal data: reported, told to whom the law says in time, or overdue."""

from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from services.identity import breaches
from shared.auth import Role
from shared.clock_store import fire_due
from shared.database import transaction
from shared.events.identity import BreachClosed, BreachOverdue, BreachReported
from shared.identifiers import account_id, new_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_registered
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

SHOP = str(account_id("north", "shop"))
LEAK = {
    "incident_ref": "inc-7",
    "found_at": "2026-03-02T08:00:00Z",
    "data_kinds": ["name", "phone"],
    "persons": 1200,
    "jurisdictions": ["DE", "CN"],
}


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def reported(service: Service, *, role: Role = Role.PLATFORM, **data: object) -> tuple[int, Json]:
    answer = await service.post("/v1/breaches", {**LEAK, **data}, role, platform_id="north")
    return answer.status_code, answer.json()


async def acted(service: Service, breach: Json, kind: str, *, platform_id: str = "north", **data: object) -> Any:
    body = {"kind": kind, "evidence": "letter 7", "at": "2026-03-02T10:00:00Z", **data}
    answer = await service.post(f"/v1/breaches/{breach['id']}/acts", body, Role.PLATFORM, platform_id=platform_id)
    return answer.status_code, answer.json()


async def file_of(service: Service, breach: Json) -> Json:
    answer = await service.get(f"/v1/breaches/{breach['id']}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def time_passes(service: Service, until: datetime) -> None:
    async with transaction(service.sessions) as session:
        await fire_due(session, breaches.FIRING, now=until, source="identity")


async def test_each_jurisdiction_has_its_own_deadlines_by_the_law_of_the_day(identity: Service) -> None:
    status, breach = await reported(identity)

    duties = {(one["what"], one["jurisdiction"]): one for one in (await file_of(identity, breach))["duties"]}

    assert status == 201
    # The stricter of the general value and the country's own: four hours in China, three days in the Union.
    assert {key: one["due_at"] for key, one in duties.items()} == {
        ("breach.authority", "CN"): "2026-03-02T12:00:00Z",
        ("breach.authority", "DE"): "2026-03-05T08:00:00Z",
        ("breach.persons", "CN"): "2026-03-05T08:00:00Z",
        ("breach.persons", "DE"): "2026-03-09T08:00:00Z",
    }
    assert "GDPR, art. 33" in duties["breach.authority", "DE"]["source"]
    assert len(await identity.published(BreachReported)) == 1


async def test_in_an_earlier_year_the_law_of_then_counts(identity: Service) -> None:
    _, breach = await reported(identity, found_at="2023-03-02T08:00:00Z", jurisdictions=["CN"])

    dues = [one["due_at"] for one in (await file_of(identity, breach))["duties"]]

    assert dues == ["2023-03-03T08:00:00Z", "2023-03-05T08:00:00Z"]


async def test_what_is_not_told_in_time_is_overdue_once_and_may_be_done_late(identity: Service) -> None:
    _, breach = await reported(identity)
    await acted(identity, breach, "authority_notified", jurisdiction="DE")

    for _ in "ab":
        await time_passes(identity, datetime(2026, 3, 6, tzinfo=UTC))
    await acted(identity, breach, "authority_notified", jurisdiction="CN", at="2026-03-07T08:00:00Z")

    overdue = await identity.published(BreachOverdue)
    assert len(overdue) == 2
    duties = {(one["what"], one["jurisdiction"]): one for one in (await file_of(identity, breach))["duties"]}
    late = duties["breach.authority", "CN"]
    assert (late["overdue_at"], late["done_at"]) == ("2026-03-02T12:00:00Z", "2026-03-07T08:00:00Z")
    assert duties["breach.authority", "DE"]["overdue_at"] is None


async def test_is_closed_once_it_is_contained_and_everybody_was_told(identity: Service) -> None:
    _, breach = await reported(identity)

    await acted(identity, breach, "authority_notified")
    await acted(identity, breach, "contained")
    await acted(identity, breach, "persons_notified", jurisdiction="CN")
    open_still = (await file_of(identity, breach))["breach"]["closed_at"]
    _, after = await acted(identity, breach, "persons_spared", jurisdiction="DE", evidence="all was encrypted")

    assert (open_still, after["breach"]["closed_at"]) == (None, "2026-03-02T10:00:00Z")
    assert [one["kind"] for one in after["acts"]] == [
        "authority_notified",
        "contained",
        "persons_notified",
        "persons_spared",
    ]
    assert len(await identity.published(BreachClosed)) == 1
    status, problem = await acted(identity, breach, "assessed")
    assert (status, problem["code"]) == (409, "breach_is_closed")
    await time_passes(identity, datetime(2099, 1, 1, tzinfo=UTC))
    assert await identity.published(BreachOverdue) == []


async def test_of_this_installation_names_what_is_held_of_the_accounts_concerned(identity: Service) -> None:
    await send(identity, [operator_registered()])
    await deliver_platform_events(identity)

    _, breach = await reported(identity, role=Role.ADMINISTRATOR, accounts=[SHOP])

    found = await file_of(identity, breach)
    assert found["breach"]["platform_id"] == ""
    (affected,) = found["affected"]
    assert affected["account_id"] == SHOP
    assert {"representative", "contacts.phone", "contacts.address"} <= set(affected["fields"])


async def test_reported_twice_is_one_and_otherwise_is_refused(identity: Service) -> None:
    _, first = await reported(identity)
    status, again = await reported(identity, jurisdictions=["CN", "DE", "CN"])
    refused, problem = await reported(identity, persons=9)

    assert (status, again["id"]) == (201, first["id"])
    assert (refused, problem["code"]) == (409, "incident_reported_before")
    assert len(await identity.published(BreachReported)) == 1


async def test_platforms_see_and_report_their_own_only(identity: Service) -> None:
    _, breach = await reported(identity)
    south: Any = {"platform_id": "south"}

    assert (await reported(identity, platform_id="south"))[0] == 403
    assert (await acted(identity, breach, "contained", **south))[0] == 404
    assert (await identity.get("/v1/breaches", Role.PLATFORM, **south)).json()["items"] == []
    assert (await identity.get(f"/v1/breaches/{new_id()}")).status_code == 404
    assert (await identity.post("/v1/breaches", LEAK, Role.CONSUMER)).status_code == 403


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"found_at": "2026-03-02T08:00:00"}, "found_at"),
        ({"persons": -1}, "persons"),
        ({"data_kinds": ["shoe size"]}, "data_kinds/0"),
        ({"jurisdictions": ["Germany"]}, "jurisdictions/0"),
        ({"jurisdictions": []}, "jurisdictions"),
    ],
)
async def test_refusals_name_the_field(identity: Service, data: Json, field: str) -> None:
    status, problem = await reported(identity, **data)

    assert (status, problem["pointer"]) == (422, f"/body/{field}")


async def test_an_act_for_persons_whom_it_does_not_concern_is_refused(identity: Service) -> None:
    _, breach = await reported(identity)

    status, problem = await acted(identity, breach, "persons_notified", jurisdiction="FR")

    assert (status, problem["code"], problem["pointer"]) == (422, "no_such_duty", "/body/jurisdiction")


@pytest.mark.parametrize("at", ["2026-03-02T07:59:59Z", "2190-01-01T00:00:00Z"])
async def test_an_act_before_the_discovery_or_to_come_is_refused(identity: Service, at: str) -> None:
    _, breach = await reported(identity)

    status, problem = await acted(identity, breach, "contained", at=at)

    assert (status, problem["code"], problem["pointer"]) == (422, "act_out_of_order", "/body/at")
    assert (await file_of(identity, breach))["acts"] == []
