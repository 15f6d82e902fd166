"""Risk's event door for declarations: channelled within the day's inspections, and learnt from what they found."""

import asyncio
from collections import Counter
from datetime import date, timedelta
from random import Random
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from services.risk.declarations import frame_of
from services.risk.triage import Triage
from shared.events.risk import DeclarationChannelled
from shared.identifiers import account_id, declaration_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.platform_events import event
from tests.services.risk.declaring import (
    cleared,
    found,
    inspected,
    lodged,
    of_customs,
    set_policy,
    shown,
    stated,
    told,
)


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def channels(service: Service) -> Counter[str]:
    """Count declarations by channel."""
    rows = await service.rows("SELECT channel FROM declarations")
    return Counter(row["channel"] for row in rows)


async def spent(service: Service) -> list[tuple[int, int]]:
    """Return volume and inspections spent, day by day."""
    rows = await service.rows("SELECT volume, spent FROM inspection_days ORDER BY day")
    return [(row["volume"], row["spent"]) for row in rows]


async def published(service: Service) -> list[DeclarationChannelled]:
    found = await service.published(DeclarationChannelled)
    return [msgspec.json.decode(one.data, type=DeclarationChannelled) for one in found]


class TestLodging:
    async def test_is_channelled_and_told(self, risk: Service) -> None:
        await told(risk, lodged())

        (one,) = await published(risk)
        assert (one.platform_id, one.declaration_ref) == ("north", "declaration-1")
        assert one.declaration_id == declaration_id("north", "declaration-1")
        assert one.account_id == account_id("north", "shop")
        assert (one.model, one.reasons[-1]) == ("rules", "no model")
        known = await shown(risk)
        assert (known["channel"], known["score"]) == (one.channel, one.score)
        assert known["declared"]["hs_code"] == "870899"

    async def test_is_of_the_importer_where_no_seller_is_stated(self, risk: Service) -> None:
        ownerless = lodged()
        del ownerless["data"]["seller_ref"]

        await told(risk, ownerless)

        assert (await published(risk))[0].account_id == account_id("north", "importer")

    async def test_again_changes_nothing(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=1.0)
        await told(risk, lodged())

        await told(risk, lodged())

        assert await spent(risk) == [(1, 1)]
        assert len(await published(risk)) == 1

    async def test_stated_anew_spends_no_second_inspection(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=1.0)
        await told(risk, lodged())

        await told(risk, lodged(value_minor=5_000))

        assert await spent(risk) == [(1, 1)]
        assert [one.channel for one in await published(risk)] == ["inspection", "inspection"]
        assert (await shown(risk))["declared"]["value_minor"] == 5_000

    async def test_stated_anew_may_be_sent_to_inspection_and_never_back(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=0.0, document_share=0.0)
        await told(risk, lodged())
        before = await channels(risk)
        await set_policy(risk, inspected_share=1.0)

        await told(risk, lodged(value_minor=5_000))
        await set_policy(risk, inspected_share=0.0)
        await told(risk, lodged(value_minor=6_000))

        assert before == {"release": 1}
        assert await channels(risk) == {"inspection": 1}
        assert await spent(risk) == [(1, 1)]

    async def test_of_the_first_day_that_the_door_takes_has_a_policy(self, risk: Service) -> None:
        await told(risk, lodged(lodged_on="1990-01-01"))

        assert (await published(risk))[0].policy_on == date(1990, 1, 1)

    async def test_in_a_currency_without_a_rate_is_scored_without_its_value(self, risk: Service) -> None:
        await told(risk, lodged(currency="XOF"))

        (row,) = await risk.rows("SELECT value, channel FROM declarations")
        assert row["value"] is None
        assert row["channel"] is not None

    async def test_of_another_platform_is_another_declaration(self, risk: Service) -> None:
        await told(risk, lodged())
        await told(risk, lodged(platform_id="south"))

        assert await spent(risk) == [(2, (await spent(risk))[0][1])]
        assert (await shown(risk, platform_id="south"))["account_id"] == str(account_id("south", "shop"))


class TestInspection:
    async def test_counts_from_the_next_day_on(self, risk: Service) -> None:
        await told(risk, lodged(1), inspected(1))

        await told(risk, lodged(2), lodged(3, lodged_on="2026-03-03"))

        assert (await shown(risk, 2))["reasons"][-1] == "no model"
        assert (await shown(risk, 3))["reasons"][-1].startswith("same_goods: 1 inspections")
        assert (await shown(risk, 3))["score"] > (await shown(risk, 2))["score"]

    async def test_counts_from_the_day_after_it_was_known(self, risk: Service) -> None:
        await told(risk, lodged(1), inspected(1, inspected_on="2026-03-09"))

        await told(risk, lodged(2, lodged_on="2026-03-09"), lodged(3, lodged_on="2026-03-10"))

        reasons = [(await shown(risk, number))["reasons"][-1] for number in (2, 3)]
        assert [reason.startswith("same_goods") for reason in reasons] == [False, True]

    async def test_revised_counts_once_and_as_last_stated(self, risk: Service) -> None:
        await told(risk, lodged(), inspected())
        await told(risk, inspected(result="conforming", inspected_on="2026-03-05"))
        await told(risk, inspected(result="conforming", inspected_on="2026-03-05"))

        assert await counted(risk) == {"same_goods": (1, 0), "all": (1, 0)}
        assert (await shown(risk))["inspection"]["result"] == "conforming"

    async def test_before_the_lodging_is_learnt_from_and_spends_nothing(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=1.0)
        await told(risk, inspected())
        before = await shown(risk)

        await told(risk, lodged())

        known = await shown(risk)
        assert (before["channel"], before["inspection"]["result"]) == (None, "violation")
        assert (known["channel"], known["selection_probability"]) == ("inspection", None)
        assert await spent(risk) == [(1, 0)]
        assert await counted(risk) == {"same_goods": (1, 1), "all": (1, 1)}

    async def test_that_a_platform_states_is_kept_and_not_learnt_from(self, risk: Service) -> None:
        own = event("", inspected()["data"], type="customs.inspection.recorded.v1")

        await told(risk, lodged(), own)

        assert await counted(risk) == {}
        assert (await shown(risk))["inspection"]["by_customs"] is False

    async def test_of_customs_is_not_replaced_by_a_platform(self, risk: Service) -> None:
        own = event("", inspected(result="conforming")["data"], type="customs.inspection.recorded.v1")

        await told(risk, lodged(), inspected())
        await told(risk, own)

        assert (await shown(risk))["inspection"]["result"] == "violation"
        assert await counted(risk) == {"same_goods": (1, 1), "all": (1, 1)}

    async def test_fixes_what_was_declared(self, risk: Service) -> None:
        await told(risk, lodged(), inspected())

        await told(risk, lodged(value_minor=99))

        assert (await shown(risk))["declared"]["value_minor"] == 10_000
        assert len(await published(risk)) == 1

    async def test_of_goods_stated_anew_before_counts_for_what_was_stated_last(self, risk: Service) -> None:
        await told(risk, lodged(value_minor=99), lodged(), inspected())

        await told(risk, lodged(2, lodged_on="2026-03-03"), lodged(3, lodged_on="2026-03-03", value_minor=99))

        assert (await shown(risk, 2))["reasons"][-1].startswith("same_goods")
        assert not (await shown(risk, 3))["reasons"][-1].startswith("same_goods")


class TestClearance:
    async def test_is_shown_with_what_stood_in_the_end(self, risk: Service) -> None:
        await told(risk, cleared(value_minor=20_000, currency="CNY"))
        await told(risk, lodged())

        known = await shown(risk)

        assert known["cleared_at"] == "2026-03-04T08:00:00Z"
        assert known["final"]["value_minor"] == 20_000


class TestCustoms:
    async def test_lodges_declarations_of_its_own(self, risk: Service) -> None:
        own = of_customs("customs.declaration.lodged.v1", lodged()["data"], platform_id=None)

        await told(risk, own)

        assert (await shown(risk, platform_id="customs:gate"))["declared"]["declaration_ref"] == "declaration-1"


class TestBudget:
    async def test_is_never_overspent_by_workers_at_once(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=1.0, daily_cap=7)
        await risk.rows("INSERT INTO inspection_days VALUES ($1, 0, 6, 0)", date(2026, 3, 2))
        batches = [[stated(10 * worker + n) for n in range(3)] for worker in range(4)]

        await asyncio.gather(*(handle(risk, batch) for batch in batches))

        assert await spent(risk) == [(12, 7)]
        assert (await channels(risk))["inspection"] == 1

    async def test_is_a_share_of_what_is_lodged(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=0.1, document_share=0.2)

        for day in range(1, 6):
            for start in range(0, 300, 50):
                batch = [
                    stated(1_000 * day + n, lodged_on=date(2026, 3, day), value_minor=10 + n)
                    for n in range(start, start + 50)
                ]
                await handle(risk, batch)

        found = await channels(risk)
        assert 100 <= found["inspection"] <= 200, "a tenth of 1,500, as draws fall"
        assert 200 <= found["document_check"] <= 400

    async def test_goes_to_the_highest_scores_once_there_are_some(self, risk: Service) -> None:
        await set_policy(risk, exploration_share=0.0, inspected_share=0.1)
        await handle(risk, [stated(n, hs_code="870899") for n in range(150)])
        wanting, conforming = {"lodged_on": "2026-03-01", "hs_code": "420221"}, {"lodged_on": "2026-03-01"}
        await told(risk, lodged(900, **wanting), inspected(900))
        await told(risk, lodged(901, **conforming), inspected(901, result="conforming"))
        batch = [stated(2_000 + n, lodged_on=date(2026, 3, 3), hs_code="870899") for n in range(90)]
        bad = [stated(3_000 + n, lodged_on=date(2026, 3, 3), hs_code="420221") for n in range(10)]

        await handle(risk, [*batch, *bad])

        rows = await risk.rows(
            "SELECT content ->> 'hs_code' AS code FROM declarations WHERE channel = 'inspection' AND lodged_on = $1",
            date(2026, 3, 3),
        )
        inspected_by_code = Counter(row["code"] for row in rows)
        assert inspected_by_code["420221"] == 10
        assert inspected_by_code["870899"] <= 10, "a day of a hundred is taken to be half over: twenty in all"

    async def test_falls_the_same_when_everything_comes_again(self, risk: Service) -> None:
        await set_policy(risk, inspected_share=0.2)
        batch = [stated(n) for n in range(90)]
        await handle(risk, batch)
        first = await risk.rows("SELECT id, channel, explored FROM declarations ORDER BY id")

        await risk.rows("DELETE FROM declarations")
        await risk.rows("DELETE FROM inspection_days")
        await handle(risk, batch)

        assert await risk.rows("SELECT id, channel, explored FROM declarations ORDER BY id") == first
        assert {row["channel"] for row in first} == {"release", "document_check", "inspection"}


class TestHistory:
    async def test_says_the_same_as_the_detector_of_files(self, risk: Service) -> None:
        """One list of declarations, as a file and as a stream in uneven batches, gives the same scores."""
        random = Random(7)
        rows: list[dict[str, Any]] = [
            {
                "lodged_on": date(2026, 3, 1) + timedelta(days=n // 8),
                "hs_code": random.choice(["870899", "420221", "010121"]),
                "origin_country": random.choice(["DE", "CN"]),
                "net_g": random.choice([500, 1_500]),
                "value_minor": random.choice([1_000, 2_000, 9_000]),
            }
            for n in range(120)
        ]
        outcomes = [random.choice([True, False, None]) for _ in rows]
        frame = frame_of(
            [
                {**row, "net_kg": row["net_g"] / 1_000, "value": row["value_minor"] / 100, "declaration_ref": "d"}
                for row in rows
            ]
        )

        expected = Triage().rank(frame, outcomes, timedelta(0))
        for day in range(15):
            numbers = range(8 * day, 8 * day + 8)
            cut = random.randint(1, 8)
            for batch in (numbers[:cut], numbers[cut:]):
                await handle(risk, [stated(n, **rows[n]) for n in batch])
            await handle(
                risk, [found(n, rows[n]["lodged_on"], violated=v) for n in numbers if (v := outcomes[n]) is not None]
            )

        scored = await risk.rows("SELECT declaration_ref, score, reasons FROM declarations")
        by_ref = {row["declaration_ref"]: row for row in scored}
        ours = [by_ref[f"declaration-{n}"] for n in range(len(rows))]
        assert [one["score"] for one in ours] == pytest.approx([one.score for one in expected], rel=1e-9)
        assert [one["reasons"][-1] for one in ours] == [one.reasons[-1] for one in expected]


async def counted(service: Service) -> dict[str, tuple[int, int]]:
    """Return inspections and violations counted for the goods and for all."""
    rows = await service.rows(
        "SELECT likeness, sum(inspections)::int AS n, sum(violations)::int AS v FROM likeness_counts"
        " WHERE likeness IN ('same_goods', 'all') GROUP BY likeness"
    )
    return {row["likeness"]: (row["n"], row["v"]) for row in rows}
