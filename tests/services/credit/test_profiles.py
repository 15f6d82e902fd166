"""Profiles: facts that supersede each other, scores on any date, levels told once, accounts that change hands."""

from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import permutations
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.credit.index import weight
from services.credit.trees import tree_on
from shared.database import transaction as in_transaction
from shared.events.base import Event
from shared.events.credit import LevelChanged
from shared.identifiers import new_id
from tests.services.credit.factories import (
    DAY,
    OWNER,
    SHOP,
    alert_raised,
    alert_withdrawn,
    banned,
    checked,
    complaint_filed,
    complaint_resolved,
    day,
    linked,
)
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import trade, transaction
from tests.services.platform_events import Json


@pytest_asyncio.fixture
async def credit(open_service: OpenService) -> Service:
    service = await open_service("credit")
    await handle(service, [linked()])
    return service


async def profile(service: Service, operator: UUID = OWNER, as_of: date | None = None) -> Json:
    answer = await service.get(f"/v1/profiles/{operator}" + (f"?as_of={as_of}" if as_of else ""))
    assert answer.status_code == 200
    shown: Json = answer.json()
    return shown


async def levels(service: Service) -> list[LevelChanged]:
    """Return the changes of level that were published, in order."""
    told = await service.published(LevelChanged)
    return [msgspec.json.decode(event.data, type=LevelChanged) for event in told]


class TestFacts:
    async def test_of_the_same_subject_supersede_each_other(self, credit: Service) -> None:
        await handle(credit, [complaint_filed(at=day(0))])
        await handle(credit, [complaint_resolved("dismissed", at=day(3))])

        facts = (await credit.get(f"/v1/profiles/{OWNER}/facts")).json()["items"]
        revisions = await credit.rows("SELECT kind FROM facts ORDER BY revision")

        assert [fact["kind"] for fact in facts] == ["complaint.dismissed"]
        assert [row["kind"] for row in revisions] == ["complaint.open", "complaint.dismissed"]

    async def test_that_say_nothing_new_are_not_stored_again(self, credit: Service) -> None:
        matched = transaction(order_ref="order")
        for _ in range(3):
            await handle(credit, [matched])

        assert len(await credit.rows("SELECT 1 FROM facts")) == 1

    async def test_that_were_withdrawn_count_no_more(self, credit: Service) -> None:
        await handle(credit, [alert_raised(), alert_withdrawn()])

        assert (await profile(credit))["facts"] == 0
        assert (await profile(credit))["score"] == 600.0

    async def test_keep_where_they_came_from(self, credit: Service) -> None:
        await handle(credit, [transaction(match="amount_mismatch", trade=trade(goods_minor=7_000))])

        (fact,) = (await credit.get(f"/v1/profiles/{OWNER}/facts")).json()["items"]

        assert fact["event_type"] == "listings.transaction.mismatched.v1"
        assert (fact["amount_minor"], fact["currency"], fact["account_id"]) == (7_000, "CNY", str(SHOP))
        (stored,) = await credit.rows("SELECT event_id FROM facts")
        assert fact["event_id"] == stored["event_id"]

    async def test_of_unfinished_trade_do_not_count(self, credit: Service) -> None:
        await handle(credit, [transaction(match="awaiting_documents"), transaction(trade=None, order_ref="x")])

        assert await credit.rows("SELECT 1 FROM facts WHERE kind IS NOT NULL") == []


class TestAsOf:
    async def test_shows_the_facts_until_the_end_of_a_date(self, credit: Service) -> None:
        await handle(credit, [complaint_filed(at=day(1)), alert_raised(at=day(5))])
        await handle(credit, [complaint_resolved("upheld", at=day(9))])

        kinds = {}
        for number in (0, 1, 5, 9):
            path = f"/v1/profiles/{OWNER}/facts?as_of={day(number).date()}"
            items = (await credit.get(path)).json()["items"]
            kinds[number] = sorted(item["kind"] for item in items)

        assert kinds == {
            0: [],
            1: ["complaint.open"],
            5: ["alert.high", "complaint.open"],
            9: ["alert.high", "complaint.upheld"],
        }

    async def test_lets_facts_fade(self, credit: Service) -> None:
        await handle(credit, [alert_raised(at=DAY)])

        today = await profile(credit, as_of=DAY.date())
        a_half_life_on = await profile(credit, as_of=DAY.date() + timedelta(days=365))

        assert today["score"] == pytest.approx(580.0)
        assert a_half_life_on["score"] == pytest.approx(590.0)

    async def test_of_a_date_before_the_first_index_is_not_found(self, credit: Service) -> None:
        answer = await credit.get(f"/v1/profiles/{OWNER}?as_of=2010-01-01")

        assert answer.status_code == 404


class TestExplanation:
    async def test_adds_up_to_the_score(self, credit: Service) -> None:
        facts = [checked("verified"), complaint_filed(), alert_raised(severity="critical")]
        trades = [transaction(order_ref=f"{n}", match="amount_mismatch") for n in range(40)]
        await handle(credit, [*facts, *trades])

        shown = (await credit.get(f"/v1/profiles/{OWNER}/explanation?as_of=2026-06-01")).json()

        assert shown["score"] == pytest.approx(
            shown["base"] + sum(panel["points"] for panel in shown["panels"]) + shown["held"]
        )
        for panel in shown["panels"]:
            assert panel["points"] == pytest.approx(sum(i["points"] for i in panel["indicators"]) + panel["held"])
        by_fact = sum(fact["points"] for fact in shown["facts"]) + shown["other_points"]
        by_indicator = sum(i["points"] for panel in shown["panels"] for i in panel["indicators"])
        assert by_fact == pytest.approx(by_indicator)
        held = next(p for p in shown["panels"] if p["panel"] == "business_conditions")
        assert (held["points"], held["held"] > 0) == (-250, True)

    async def test_has_the_four_panels(self, credit: Service) -> None:
        shown = await profile(credit)

        assert [panel["panel"] for panel in shown["panels"]] == [
            "business_conditions",
            "daily_supervision",
            "dishonesty",
            "complaints_and_reports",
        ]


class TestLevels:
    async def test_are_told_once_when_they_change(self, credit: Service) -> None:
        at = datetime.now(UTC)
        for event in (checked("rejected", at=at), checked("rejected", at=at), alert_raised(at=at)):
            await handle(credit, [event])

        (change,) = await levels(credit)

        assert (change.from_level, change.to_level, change.account_ids) == ("B", "C", [SHOP])
        assert change.operator_id == OWNER

    async def test_are_told_again_when_they_change_again(self, credit: Service) -> None:
        at = datetime.now(UTC)
        await handle(credit, [checked("rejected", at=at)])
        await handle(credit, [banned(at=at)])

        assert [(c.from_level, c.to_level) for c in await levels(credit)] == [("B", "C"), ("C", "D")]

    async def test_that_move_and_return_within_a_batch_are_not_told(self, credit: Service) -> None:
        at = datetime.now(UTC)
        await handle(credit, [checked("rejected", at=at), checked("unverified", at=at)])

        assert await levels(credit) == []


class TestLinks:
    async def test_carry_an_accounts_facts_to_its_new_owner_and_change_no_past(self, credit: Service) -> None:
        buyer = new_id()
        now = datetime.now(UTC)
        await handle(credit, [checked("rejected", at=now - timedelta(days=9))])

        await handle(credit, [linked(SHOP, buyer, at=now, previous=OWNER)])

        before = await profile(credit, as_of=now.date() - timedelta(days=5))
        seller, new_owner = await profile(credit), await profile(credit, buyer)
        assert (before["level"], [a["account_id"] for a in before["accounts"]]) == ("C", [str(SHOP)])
        assert (seller["level"], seller["accounts"]) == ("B", [])
        assert (new_owner["level"], new_owner["facts"]) == ("C", 1)
        told = [(c.operator_id, c.from_level, c.to_level) for c in await levels(credit)]
        assert sorted(told[1:]) == sorted([(OWNER, "C", "B"), (buyer, "B", "C")])

    @pytest.mark.parametrize("batch", [1, 3])
    @pytest.mark.parametrize("order", list(permutations(range(3))))
    async def test_of_a_late_file_hold_from_its_own_day_on_whatever_comes_first(
        self, credit: Service, order: Sequence[int], batch: int
    ) -> None:
        buyer, heir, late = new_id(), new_id(), new_id()
        events = [
            linked(SHOP, buyer, at=day(6), previous=OWNER, version=2),
            linked(SHOP, heir, at=day(8), previous=buyer, version=3),
            linked(SHOP, late, at=day(4), previous=heir, version=4),
        ]
        await handle(credit, [alert_raised(at=day(9))])

        for first in range(0, len(order), batch):
            await handle(credit, [events[place] for place in order[first : first + batch]])

        for operator, days in ((OWNER, [3]), (late, [5, 7, 9])):
            for number in (3, 5, 7, 9):
                answer = await credit.get(f"/v1/profiles/{operator}?as_of={day(number).date()}")
                held = [SHOP] if number in days else []
                assert [UUID(a["account_id"]) for a in answer.json()["accounts"]] == held, (operator, number)
        assert [(await profile(credit, late))["facts"], (await profile(credit))["facts"]] == [1, 0]
        gone = [(await credit.get(f"/v1/profiles/{operator}")).status_code for operator in (buyer, heir)]
        assert gone == [404, 404]

    @pytest.mark.parametrize("order", list(permutations(range(3))))
    async def test_that_come_in_another_order_are_told_by_their_versions(
        self, credit: Service, order: Sequence[int]
    ) -> None:
        owners = [new_id() for _ in range(3)]
        events = [linked(SHOP, one, at=day(2 * n), version=n + 2) for n, one in enumerate(owners)]

        await handle(credit, [events[place] for place in order])

        rows = await credit.rows("SELECT operator_id, linked_from, linked_to FROM account_links ORDER BY linked_from")
        assert [tuple(row) for row in rows] == [
            (owners[0], day(0), day(2)),
            (owners[1], day(2), day(4)),
            (owners[2], day(4), None),
        ]

    async def test_unite_the_facts_of_all_accounts(self, credit: Service) -> None:
        stall = new_id()
        await handle(credit, [linked(stall), alert_raised(), alert_raised(account=stall)])

        shown = await profile(credit, as_of=DAY.date())

        assert shown["facts"] == 2
        assert shown["score"] == pytest.approx(560.0)

    async def test_that_come_after_the_facts_bring_them_along(self, credit: Service) -> None:
        stall, owner = new_id(), new_id()
        await handle(credit, [alert_raised(account=stall, at=day(0))])

        await handle(credit, [linked(stall, owner, at=day(0))])

        assert (await profile(credit, owner, as_of=DAY.date()))["score"] == pytest.approx(580.0)


About = Callable[[UUID, str, datetime], Event]
KINDS: list[About] = [
    lambda account, name, at: alert_raised(name, account, at=at),
    lambda account, name, at: alert_raised(name, account, severity="low", at=at),
    lambda account, name, at: alert_withdrawn(name, account, at=at),
    lambda account, name, at: complaint_filed(name, account, at=at),
    lambda account, name, at: complaint_resolved("upheld", name, account, at=at),
    lambda account, _, at: checked("verified", account, at=at),
    lambda account, _, at: checked("rejected", account, at=at),
    lambda account, _, at: banned(account, at=at),
]
# In any zone: a fact's day is the one of UTC, wherever it was stated.
zones = st.integers(-12, 14).map(lambda hours: timezone(timedelta(hours=hours)))
moments = st.datetimes(datetime(2025, 1, 1), datetime(2026, 6, 1), timezones=zones)  # noqa: DTZ001
happenings = st.tuples(st.sampled_from(KINDS), st.sampled_from("abc"), moments)


@settings(
    max_examples=30,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(batches=st.lists(st.lists(happenings, min_size=1, max_size=6), min_size=1, max_size=4))
async def test_tallies_equal_what_the_facts_add_up_to(
    credit: Service, batches: list[list[tuple[About, str, datetime]]]
) -> None:
    account, operator = new_id(), new_id()
    await handle(credit, [linked(account, operator)])

    for batch in batches:
        events: list[Any] = [about(account, name, at) for about, name, at in batch]
        await handle(credit, events)

    async with in_transaction(credit.sessions) as session:
        indicators = (await tree_on(session, date(2026, 6, 1))).indicators()
    facts = await credit.rows(
        """SELECT DISTINCT ON (family, subject) kind, occurred_at FROM facts WHERE account_id = $1
        ORDER BY family, subject, revision DESC""",
        account,
    )
    expected: dict[str, tuple[int, float]] = {}
    for fact in facts:
        if fact["kind"] in indicators:
            n, weighted = expected.get(fact["kind"], (0, 0.0))
            on = fact["occurred_at"].astimezone(UTC).date()
            add = weight(on, indicators[fact["kind"]].half_life_days)
            expected[fact["kind"]] = (n + 1, weighted + add)
    tallies = await credit.rows("SELECT kind, n, weighted FROM tallies WHERE account_id = $1 AND n <> 0", account)
    assert {row["kind"]: row["n"] for row in tallies} == {kind: n for kind, (n, _) in expected.items()}
    for row in tallies:
        assert row["weighted"] == pytest.approx(expected[row["kind"]][1], abs=1e-9)
