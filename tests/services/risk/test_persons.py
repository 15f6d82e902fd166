"""How persons are treated: contacts without consent add up by sender and month, late reports of leaks are alerted."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any, Literal
from uuid import UUID

import pytest_asyncio

from shared.events.identity import BreachOverdue, ConsentViolated, ConsentViolationCleared
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id, derived_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle

AT = datetime(2026, 3, 5, tzinfo=UTC)
SHOP = account_id("north", "shop")


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def contact(number: int, *, shop: UUID | None = SHOP, days: int = 0, **says: Any) -> ConsentViolated:
    sent_at = AT + timedelta(days=days)
    stated = {
        "violation_id": derived_id("violation", number),
        "platform_id": "north",
        "purpose": "marketing",
        "channel": "email",
        "account_id": shop,
        "person_ref": f"p{number}",
        "sent_at": sent_at,
        "reason": "no_consent",
        "rule": "PIPL, art. 13",
    }
    return ConsentViolated(occurred_at=sent_at, **{**stated, **says})


def cleared(violation: ConsentViolated) -> ConsentViolationCleared:
    own = {name: getattr(violation, name) for name in ConsentViolationCleared.__struct_fields__}
    return ConsentViolationCleared(**own)


def late(what: Literal["authority", "persons"] = "authority", platform_id: str = "north") -> BreachOverdue:
    return BreachOverdue(
        occurred_at=AT,
        breach_id=derived_id("breach", platform_id),
        platform_id=platform_id,
        what=what,
        jurisdiction="CN",
        source="PIPL, art. 57",
    )


async def seen(service: Service) -> list[tuple[object, ...]]:
    rows = await service.rows("SELECT rule, account_id, window_start, state FROM alerts ORDER BY window_start, rule")
    return [tuple(row) for row in rows]


class TestContacts:
    async def test_are_alerted_once_they_are_three_in_a_month(self, risk: Service) -> None:
        await handle(risk, [contact(1), contact(2)])
        assert await seen(risk) == []

        await handle(risk, [contact(3, days=20)])
        await handle(risk, [contact(4, days=21)])

        march = datetime(2026, 3, 1, tzinfo=UTC)
        assert await seen(risk) == [("contacts_without_consent", SHOP, march, "open")]
        assert len(await risk.published(AlertRaised)) == 1
        (alert,) = (await risk.get("/v1/alerts")).json()["items"]
        named = {f"violation:{derived_id('violation', number)}" for number in (1, 2, 3)}
        assert alert["evidence"][0] == "month:2026-03"
        assert set(alert["evidence"][1:]) == named

    async def test_of_other_months_and_senders_are_counted_apart(self, risk: Service) -> None:
        await handle(
            risk, [contact(1), contact(2, days=30), contact(3, shop=None), contact(4, shop=account_id("n", "x"))]
        )

        assert await seen(risk) == []

    async def test_of_a_platform_itself_are_alerted_without_an_operator(self, risk: Service) -> None:
        await handle(risk, [contact(number, shop=None) for number in range(3)])

        assert [row[:2] for row in await seen(risk)] == [("contacts_without_consent", None)]

    async def test_told_twice_count_once(self, risk: Service) -> None:
        await handle(risk, [contact(1), contact(1), contact(2)])
        await handle(risk, [contact(1)])

        assert await seen(risk) == []

    async def test_that_are_cleared_withdraw_the_alert(self, risk: Service) -> None:
        await handle(risk, [contact(number) for number in range(3)])

        await handle(risk, [cleared(contact(1))])

        assert [row[-1] for row in await seen(risk)] == ["withdrawn"]
        assert len(await risk.published(AlertWithdrawn)) == 1

    async def test_come_to_the_same_in_any_order(self, open_service: OpenService) -> None:
        events = [contact(1), cleared(contact(1)), contact(2), contact(3)]
        for ordered in list(permutations(events))[::5]:
            for batches in ([list(ordered)], [[event] for event in ordered]):
                risk = await open_service("risk")
                for batch in batches:
                    await handle(risk, batch)

                assert "open" not in [row[-1] for row in await seen(risk)]


class TestLeaks:
    async def test_told_late_are_alerted_of_the_platform(self, risk: Service) -> None:
        await handle(risk, [late("authority"), late("persons"), late("authority")])

        assert [row[:2] for row in await seen(risk)] == [("leak_told_late", None)] * 2
        items = (await risk.get("/v1/alerts")).json()["items"]
        assert {one["evidence"][1] for one in items} == {"late_to:authority", "late_to:persons"}

    async def test_of_this_installation_are_nobodys(self, risk: Service) -> None:
        await handle(risk, [late(platform_id="")])

        assert await seen(risk) == []
