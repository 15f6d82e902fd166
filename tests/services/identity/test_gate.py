"""The gate: what keeps an operator out, with the article behind it and what would mend it."""

import ast
import csv
import inspect
from pathlib import Path
from typing import Any

import pytest_asyncio

from deploy.layout import ROOT
from services.identity import conditions, numbers, verification
from shared.auth import Role
from shared.events.identity import OperatorRejected, OperatorUnverified
from shared.identifiers import operator_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import USCC, operator_changed, operator_registered
from tests.services.identity.test_registry import extract, loaded
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

LEGAL_ENTITY = operator_id("CN", "uscc", USCC)


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def told(service: Service, *events: Json, platform_id: str = "north") -> None:
    answer = await send(service, list(events), platform_id=platform_id)
    assert answer.json()["rejected"] == []
    await deliver_platform_events(service)


async def reasons(service: Service) -> dict[str, list[str]]:
    rows = await service.rows("SELECT operator_ref, reasons FROM accounts")
    return {row["operator_ref"]: row["reasons"] for row in rows}


def trading(*scope: str, **fields: Any) -> Json:
    return operator_registered(licence={"number": "L-1", "scope": list(scope)}, **fields)


class TestRefusals:
    async def test_name_the_article_and_what_would_mend_it(self, identity: Service) -> None:
        await told(identity, trading("infant formula", contacts=None))

        (rejected,) = await identity.published(OperatorRejected)
        shown = (await identity.get(f"/v1/operators/{LEGAL_ENTITY}")).json()["accounts"][0]

        codes = ["address_missing", "contact_missing", "qualification_missing_food_trade"]
        assert shown["reasons"] == [one["code"] for one in shown["refusals"]] == codes
        assert "Food Safety Law" in shown["refusals"][2]["article"]
        assert shown["refusals"][0]["remedy"] == "State the address"
        assert b"qualification_missing_food_trade" in bytes(rejected.data)

    async def test_end_when_the_file_is_mended(self, identity: Service) -> None:
        qualified = [{"kind": "food_trade", "number": "Q-1", "expires_on": "2030-01-01"}]
        licence = {"number": "L-1", "scope": ["food"]}
        await told(identity, operator_registered(licence=licence, time="2026-01-01T00:00:00Z"))
        before = (await reasons(identity))["shop"]
        await told(identity, operator_changed(licence=licence, qualifications=qualified, time="2026-01-02T00:00:00Z"))

        assert before == ["qualification_missing_food_trade"]
        assert (await reasons(identity))["shop"] == []

    async def test_follow_a_rule_that_is_added_from_its_day_on(self, identity: Service) -> None:
        added = {
            "name": "qualification.food_trade",
            "jurisdiction": "DE",
            "valid_from": "2026-02-01",
            "value": 1,
            "source": "Regulation (EC) 852/2004, art. 6",
            "because": "Food firms are registered there too",
            "retroactive": True,
        }
        assert (await identity.post("/v1/rule-values", added, Role.REGULATOR)).status_code == 201

        vat = {"scheme": "vat", "number": "DE136695976"}
        german = {"jurisdiction": "DE", "registration": vat}
        await told(
            identity,
            trading("food", operator_ref="before", time="2026-01-31T00:00:00Z", **german),
            trading("food", operator_ref="after", time="2026-02-01T00:00:00Z", **german),
        )

        assert await reasons(identity) == {"before": [], "after": ["qualification_missing_food_trade"]}


class TestClaims:
    async def test_of_one_number_by_two_names_are_a_finding(self, identity: Service) -> None:
        await told(identity, operator_registered(legal_name="Lamp Trading Ltd"))
        await told(
            identity,
            operator_registered(operator_ref="branch", legal_name="LAMP TRADING"),
            operator_registered(operator_ref="thief", legal_name="Chair Imports GmbH"),
            platform_id="north",
        )

        (doubtful,) = await identity.published(OperatorUnverified)

        assert await reasons(identity) == {"shop": [], "branch": [], "thief": ["registration_claimed_twice"]}
        assert b"registration_claimed_twice" in bytes(doubtful.data)

    async def test_are_settled_by_the_register(self, identity: Service, tmp_path: Path) -> None:
        await loaded(identity, extract(tmp_path / "a.csv", (USCC, "Chair Imports GmbH", "active", "")))
        await told(
            identity,
            operator_registered(legal_name="Lamp Trading Ltd"),
            operator_registered(operator_ref="owner", legal_name="Chair Imports GmbH"),
        )

        assert await reasons(identity) == {"shop": ["registry_name_differs"], "owner": []}


class TestCustoms:
    async def test_are_asked_where_their_register_is_loaded(self, identity: Service, tmp_path: Path) -> None:
        path = extract(tmp_path / "a.csv", ("1100000001", "Lamp Trading Ltd", "", ""))
        await loaded(identity, path, scheme="customs", complete=True)
        await told(
            identity,
            operator_registered(),
            operator_registered(operator_ref="other", customs_registration="3301960001"),
        )

        assert await reasons(identity) == {"shop": [], "other": ["customs_not_in_registry"]}


class TestListConditions:
    async def test_tells_beforehand_what_is_asked(self, identity: Service) -> None:
        query = "jurisdiction=CN&entity_type=company&mode=B2B&category=cosmetics&category=lighting"

        found = (await identity.get(f"/v1/conditions?{query}")).json()["items"]

        assert {one["code"] for one in found} == {
            *("licence_missing", "address_missing", "contact_missing", "representative_missing"),
            *("customs_registration_missing", "qualification_missing_cosmetics_record"),
        }
        assert all(one["article"] and one["remedy"] for one in found)

    async def test_differs_by_kind_of_entity_and_day(self, identity: Service) -> None:
        async def codes(query: str) -> set[str]:
            items = (await identity.get(f"/v1/conditions?jurisdiction=CN&{query}")).json()["items"]
            return {one["code"] for one in items}

        person = await codes("entity_type=natural_person&mode=C2C")
        assert {"identity_mark_missing", "phone_missing", "email_missing"} <= person
        assert "licence_missing" not in person
        assert await codes("on=2018-01-01") == set()


def test_every_code_has_a_remedy() -> None:
    """Every text in the checks that has the form of a code is in the table."""
    with (ROOT / "services" / "identity" / "remedies.csv").open(newline="", encoding="utf-8") as file:
        known = {row["code"] for row in csv.DictReader(file)}
    prefixes = ("number_", "registry_", "licence_", "not_in_", "qualification_", "email_", "phone_", "customs_")
    said = set(conditions.ASKED.values()) | {"scheme_unknown", "registration_claimed_twice"}
    for module in (numbers, conditions, verification):
        for node in ast.walk(ast.parse(inspect.getsource(module))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(prefixes):
                said.add(node.value)
    said -= {"customs_registration"}

    assert {code.rstrip("_") for code in said if " " not in code} - known == set()
