"""Displays of licences that identity found wrong: alerted, told once, withdrawn when they are mended."""

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest_asyncio

from shared.events.identity import DisplayCorrected, DisplayViolated
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id, new_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle

AT = datetime(2026, 3, 5, tzinfo=UTC)
SHOP = account_id("north", "shop")


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def _about(days: int) -> dict[str, Any]:
    return {
        "occurred_at": AT + timedelta(days=days),
        "account_id": SHOP,
        "operator_id": SHOP,
        "platform_id": "north",
        "operator_ref": "shop",
        "page_ids": [new_id()],
    }


def violated(*codes: str, days: int = 0) -> DisplayViolated:
    return DisplayViolated(**_about(days), codes=list(codes or ["licence_missing"]), source="E-Commerce Law, art. 15")


def corrected(days: int = 3) -> DisplayCorrected:
    return DisplayCorrected(**_about(days))


async def seen(service: Service) -> list[tuple[object, ...]]:
    rows = await service.rows("SELECT rule, account_id, severity, evidence, window_start, state FROM alerts")
    return [tuple(row) for row in rows]


class TestDisplays:
    async def test_are_alerted_with_what_is_wrong(self, risk: Service) -> None:
        await handle(risk, [violated("badge_forged")])

        assert await seen(risk) == [("licence_not_displayed", SHOP, "medium", ["badge_forged"], AT, "open")]
        assert len(await risk.published(AlertRaised)) == 1

    async def test_are_one_alert_while_they_are_wrong(self, risk: Service) -> None:
        await handle(risk, [violated()])
        await handle(risk, [violated("licence_expired", days=1)])

        assert len(await seen(risk)) == 1
        assert len(await risk.published(AlertRaised)) == 1

    async def test_are_withdrawn_when_mended_and_alerted_anew(self, risk: Service) -> None:
        for event, state in ((violated(), "open"), (corrected(), "withdrawn"), (violated(days=5), "open")):
            await handle(risk, [event])

            assert [row[-1] for row in await seen(risk)] == [state]
        assert len(await risk.published(AlertWithdrawn)) == 1

    async def test_are_what_the_newest_event_says_in_one_batch_or_in_several(self, open_service: OpenService) -> None:
        for events in permutations([violated(), corrected(), violated("licence_expired")]):
            for batches in ([events], [[event] for event in events]):
                risk = await open_service("risk")
                for batch in batches:
                    await handle(risk, batch)

                is_open = "open" in [row[-1] for row in await seen(risk)]
                assert is_open is isinstance(events[-1], DisplayViolated)
