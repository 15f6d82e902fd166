"""Files are verified again: by a register, by the platform, or they lapse, once and on their day."""

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import msgspec
import pytest_asyncio

from services.identity import reverification
from shared.clock import utc_now
from shared.clock_store import Clockwork, fire_due
from shared.database import transaction
from shared.events.identity import OperatorLapsed, OperatorVerified, VerificationDue
from shared.identifiers import account_id, operator_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import USCC, operator_changed, operator_deregistered, operator_registered
from tests.services.identity.test_registry import extract, loaded
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

VERIFIED = "2026-01-05T02:00:00Z"
# Six months later, in China.
LAST_DAY = date(2026, 7, 6)  # the 5th is a Sunday
SPREAD = timedelta(days=14)
LEGAL_ENTITY = operator_id("CN", "uscc", USCC)


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def told(service: Service, *events: Json) -> None:
    answer = await send(service, list(events))
    assert answer.json()["rejected"] == []
    await deliver_platform_events(service)


async def at(service: Service, day: date) -> int:
    """Let the clocks of a day run out; a check may begin the wait for a deadline of the same day."""
    now = datetime(day.year, day.month, day.day, tzinfo=UTC)
    fired = 0
    while True:
        async with transaction(service.sessions) as session:
            more = await fire_due(session, reverification.FIRING, now=now, source="identity")
        if not more:
            return fired
        fired += more


async def account(service: Service) -> Json:
    found: Json = (await service.get(f"/v1/operators/{LEGAL_ENTITY}")).json()["accounts"][0]
    return found


class TestLapse:
    async def test_comes_when_nobody_confirms_a_file_in_time(self, identity: Service) -> None:
        await told(identity, operator_registered(time=VERIFIED))

        await at(identity, LAST_DAY)
        before = await identity.published(OperatorLapsed)
        await at(identity, LAST_DAY + timedelta(days=2))
        await at(identity, LAST_DAY + timedelta(days=400))
        (lapsed,) = await identity.published(OperatorLapsed)
        shown = await account(identity)

        assert before == []
        # Reminded of once, some days before.
        (reminder,) = await identity.published(VerificationDue)
        due = msgspec.json.decode(reminder.data, type=VerificationDue)
        assert due.due_at == datetime(2026, 7, 6, 16, tzinfo=UTC)
        assert timedelta(0) <= due.due_at - due.occurred_at <= timedelta(days=15)
        event = msgspec.json.decode(lapsed.data, type=OperatorLapsed)
        # Midnight in China after the last day.
        assert event.occurred_at == datetime(2026, 7, 6, 16, tzinfo=UTC)
        assert (event.reasons, event.version, event.verified_at) == (
            ["verification_overdue"],
            2,
            datetime(2026, 1, 5, 2, tzinfo=UTC),
        )
        assert (shown["state"], shown["verdict"], shown["reasons"]) == (
            "lapsed",
            "unverified",
            ["verification_overdue"],
        )
        assert "SAMR Order 37" in shown["refusals"][0]["article"]
        assert shown["content"]["legal_name"] == "Lamp Trading Ltd"

    async def test_does_not_come_when_the_platform_sends_the_file_again(self, identity: Service) -> None:
        await told(identity, operator_registered(time=VERIFIED))
        await told(identity, operator_changed(time="2026-06-01T00:00:00Z"))

        await at(identity, date(2026, 11, 15))
        between = await identity.published(OperatorLapsed)
        await at(identity, date(2026, 12, 3))

        assert between == []
        assert len(await identity.published(OperatorLapsed)) == 1

    async def test_is_over_when_the_file_is_sent_after_all(self, identity: Service) -> None:
        await told(identity, operator_registered(time=VERIFIED))
        await at(identity, date(2026, 8, 1))
        await told(identity, operator_changed(time="2026-08-02T00:00:00Z"))

        shown = await account(identity)

        assert (shown["state"], shown["verdict"], shown["version"]) == ("active", "verified", 3)
        assert shown["verification_due_on"] is not None

    async def test_does_not_come_for_who_left_or_was_never_verified(self, identity: Service) -> None:
        await told(
            identity,
            operator_registered(time=VERIFIED),
            operator_deregistered("left", time="2026-02-01T00:00:00Z"),
            operator_registered(operator_ref="bad", time=VERIFIED, licence=None),
        )

        assert await at(identity, date(2027, 8, 1)) == 0
        assert await identity.published(OperatorLapsed) == []

    async def test_is_not_waited_for_where_no_law_or_calendar_reaches(self, identity: Service) -> None:
        await told(
            identity,
            operator_registered(operator_ref="old", time="2019-06-01T00:00:00Z", licence={"number": "L-1"}),
            operator_registered(operator_ref="distant", time="2099-11-01T00:00:00Z", licence={"number": "L-1"}),
        )

        rows = await identity.rows("SELECT operator_ref, verdict FROM accounts")
        assert {row["operator_ref"]: row["verdict"] for row in rows} == {"old": "verified", "distant": "verified"}
        assert await identity.rows("SELECT 1 FROM clocks") == []
        assert await identity.rows("SELECT 1 FROM quarantine") == []


class TestRegister:
    async def test_confirms_and_the_period_begins_anew(self, identity: Service, tmp_path: Path) -> None:
        path = extract(tmp_path / "a.csv", (USCC, "Lamp Trading Ltd", "active", ""))
        await loaded(identity, path, complete=True)
        await told(identity, operator_registered(time=VERIFIED))

        for month in range(7, 13):
            await at(identity, date(2026, month, 28))
        due = (await account(identity))["verification_due_on"]

        assert await identity.published(OperatorLapsed) == []
        assert date.fromisoformat(due) > date(2026, 12, 28)

    async def test_lets_lapse_who_is_not_in_it_any_more(self, identity: Service, tmp_path: Path) -> None:
        await loaded(identity, extract(tmp_path / "a.csv", (USCC, "Lamp Trading Ltd", "active", "")), complete=True)
        await told(identity, operator_registered(time=VERIFIED))
        await loaded(
            identity, extract(tmp_path / "b.csv", ("91310000132612172J", "B", "", "")), date(2026, 4, 1), complete=True
        )

        await at(identity, LAST_DAY + timedelta(days=1))
        (lapsed,) = await identity.published(OperatorLapsed)

        event = msgspec.json.decode(lapsed.data, type=OperatorLapsed)
        assert event.reasons == ["not_in_registry"]
        assert LAST_DAY - SPREAD - timedelta(days=3) <= event.occurred_at.date() <= LAST_DAY


class TestSpread:
    async def test_does_not_ask_about_all_on_one_day(self, identity: Service) -> None:
        shops = [operator_registered(operator_ref=f"shop-{n}", time=VERIFIED) for n in range(40)]
        await told(identity, *shops)

        rows = await identity.rows("SELECT subject, due_at, last_day FROM clocks WHERE kind = 'verification.check'")

        assert len(rows) == 40
        assert len({row["last_day"] for row in rows}) > 5
        assert all(row["last_day"] <= LAST_DAY for row in rows)
        # The same account is asked about at the same time, whenever that is reckoned.
        again = {account_id("north", f"shop-{n}").int % (14 * 24) for n in range(40)}
        assert len(again) > 20


class TestNow:
    async def test_goes_on_with_what_platforms_say_while_they_speak(self, identity: Service) -> None:
        await told(identity, operator_registered(time=VERIFIED))
        # As after a batch that was applied just now.
        async with transaction(identity.sessions) as session:
            flowing = await reverification.now(session)
        await identity.rows("UPDATE stream_offsets SET moved_at = moved_at - interval '2 days'")
        async with transaction(identity.sessions) as session:
            silent = await reverification.now(session)

        # Alerts and offers that flow on do not hold it up.
        await identity.rows(
            "INSERT INTO stream_offsets (consumer, topic, partition, cluster_id)"
            " VALUES ('identity', 'risk.alerts', 7, 'cluster')"
        )
        async with transaction(identity.sessions) as session:
            beside = await reverification.now(session)

        assert flowing == datetime(2026, 1, 5, 2, tzinfo=UTC)
        assert abs(beside - utc_now()) < timedelta(minutes=5)
        assert abs(silent - utc_now()) < timedelta(minutes=5)

    async def test_lets_a_history_lapse_as_it_goes_on(self, identity: Service) -> None:
        clockwork = Clockwork("identity", identity.sessions, reverification.FIRING, reverification.now)
        await told(identity, operator_registered(time=VERIFIED))
        first = await clockwork.once()
        await told(identity, operator_registered(operator_ref="later", time="2026-09-01T00:00:00Z"))
        while await clockwork.once():
            pass

        assert first == 0
        assert len(await identity.published(OperatorLapsed)) == 1
        assert len(await identity.published(OperatorVerified)) == 2
