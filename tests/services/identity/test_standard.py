"""The basic-information standard: enforced at the door, older versions brought into the newest."""

from typing import Any

import jsonschema
import msgspec
import pytest
import pytest_asyncio
from hypothesis import given
from hypothesis import strategies as st

from services.identity import standard
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import USCC, registration_file
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, event, send

FLAT = {
    "operator_ref": "shop",
    "name": "Lamp Trading Ltd",
    "entity_type": "company",
    "country": "CN",
    "uscc": USCC,
    "licence_number": "L-1",
    "licence_issued_on": "2020-01-01",
    "licence_expires_on": "2030-01-01",
    "scope": "lamps；umbrellas ; ",
    "representative": "Li Lei",
    "address": "1 Harbour Road",
    "phone": "+86 10 5555 0100",
    "email": "shop@lamp.example",
    "customs_registration": "1100000001",
    "page": "https://north.example/shop",
}
ONE, TWO = (f"urn:crosswatch:operator-information:{n}" for n in (1, 2))


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


def flat(**data: object) -> Json:
    stated = {name: value for name, value in {**FLAT, **data}.items() if value is not None}
    return event("operator.registered", stated, dataschema=ONE)


async def refusals(service: Service, *events: Json) -> list[tuple[int, str, str]]:
    answer = (await send(service, list(events))).json()
    return [(one["index"], one["code"], one["pointer"]) for one in answer["rejected"]]


class TestDoor:
    async def test_takes_version_one_and_keeps_version_two(self, identity: Service) -> None:
        assert await refusals(identity, flat()) == []
        await deliver_platform_events(identity)

        (account,) = (await operator(identity))["accounts"]
        assert (account["verdict"], account["reasons"]) == ("verified", [])
        content = account["content"]
        assert content["registration"] == {"scheme": "uscc", "number": USCC}
        assert content["licence"]["scope"] == ["lamps", "umbrellas"]
        assert content["shop_urls"] == ["https://north.example/shop"]
        assert {"representative", "contacts.phone", "contacts.address"} <= set(account["sealed"])

    async def test_refuses_what_is_not_of_the_version_it_names_and_nothing_beside_it(self, identity: Service) -> None:
        found = await refusals(
            identity,
            flat(name=None),
            flat(country="China"),
            flat(number="1", number_scheme="vat"),
            flat(uscc=None, number="1"),
            flat(shoe_size=9),
            flat(licence_number=None, licence_issued_on="2020-01-01"),
            event("operator.registered", registration_file(), dataschema=ONE),
            flat(operator_ref="good"),
            event("operator.registered", registration_file(operator_ref="also good"), dataschema=TWO),
            event("operator.registered", registration_file(), dataschema="urn:crosswatch:operator-information:9"),
            event("operator.registered", registration_file(), dataschema=7),
        )

        assert found == [
            (0, "missing_field", "/data/name"),
            (1, "wrong_length", "/data/country"),
            (2, "invalid_value", "/data/number"),
            (3, "invalid_value", "/data/number_scheme"),
            (4, "unknown_field", "/data/shoe_size"),
            (5, "invalid_value", "/data/licence_number"),
            (6, "unknown_field", "/data/legal_name"),
            (9, "schema_unknown", "/dataschema"),
            (10, "schema_unknown", "/dataschema"),
        ]
        await deliver_platform_events(identity)
        assert (await identity.get("/v1/summary")).json()["accepted"]["operators"] == 2

    async def test_leaves_other_types_alone(self, identity: Service) -> None:
        left = event("operator.deregistered", {"operator_ref": "shop", "reason": "left"}, dataschema="urn:theirs")

        assert await refusals(identity, left) == []


class TestPublicDoor:
    async def test_shows_the_versions_with_their_schemas(self, identity: Service) -> None:
        listed = (await identity.client.get("/public/v1/standards/operator-information")).json()
        newest = (await identity.client.get("/public/v1/standards/operator-information/2")).json()

        assert [(one["version"], one["state"]) for one in listed] == [(2, "current"), (1, "taken")]
        assert newest["json_schema"]["$id"] == TWO
        assert "sealed" not in newest["json_schema"]["properties"]
        assert (await identity.client.get("/public/v1/standards/operator-information/3")).status_code == 404

    async def test_checks_data_as_the_door_would(self, identity: Service) -> None:
        path = "/public/v1/standards/operator-information/1/check"
        good = (await identity.client.post(path, json=FLAT)).json()
        bad = (await identity.client.post(path, json={**FLAT, "country": "China"})).json()

        assert (good["conforms"], good["current"]["legal_name"]) == (True, "Lamp Trading Ltd")
        assert (bad["conforms"], bad["code"], bad["pointer"]) == (False, "wrong_length", "/country")
        assert (await identity.client.post(path, json=[])).status_code == 422


TEXT = st.text(st.characters(codec="ascii", exclude_characters="\0"), max_size=90)
VALUES = st.one_of(st.none(), TEXT, st.integers(-5, 5), st.sampled_from(["CN", "B2B", "2026-01-05", USCC]))


@given(st.dictionaries(st.sampled_from([*FLAT, "mode", "number", "number_scheme", "other"]), VALUES), st.booleans())
def test_the_published_schema_of_version_one_says_what_the_door_does(data: Json, is_complete: bool) -> None:  # noqa: FBT001
    stated = {**FLAT, **data} if is_complete else data
    schema = standard.schema(standard.VERSIONS[1])
    checker: Any = jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker(["date"]))

    try:
        standard.READERS[1](msgspec.json.encode(stated))
        taken = True
    except msgspec.ValidationError:
        taken = False

    assert taken == checker.is_valid(stated)


@pytest.mark.parametrize("version", standard.VERSIONS, ids=lambda version: str(version.number))
def test_schemas_are_schemas(version: standard.Version) -> None:
    jsonschema.Draft202012Validator.check_schema(standard.schema(version))


async def operator(service: Service) -> Json:
    found: Json = (await service.get(f"/v1/lookup?account={account_id('north', 'shop')}")).json()
    return found
