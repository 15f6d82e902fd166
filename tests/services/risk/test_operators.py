"""Accounts that are linked to banned ones: alerted while they are, dated to when they opened."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest_asyncio

from shared.events.identity import LinkReason, OperatorCleared, OperatorLapsed, OperatorRejected, OperatorReturned
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle

OPENED = datetime(2026, 3, 5, tzinfo=UTC)
BACK = account_id("north", "back")


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def returned(*, came_back: bool = True, days: int = 0) -> OperatorReturned:
    banned = account_id("south", "banned")
    return OperatorReturned(
        occurred_at=OPENED + timedelta(days=days),
        account_id=BACK,
        operator_id=BACK,
        platform_id="north",
        operator_ref="back",
        opened_at=OPENED,
        banned_account_id=banned,
        banned_operator_id=banned,
        banned_platform_id="south",
        banned_at=OPENED - timedelta(days=9),
        came_back=came_back,
        score=8.8,
        reasons=[LinkReason(kind="bank_account", weight=8.8, holders=2)],
    )


def cleared() -> OperatorCleared:
    return OperatorCleared(
        occurred_at=OPENED + timedelta(days=3),
        account_id=BACK,
        operator_id=BACK,
        platform_id="north",
        operator_ref="back",
        opened_at=OPENED,
    )


async def seen(service: Service) -> list[tuple[object, ...]]:
    rows = await service.rows(
        "SELECT rule, account_id, severity, evidence, window_start, state FROM alerts ORDER BY id"
    )
    return [tuple(row) for row in rows]


class TestReturns:
    async def test_are_alerted_with_what_gives_them_away_and_not_who_was_banned(self, risk: Service) -> None:
        await handle(risk, [returned(days=2)])

        assert await seen(risk) == [("banned_returns", BACK, "high", ["bank_account"], OPENED, "open")]
        (told,) = await risk.published(AlertRaised)
        assert str(account_id("south", "banned")).encode() not in bytes(told.data)

    async def test_are_none_of_accounts_that_were_open_before_the_ban(self, risk: Service) -> None:
        await handle(risk, [returned(came_back=False)])

        assert await seen(risk) == []

    async def test_are_withdrawn_when_the_link_ends(self, risk: Service) -> None:
        await handle(risk, [returned()])
        await handle(risk, [cleared()])

        assert [row[-1] for row in await seen(risk)] == ["withdrawn"]
        assert len(await risk.published(AlertWithdrawn)) == 1

    async def test_are_what_the_newest_event_says_in_one_batch_or_in_several(self, open_service: OpenService) -> None:
        for events in permutations([returned(), cleared(), returned(came_back=False)]):
            expected = events[-1] == returned()
            for batches in ([events], [[event] for event in events]):
                risk = await open_service("risk")
                for batch in batches:
                    await handle(risk, batch)

                states = [row[-1] for row in await seen(risk)]
                assert ("open" in states) is expected


class TestFindings:
    async def test_are_of_the_first_event_that_shows_them_in_one_batch_or_in_several(
        self, open_service: OpenService
    ) -> None:
        files = [
            OperatorRejected(
                occurred_at=OPENED + timedelta(days=days),
                account_id=BACK,
                operator_id=BACK,
                platform_id="north",
                operator_ref="back",
                jurisdiction="CN",
                entity_type="company",
                version=days + 1,
                reasons=["qualification_missing_food_trade"],
            )
            for days in range(3)
        ]

        for batches in ([files], [[file] for file in files]):
            risk = await open_service("risk")
            for batch in batches:
                await handle(risk, batch)

            assert await seen(risk) == [("unqualified_operator", BACK, "high", [], OPENED, "open")]
            (told,) = await risk.published(AlertRaised)
            assert told.time is not None
            assert datetime.fromisoformat(told.time) == OPENED

    async def test_of_a_missing_qualification_and_of_a_lapse_are_alerted(self, risk: Service) -> None:
        about: dict[str, Any] = {
            "occurred_at": OPENED,
            "account_id": BACK,
            "operator_id": BACK,
            "platform_id": "north",
            "operator_ref": "back",
            "jurisdiction": "CN",
            "entity_type": "company",
        }
        rejected = OperatorRejected(**about, version=1, reasons=["qualification_missing_food_trade"])
        lapsed = OperatorLapsed(**about, version=2, reasons=["verification_overdue"], verified_at=OPENED)

        await handle(risk, [rejected])
        await handle(risk, [lapsed])

        rules = await risk.rows("SELECT rule, severity FROM alerts ORDER BY rule")
        (known,) = await risk.rows("SELECT verdict, reasons FROM operators")
        assert [tuple(row) for row in rules] == [("unqualified_operator", "high"), ("verification_lapsed", "medium")]
        assert tuple(known) == ("lapsed", ["verification_overdue"])
