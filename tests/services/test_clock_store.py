"""Clocks in a database: fired once, at the instant they ran out, whatever dies in between."""

import asyncio
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.calendars import calendar_of
from shared.clock_store import About, ClockRow, Clockwork, change, fire_due, reckon_again, running, start
from shared.clocks import begin, meet, pause
from shared.database import transaction
from shared.events.base import Event
from shared.events.identity import OperatorDeregistered
from shared.identifiers import derived_id
from tests.services.doors import OpenService, Service

BEGAN = datetime(2026, 3, 2, 2, tzinfo=UTC)
DUE = datetime(2026, 3, 9, 16, tzinfo=UTC)
CN = calendar_of("CN")

# A worker that has claimed what is due and waits before its commit.
WORKER = """
import asyncio, sys
from datetime import datetime
from shared.clock_store import fire_due
from shared.database import make_engine, make_sessions, transaction
from tests.services.test_clock_store import fired

async def main(url, now):
    async with transaction(make_sessions(make_engine(url))) as session:
        count = await fire_due(session, {"exit": fired}, now=datetime.fromisoformat(now), source="identity")
        print(count, flush=True)
        await asyncio.sleep(60)

asyncio.run(main(*sys.argv[1:]))
"""


async def fired(_: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Return an event for each clock; which one does not matter here."""
    return [
        OperatorDeregistered(
            occurred_at=row.due_at,
            account_id=row.subject,
            operator_id=row.subject,
            platform_id=row.platform_id,
            operator_ref=row.content["ref"],
            version=1,
            reason="left",
        )
        for row in rows
        if row.due_at is not None
    ]


def about(name: str) -> About:
    subject = derived_id(name)
    return About(derived_id("clock", name), "exit", subject, "north", {"ref": name})


async def begun(service: Service, *names: str) -> list[UUID]:
    async with transaction(service.sessions) as session:
        for name in names:
            assert await start(session, about(name), begin(CN, at=BEGAN, amount=5, unit="calendar_days"))
    return [about(name).id for name in names]


async def fire(service: Service, now: datetime) -> int:
    async with transaction(service.sessions) as session:
        return await fire_due(session, {"exit": fired}, now=now, source="identity")


class TestFireDue:
    async def test_fires_at_the_end_of_the_last_day_and_never_again(self, open_service: OpenService) -> None:
        identity = await open_service("identity")
        await begun(identity, "shop")

        counts = [await fire(identity, now) for now in (DUE - timedelta(seconds=1), DUE, DUE + timedelta(days=9))]
        (event,) = await identity.published(OperatorDeregistered)
        (row,) = await identity.rows("SELECT state, due_at FROM clocks")

        assert counts == [0, 1, 0]
        assert event.time == "2026-03-09T16:00:00Z"
        assert (row["state"], row["due_at"]) == ("expired", DUE)

    async def test_fires_once_although_a_worker_is_killed_before_its_commit(self, open_service: OpenService) -> None:
        identity = await open_service("identity")
        await begun(identity, "shop", "stall")
        command = (sys.executable, "-c", WORKER, identity.settings.database_url, DUE.isoformat())
        worker = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        assert worker.stdout is not None
        assert await asyncio.wait_for(worker.stdout.readline(), 30) == b"2\n"

        meanwhile = await fire(identity, DUE)
        worker.kill()
        await worker.wait()
        # Its session ends with it, as soon as the server has noticed.
        fired_again = 0
        for _ in range(600):
            fired_again += await fire(identity, DUE)
            if fired_again:
                break
            await asyncio.sleep(0.05)
        afterwards = await fire(identity, DUE)

        assert (meanwhile, fired_again, afterwards) == (0, 2, 0)
        assert len(await identity.published(OperatorDeregistered)) == 2

    async def test_shares_what_is_due_among_workers(self, open_service: OpenService) -> None:
        identity = await open_service("identity")
        await begun(identity, *(f"shop-{n}" for n in range(40)))

        counts = await asyncio.gather(*(fire(identity, DUE) for _ in range(4)))

        assert sum(counts) == len(await identity.published(OperatorDeregistered)) == 40

    async def test_leaves_what_stands_or_was_done(self, open_service: OpenService) -> None:
        identity = await open_service("identity")
        stands, done = await begun(identity, "stands", "done")
        async with transaction(identity.sessions) as session:
            await change(session, stands, lambda c: pause(c, CN, at=BEGAN, by="officer", because="asked for evidence"))
            row = await change(session, done, lambda c: meet(c, CN, at=BEGAN, by="done", evidence="receipt 7"))
        async with transaction(identity.sessions) as session:
            open_ones = [await running(session, one.subject, "exit") for one in (about("stands"), about("done"))]

        assert row.state == "met"
        assert [len(rows) for rows in open_ones] == [1, 0]
        assert await fire(identity, DUE + timedelta(days=900)) == 0

    async def test_is_begun_once_for_one_id(self, open_service: OpenService) -> None:
        identity = await open_service("identity")
        await begun(identity, "shop")
        async with transaction(identity.sessions) as session:
            again = await start(session, about("shop"), begin(CN, at=BEGAN, amount=9, unit="months"))

        assert not again


class TestClockwork:
    async def test_fires_until_told_to_stop(self, open_service: OpenService) -> None:
        identity = await open_service("identity")
        await begun(identity, "shop")

        async def now(_: AsyncSession) -> datetime:
            return DUE

        stop = asyncio.Event()
        working = asyncio.create_task(Clockwork("identity", identity.sessions, {"exit": fired}, now).run(stop))
        for _ in range(600):
            if await identity.published(OperatorDeregistered):
                break
            await asyncio.sleep(0.05)
        stop.set()
        await working

        assert [row["state"] for row in await identity.rows("SELECT state FROM clocks")] == ["expired"]

    async def test_reckons_anew_when_holidays_were_announced(self, open_service: OpenService) -> None:
        identity = await open_service("identity")
        await begun(identity, "shop")
        # As it was stored before a notice moved its end.
        await identity.rows("UPDATE clocks SET is_provisional = true, due_at = due_at + interval '3 days'")

        async with transaction(identity.sessions) as session:
            moved = await reckon_again(session)
            row = (await session.execute(select(ClockRow))).scalar_one()

        assert (moved, row.due_at, row.is_provisional) == (1, DUE, False)
