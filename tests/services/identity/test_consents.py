"""Consent at the door: messages without it become violations, whatever comes first."""

from typing import Any

import msgspec
import pytest
import pytest_asyncio

from shared.auth import Role
from shared.events.identity import ConsentViolated, ConsentViolationCleared
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, event, send

MAY, JUNE, JULY = ("2026-05-01T08:00:00Z", "2026-06-01T08:00:00Z", "2026-07-01T08:00:00Z")


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


def consent(at: str, *, granted: bool = True, **says: Any) -> Json:
    stated = {"person_ref": "p1", "purpose": "marketing", "channel": "sms", "granted": granted, **says}
    return event("consent.recorded", {**stated, "granted_at": at})


def message(at: str, **says: Any) -> Json:
    stated = {"person_ref": "p1", "purpose": "marketing", "channel": "sms", "operator_ref": "shop", **says}
    return event("message.sent", {**stated, "sent_at": at})


async def told(service: Service, *batches: list[Json]) -> None:
    for batch in batches:
        assert (await send(service, batch)).json()["rejected"] == []
        await deliver_platform_events(service)


async def violations(service: Service, role: Role = Role.REGULATOR, **who: str) -> list[Json]:
    answer = await service.get("/v1/consent-violations", role, **who)
    items: list[Json] = answer.json()["items"]
    return items


class TestMessages:
    async def test_without_consent_are_violations(self, identity: Service) -> None:
        await told(identity, [message(MAY)])

        (found,) = await violations(identity)
        assert (found["reason"], found["rule"]) == ("no_consent", "consent.required")
        assert found["account_id"] == str(account_id("north", "shop"))
        (published,) = await identity.published(ConsentViolated)
        assert msgspec.json.decode(published.data, type=ConsentViolated).person_ref == "p1"

    async def test_with_consent_are_none(self, identity: Service) -> None:
        await told(identity, [consent(MAY), message(JUNE)])

        assert await violations(identity) == []

    async def test_after_a_withdrawal_are_violations_and_before_it_none(self, identity: Service) -> None:
        await told(identity, [consent(MAY), message(JUNE), consent(JUNE.replace("08", "09"), granted=False)])
        before = await violations(identity)
        await told(identity, [message(JULY)])

        (found,) = await violations(identity)
        assert (before, found["reason"], found["sent_at"]) == ([], "consent_withdrawn", JULY)

    @pytest.mark.parametrize("purpose", ["enrolment", "Enrolment", "newsletter"])
    async def test_of_any_purpose_that_no_rule_exempts_need_it(self, identity: Service, purpose: str) -> None:
        await told(identity, [message(MAY, purpose=purpose, channel="app")])

        assert len(await violations(identity)) == 1

    async def test_about_an_order_need_none(self, identity: Service) -> None:
        await told(identity, [message(MAY, purpose="order"), message(MAY, purpose="Security")])

        assert await violations(identity) == []

    async def test_of_another_platforms_person_of_the_same_name_are_apart(self, identity: Service) -> None:
        await told(identity, [consent(MAY)])
        south = message(JUNE) | {"source": "/platforms/south"}
        await send(identity, [south], platform_id="south")
        await deliver_platform_events(identity)

        assert [one["platform_id"] for one in await violations(identity)] == ["south"]
        assert await violations(identity, Role.PLATFORM, platform_id="north") == []


class TestOrder:
    async def test_a_consent_that_comes_late_clears_what_it_was_given_for(self, identity: Service) -> None:
        await told(identity, [message(JUNE), message(MAY)])
        before = len(await violations(identity))

        await told(identity, [consent(MAY.replace("08", "09"))])

        assert (before, [one["sent_at"] for one in await violations(identity)]) == (2, [MAY])
        assert len(await identity.published(ConsentViolationCleared)) == 1

    async def test_a_withdrawal_that_comes_late_makes_a_violation(self, identity: Service) -> None:
        await told(identity, [consent(MAY), message(JULY)])

        await told(identity, [consent(JUNE, granted=False)])

        assert [one["reason"] for one in await violations(identity)] == ["consent_withdrawn"]

    async def test_of_both_in_one_batch_or_two_comes_to_the_same(self, identity: Service) -> None:
        await told(identity, [message(JUNE), consent(MAY), consent(JULY, granted=False), message(MAY)])

        assert await violations(identity) == []


class TestLedger:
    async def test_shows_what_a_person_said(self, identity: Service) -> None:
        await told(identity, [consent(MAY), consent(JUNE, granted=False, channel=None)])

        answer = await identity.get("/v1/consents?platform=north&person=p1")

        assert [(one["channel"], one["granted"]) for one in answer.json()] == [("sms", True), ("", False)]

    async def test_is_not_for_another_platform(self, identity: Service) -> None:
        await told(identity, [consent(MAY)])

        answer = await identity.get("/v1/consents?platform=north&person=p1", Role.PLATFORM, platform_id="south")

        assert answer.json() == []

    async def test_refuses_what_names_nobody(self, identity: Service) -> None:
        answer = (await send(identity, [event("consent.recorded", {"purpose": "marketing"})])).json()

        assert [(one["code"], one["pointer"]) for one in answer["rejected"]] == [("missing_field", "/data/person_ref")]
