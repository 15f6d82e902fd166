"""`/v1/rule-values`: what applies on a day, and values that are added with who, when and why."""

from datetime import timedelta

import pytest_asyncio

from services.identity.models import RuleValue
from shared.auth import Role
from shared.clock import utc_now
from tests.services.doors import OpenService, Service

NAME = "licence.required"
TOMORROW = (utc_now() + timedelta(days=1)).date().isoformat()


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


def stated(**fields: object) -> dict[str, object]:
    return {
        "name": NAME,
        "jurisdiction": "BR",
        "valid_from": TOMORROW,
        "value": 0,
        "source": "An article",
        "because": "A change of law",
        **fields,
    }


async def applied(service: Service, **query: str) -> dict[str, object]:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    answer = await service.get(f"/v1/rule-values/{NAME}?{asked}")
    assert answer.status_code == 200
    found: dict[str, object] = answer.json()
    return found


class TestAddRuleValue:
    async def test_records_who_and_what_stood_before(self, identity: Service) -> None:
        first = await identity.post("/v1/rule-values", stated(jurisdiction="*", value=0), Role.REGULATOR, subject="ann")
        second = await identity.post("/v1/rule-values", stated(jurisdiction="*", value=2), Role.ADMINISTRATOR)

        assert first.status_code == second.status_code == 201
        assert (first.json()["before"], first.json()["recorded_by"], first.json()["revision"]) == (1, "ann", 1)
        assert (second.json()["before"], second.json()["revision"]) == (0, 2)
        values = (await identity.get(f"/v1/rule-values?name={NAME}")).json()["items"]
        assert [(one["value"], one["because"]) for one in values] == [
            (1, "seed"),
            (0, "A change of law"),
            (2, "A change of law"),
        ]

    async def test_changes_no_day_before_it(self, identity: Service) -> None:
        before = await applied(identity)
        await identity.post("/v1/rule-values", stated(jurisdiction="*", value=0), Role.REGULATOR)

        assert await applied(identity) == before
        assert (await applied(identity, on=TOMORROW))["applies"]["value"] == 0  # type: ignore[index]

    async def test_lets_the_stricter_win_and_says_so(self, identity: Service) -> None:
        await identity.post("/v1/rule-values", stated(), Role.REGULATOR)

        found = await applied(identity, on=TOMORROW, jurisdiction="BR")

        assert found["applies"]["jurisdiction"] == "*"  # type: ignore[index]
        assert [one["jurisdiction"] for one in found["gave_way"]] == ["BR"]  # type: ignore[attr-defined]

    async def test_refuses_the_past_unless_it_is_meant(self, identity: Service) -> None:
        instant = utc_now().isoformat().replace("+00:00", "Z")
        past = stated(jurisdiction="*", valid_from="2020-01-01")

        refused = await identity.post("/v1/rule-values", past, Role.REGULATOR)
        taken = await identity.post("/v1/rule-values", past | {"retroactive": True}, Role.REGULATOR)

        assert (refused.status_code, refused.json()["code"]) == (422, "wrong_day")
        assert refused.json()["pointer"] == "/body/valid_from"
        assert taken.status_code == 201
        assert (await applied(identity, on="2021-01-01"))["applies"]["value"] == 0  # type: ignore[index]
        # What was decided until then is decided the same when it is looked at again.
        known = await applied(identity, on="2021-01-01", known_at=instant)
        assert known["applies"]["value"] == 1  # type: ignore[index]

    async def test_said_twice_is_recorded_once(self, identity: Service) -> None:
        answers = [await identity.post("/v1/rule-values", stated(), Role.REGULATOR) for _ in range(2)]

        assert answers[0].json() == answers[1].json()

    async def test_refuses_what_it_cannot_keep(self, identity: Service) -> None:
        async def refusal(role: Role = Role.REGULATOR, **fields: object) -> tuple[int, str]:
            answer = await identity.post("/v1/rule-values", stated(**fields), role)
            return answer.status_code, answer.json()["code"]

        assert await refusal(name="licence.demanded") == (404, "no_such_rule")
        assert await refusal(valid_to=TOMORROW) == (422, "wrong_day")
        assert await refusal(jurisdiction="Brazil") == (422, "string_pattern_mismatch")
        assert await refusal(unit="months") == (422, "extra_forbidden")
        assert await refusal(Role.INSPECTOR) == (403, "forbidden")
        await identity.rows("UPDATE rule_values SET stricter = NULL WHERE name = $1", NAME)
        assert await refusal() == (409, "rule_values_incomparable")

    async def test_holds_for_files_from_its_day_on(self, identity: Service) -> None:
        """The seed's first day is the law's: before it nobody had to have a licence."""
        (row,) = await identity.rows("SELECT stricter, recorded_by FROM rule_values WHERE name = $1", NAME)

        assert (row["stricter"], row["recorded_by"]) == ("higher", "seed")
        assert (await identity.get(f"/v1/rule-values/{NAME}?on=2018-12-31")).status_code == 404


def test_the_table_keeps_every_revision() -> None:
    keys = [column.name for column in RuleValue.__table__.primary_key]

    assert set(keys) == {"name", "jurisdiction", "valid_from", "revision"}
