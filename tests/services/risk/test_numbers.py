"""Gaps in a platform's own numbering: alerted when they stay open, split, and cleared when they are filled."""

from random import Random
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiokafka import TopicPartition

from services.risk.bookkeeping import update_books
from services.risk.numbering import Gap, Run, bounded, gaps, merged
from services.risk.rule_values import RuleValues
from shared.auth import Role
from shared.clock import utc_now
from shared.database import kept, transaction
from shared.events.numbers import ListingsNumbersReceived, RiskNumbersReceived
from shared.events.risk import AlertRaised, AlertWithdrawn
from tests.services.doors import OpenService, Service
from tests.services.inbox import consumer_of, handle, outbox_records
from tests.services.listings.factories import order_placed
from tests.services.platform_events import Json, event, send
from tests.services.risk.declaring import post


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    service = await open_service("risk")
    await let(service, waiting=0)
    return service


async def let(service: Service, **values: float) -> None:
    for name, value in values.items():
        await service.rows("UPDATE rule_values SET value = $2 WHERE name = $1", f"sequence.{name}", value)
    async with transaction(service.sessions) as session:
        kept(session, RuleValues)._until = 0.0


def stated(number: object, sequencetype: str | None = "Integer") -> Json:
    data = {"month": "2026-03", "currency": "CNY", "orders": 1, "amount_minor": 1}
    return event("totals.stated", data, sequence=number, sequencetype=sequencetype)


def came(*runs: tuple[int, int], platform_id: str = "north") -> ListingsNumbersReceived:
    first, last = zip(*runs, strict=True)
    return ListingsNumbersReceived(occurred_at=utc_now(), platform_id=platform_id, first=list(first), last=list(last))


async def open_gaps(service: Service) -> list[list[str]]:
    await update_books(service.sessions)
    items: list[dict[str, Any]] = (await service.get("/v1/alerts?rule=sequence_gap")).json()["items"]
    return sorted(one["evidence"][:2] for one in items if one["state"] == "open")


class TestDoor:
    async def test_tells_numbers_as_runs_once_a_batch(self, risk: Service) -> None:
        assert await post(risk, *[stated(str(n)) for n in (3, 1, 2, 9, 7)]) == []

        (told,) = await risk.published(RiskNumbersReceived)
        found = msgspec.json.decode(told.data, type=RiskNumbersReceived)
        assert (found.platform_id, found.first, found.last) == ("north", [1, 7, 9], [3, 7, 9])

    async def test_refuses_what_is_no_number_and_loses_nothing_beside_it(self, risk: Service) -> None:
        wrong = ["0", "-1", "1.5", "x", "", "2147483648", "1" * 5_000, "１"]

        refused = await post(risk, stated("1"), *[stated(text) for text in wrong], stated("2147483647"))

        assert [(one["index"], one["code"], one["pointer"]) for one in refused] == [
            (index, "sequence_invalid", "/sequence") for index in range(1, len(wrong) + 1)
        ]
        assert (await post(risk, stated(None)))[0]["pointer"] == "/sequence"
        assert (await post(risk, stated(7)))[0]["pointer"] == "/sequence"

    async def test_takes_other_sequences_and_none_without_counting(self, risk: Service) -> None:
        assert (
            await post(
                risk, stated("b7", sequencetype="Own"), stated("x", sequencetype=None), stated(None, sequencetype=None)
            )
            == []
        )

        assert await risk.published(RiskNumbersReceived) == []

    async def test_of_listings_tells_risk(self, open_service: OpenService, risk: Service) -> None:
        listings = await open_service("listings")
        numbered = [
            order_placed(order_ref=f"o{n}") | {"sequence": str(n), "sequencetype": "Integer"} for n in (1, 2, 5)
        ]
        assert (await send(listings, numbered)).json()["accepted"] == 3
        assert (await send(listings, numbered)).json()["duplicate"] == 3

        consumer = await consumer_of(risk)
        sent = (await outbox_records(listings))["listings.numbers"]
        await consumer.apply({TopicPartition("listings.numbers", 0): sent})

        assert await open_gaps(risk) == [["numbers:listings 3-4", "missing:2"]]


class TestGap:
    async def test_is_alerted_once_its_time_is_over(self, risk: Service) -> None:
        await let(risk, waiting=24)
        await handle(risk, [came((1, 4), (8, 9))])
        assert await open_gaps(risk) == []

        await let(risk, waiting=0)

        assert await open_gaps(risk) == [["numbers:listings 5-7", "missing:3"]]
        assert await open_gaps(risk) == [["numbers:listings 5-7", "missing:3"]]
        assert len(await risk.published(AlertRaised)) == 1

    async def test_is_withdrawn_when_filled_and_another_when_filled_in_part(self, risk: Service) -> None:
        await handle(risk, [came((1, 4), (8, 9))])
        await open_gaps(risk)

        await handle(risk, [came((6, 6))])
        parts = await open_gaps(risk)
        await handle(risk, [came((5, 7))])

        assert parts == [["numbers:listings 5-5", "missing:1"], ["numbers:listings 7-7", "missing:1"]]
        assert await open_gaps(risk) == []
        assert len(await risk.published(AlertWithdrawn)) == 3

    async def test_is_of_one_platform_and_one_service(self, risk: Service) -> None:
        other = RiskNumbersReceived(occurred_at=utc_now(), platform_id="north", first=[5], last=[5])

        await handle(risk, [came((1, 4)), other, came((9, 9), platform_id="south")])

        assert await open_gaps(risk) == []

    async def test_that_an_analyst_dismissed_stays_dismissed(self, risk: Service) -> None:
        await handle(risk, [came((1, 1), (3, 3))])
        await open_gaps(risk)
        (alert,) = (await risk.get("/v1/alerts?rule=sequence_gap")).json()["items"]
        await risk.post(f"/v1/alerts/{alert['id']}/verdict", {"verdict": "false_alarm"}, Role.REGULATOR, subject="anna")

        assert await open_gaps(risk) == []
        assert len(await risk.published(AlertRaised)) == 1

    async def test_is_not_withdrawn_because_there_are_too_many(self, risk: Service) -> None:
        await let(risk, most_gaps=2)
        await handle(risk, [came((1, 1), (3, 3), (5, 5))])
        before = await open_gaps(risk)

        await handle(risk, [came((7, 7), (9, 9))])

        assert [key for key, _ in before] == ["numbers:listings 2-2", "numbers:listings 4-4"]
        assert [key for key, _ in await open_gaps(risk)] == [f"numbers:listings {n}-{n}" for n in (2, 4, 6, 8)]


class TestRuns:
    @pytest.mark.parametrize("seed", range(5))
    def test_do_not_depend_on_order_and_repetition(self, seed: int) -> None:
        random = Random(seed)
        parts = [
            Run(first, first + random.randint(0, 4), random.randint(0, 99)) for first in random.choices(range(80), k=30)
        ]
        numbers = {n for part in parts for n in range(part.first, part.last + 1)}
        known: list[Run] = []
        for part in random.sample(parts, len(parts)) + random.choices(parts, k=10):
            known = merged([*known, part])

        assert known == merged(parts)
        assert {n for run in known for n in range(run.first, run.last + 1)} == numbers
        missing = set(range(min(numbers), max(numbers))) - numbers
        assert {n for gap in gaps(known) for n in range(gap.first, gap.last + 1)} == missing

    def test_have_gaps_since_both_sides_are_known(self) -> None:
        assert gaps([Run(1, 4, 50), Run(8, 9, 10), Run(12, 12, 20)]) == [Gap(5, 7, 50), Gap(10, 11, 20)]

    def test_beyond_a_bound_forget_the_oldest_gaps(self) -> None:
        runs = [Run(n, n, n) for n in (1, 3, 5, 7)]

        assert bounded(runs, 3) == (runs, 0)
        assert bounded(runs, 1) == ([Run(1, 5, 1), Run(7, 7, 7)], 5)
