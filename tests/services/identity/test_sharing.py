"""What is handed in once: each department sees its own part, signed, and nobody is asked again."""

import base64
import json
from typing import Any

import pytest
import pytest_asyncio

from shared.auth import Role
from shared.identifiers import new_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_changed, operator_registered
from tests.services.identity.shops import shop
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

JANUARY, FEBRUARY = "2026-01-05T00:00:00Z", "2026-02-05T00:00:00Z"
FILE: Any = {
    "bank_accounts": ["6222 0000 0000 0001"],
    "devices": ["dev-1"],
    "shop_urls": ["https://north.example/shop"],
}


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def registered(service: Service, *events: Json) -> str:
    """Register a merchant and return its operator."""
    await send(service, list(events) or [operator_registered(time=JANUARY, **FILE)])
    await deliver_platform_events(service)
    (row, *_) = await service.rows("SELECT operator_id FROM accounts ORDER BY updated_at")
    return str(row["operator_id"])


async def asked(service: Service, operator: str, role: Role, **data: object) -> tuple[int, Json]:
    answer = await service.post("/v1/projections", {"operator_id": operator, **data}, role)
    return answer.status_code, answer.json()


def said(token: str) -> Any:
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


async def checked(service: Service, token: str) -> Json:
    answer = await service.client.post("/public/v1/projections/verification", json={"projection": token})
    found: Json = answer.json()
    return found


class TestProjection:
    async def test_holds_what_the_department_may_see_and_nothing_else(self, identity: Service) -> None:
        operator = await registered(identity)

        seen = {}
        for role in (Role.CUSTOMS, Role.TAX, Role.REGULATOR):
            status, answer = await asked(identity, operator, role)
            assert status == 201
            (seen[role],) = said(answer["projection"])["accounts"]

        common = {"legal_name", "entity_type", "jurisdiction", "registration"}
        assert set(seen[Role.CUSTOMS]["file"]) == common | {"customs_registration", "mode"}
        assert set(seen[Role.TAX]["file"]) == common | {"shop_urls"}
        assert set(seen[Role.REGULATOR]["file"]) == common | {"licence", "mode", "qualifications", "shop_urls"}
        # Without a purpose nothing personal, and it says what there would be.
        assert {one["personal"] == {} for one in seen.values()} == {True}
        assert seen[Role.TAX]["withheld"] == ["bank_accounts", "contacts.address", "contacts.phone"]
        assert seen[Role.CUSTOMS]["withheld"] == ["contacts.address"]

    async def test_holds_personal_data_for_a_purpose_and_the_read_is_on_record(self, identity: Service) -> None:
        operator = await registered(identity)

        _, answer = await asked(identity, operator, Role.TAX, purpose="tax_administration", reason="audit 3")

        (account,) = said(answer["projection"])["accounts"]
        assert account["personal"] == {
            "bank_accounts": '["6222 0000 0000 0001"]',
            "contacts.address": "1 Harbour Road",
            "contacts.phone": "+86 10 5555 0100",
        }
        (read,) = (await identity.get("/v1/personal-reads")).json()["items"][:1]
        assert (read["role"], read["purpose"], read["reason"]) == ("tax", "tax_administration", "audit 3")

    async def test_is_signed_for_its_department(self, identity: Service) -> None:
        operator = await registered(identity)
        _, answer = await asked(identity, operator, Role.CUSTOMS)

        good = await checked(identity, answer["projection"])
        head, payload, signature = answer["projection"].split(".")
        changed = await checked(identity, f"{head}.{payload[:-2]}AA.{signature}")
        badge = await checked(identity, "not.a.token")

        assert (good["holds"], good["department"], good["operator_id"]) == (True, "customs", operator)
        assert (changed["holds"], badge["holds"]) == (False, False)

    async def test_of_an_operator_with_many_accounts_can_be_checked_too(self, identity: Service) -> None:
        registration = {"scheme": "uscc", "number": "91110000600037341L"}
        many = [shop(f"s-{n}", registration=registration, legal_name="Lamp Trading Ltd") for n in range(120)]
        operator = await registered(identity, *many)

        _, answer = await asked(identity, operator, Role.REGULATOR)

        assert len(said(answer["projection"])["accounts"]) == 120
        assert (await checked(identity, answer["projection"]))["holds"]

    @pytest.mark.parametrize(
        ("role", "data", "status"),
        [
            (Role.PLATFORM, {}, 403),
            (Role.CONSUMER, {}, 403),
            (Role.CUSTOMS, {"purpose": "tax_administration", "reason": "curious"}, 403),
            (Role.CUSTOMS, {"purpose": "customs_control"}, 422),
            (Role.CUSTOMS, {"known": "everything"}, 422),
            (Role.CUSTOMS, {"operator_id": str(new_id())}, 404),
        ],
    )
    async def test_is_refused(self, identity: Service, role: Role, data: Json, status: int) -> None:
        operator = await registered(identity)

        answer = await identity.post("/v1/projections", {"operator_id": operator, **data}, role, platform_id="north")

        assert answer.status_code == status
        assert (await meter(identity))["requests"] == 0


async def meter(service: Service) -> Json:
    answer = await service.get("/v1/sharing")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


class TestMeter:
    async def test_counts_requests_for_what_was_given_out_before(self, identity: Service) -> None:
        operator = await registered(identity)
        _, first = await asked(identity, operator, Role.CUSTOMS)
        await asked(identity, operator, Role.TAX)
        _, again = await asked(identity, operator, Role.CUSTOMS, known=first["files"])

        counted = await meter(identity)

        assert (again["unchanged"], again["projection"]) == (True, None)
        assert (counted["submissions"], counted["requests"], counted["duplicates_avoided"]) == (1, 3, 2)
        assert counted["departments"] == [
            {"department": "customs", "requests": 2, "duplicates": 1, "unchanged": 1},
            {"department": "tax", "requests": 1, "duplicates": 1, "unchanged": 0},
        ]

    async def test_begins_anew_with_what_is_handed_in_anew(self, identity: Service) -> None:
        operator = await registered(identity)
        _, first = await asked(identity, operator, Role.CUSTOMS)
        await send(identity, [operator_changed(time=FEBRUARY, mode="B2B", **FILE)])
        await deliver_platform_events(identity)

        _, second = await asked(identity, operator, Role.CUSTOMS, known=first["files"])

        assert (second["unchanged"], said(second["projection"])["accounts"][0]["file"]["mode"]) == (False, "B2B")
        assert (await meter(identity))["duplicates_avoided"] == 0


class TestFields:
    async def test_are_of_the_own_department_with_their_basis_on_a_day(self, identity: Service) -> None:
        now = (await identity.get("/v1/projections/fields", Role.TAX)).json()
        before = (await identity.get("/v1/projections/fields?on=2024-01-01T00:00:00Z", Role.TAX)).json()

        assert {row["department"] for row in now} == {"tax"}
        assert {row["field"] for row in now} - {row["field"] for row in before} == {
            "shop_urls",
            "contacts.address",
            "contacts.phone",
            "bank_accounts",
        }
        assert all(row["basis"] for row in now)
