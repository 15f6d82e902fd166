"""The whole embedded stack: a broker that lost its memory, Ctrl-C in the middle, and the commands beside it."""

import asyncio
import re
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from typer.testing import CliRunner, Result

from deploy.cli import app
from deploy.commands.databases import urls_of
from deploy.databases import plain
from deploy.departments import register
from deploy.layout import ROOT, Ports
from deploy.preflight import StackError
from deploy.reconciliation import reconcile
from deploy.report import Counts
from deploy.stack import Stack
from deploy.streaming import open_supply, settled_report
from shared.auth import Role
from shared.clock import utc_now
from simulator.customs import clear_customs
from simulator.marketplace import Marketplace
from simulator.totals import Totals
from tests.deploy.test_stack import free_ports, reachable_directory
from tests.faults.load import send_steadily
from tests.faults.outcomes import notices_missing
from tests.faults.waiting import eventually

pytestmark = [pytest.mark.slow, pytest.mark.asyncio(loop_scope="module")]

_EVENTS = 2_000
_STOP_SECONDS = 5.0
_CROSSWATCH = (sys.executable, "-c", "from deploy.cli import app; app()")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    with reachable_directory() as directory:
        async with Stack(directory, free_ports()) as stack:
            await register(stack.ports, stack.issuer)
            yield stack


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as path:
        yield path


async def crosswatch(stack: Stack, *arguments: str) -> Result:
    """Run a command beside a stack; it has an event loop of its own, so it gets a thread."""
    where = ("--var", str(stack.var_dir), "--port-base", str(stack.ports.base))
    return await asyncio.to_thread(lambda: CliRunner().invoke(app, [*arguments, *where]))


async def poison(stack: Stack) -> None:
    """Put a withdrawal of a listing that nobody published where only accepted events are."""
    producer = AIOKafkaProducer(bootstrap_servers=stack.bootstrap)
    await producer.start()
    headers = [("ce_type", b"platform.listing.withdrawn.v1"), ("ce_source", b"/platforms/north")]
    await producer.send_and_wait("listings.accepted", b'{"listing_ref": "nobody\'s"}', headers=headers)
    await producer.stop()


class TestBroker:
    async def test_that_lost_its_memory_is_refilled_and_nothing_is_missing(self, stack: Stack) -> None:
        supply = open_supply(None, events=_EVENTS, seed=11, base=None)
        before, started_at = await Counts.ask(stack), time.monotonic()
        killed = asyncio.Event()

        def kill_it_halfway(totals: Totals) -> None:
            if totals.events > _EVENTS / 2 and not killed.is_set():
                killed.set()
                stack.kill("broker")

        totals = await send_steadily(stack, supply, events_per_second=None, on_progress=kill_it_halfway)
        report = await settled_report(stack, supply, totals, started_at, before)

        assert killed.is_set()
        assert report.accepted == report.sent
        assert report.reconciles()
        assert await notices_missing(stack) == 0


class TestDeclarations:
    async def test_are_channelled_once_each_while_their_worker_is_killed(self, stack: Stack) -> None:
        midnight = utc_now().replace(hour=0, minute=0, second=0, microsecond=0)
        declarations = list(Marketplace(events=6_000, seed=5, base=midnight).declarations())

        def token(role: str, platform_id: str | None, subject: str | None) -> str:
            return stack.issuer.issue(Role(role), platform_id=platform_id, subject=subject)

        clearing = asyncio.create_task(clear_customs(declarations, url=stack.ports.url("risk"), token_for=token))
        for share in (0.2, 0.5, 0.8):
            await eventually(partial(lodged, stack, share * len(declarations)))
            stack.kill("worker-risk")
        cleared = await clearing
        await eventually(partial(told, stack, len(declarations)))

        counted = (await Counts.ask(stack)).of["risk"]["declarations"]
        assert (cleared.lodged, cleared.refused) == (len(declarations), 0)
        assert (counted["lodged"], counted["inspected"]) == (len(declarations), cleared.inspected)
        assert sum(row.lost + row.doubled for row in await reconcile(stack.urls)) == 0
        assert await rows(stack, "risk", "SELECT 1 FROM inspection_days WHERE spent > volume") == []
        (volume,) = await rows(stack, "risk", "SELECT sum(volume)::int FROM inspection_days")
        assert volume[0] == len(declarations)


async def lodged(stack: Stack, least: float) -> bool:
    """Tell whether so many declarations have their channels."""
    return (await Counts.ask(stack)).of["risk"]["declarations"]["lodged"] >= least  # type: ignore[no-any-return]


async def told(stack: Stack, count: int) -> bool:
    """Tell whether customs has so many notices of declarations queued, and no more."""
    statement = "SELECT count(*) FROM deliveries WHERE type = 'risk.declaration.channelled.v1'"
    (found,) = await rows(stack, "gateway", statement)
    return bool(found[0] == count)


async def rows(stack: Stack, service: str, statement: str) -> list[asyncpg.Record]:
    """Return what a statement finds in a service's database."""
    connection = await asyncpg.connect(plain(stack.urls[service].app))
    try:
        return list(await connection.fetch(statement))
    finally:
        await connection.close()


class TestDepartments:
    async def test_keep_a_subscription_of_their_own(self, stack: Stack) -> None:
        await rows(stack, "gateway", "UPDATE endpoints SET types = types[2:] WHERE department = 'customs'")
        statement = "SELECT department, types FROM endpoints ORDER BY department"
        own = await rows(stack, "gateway", statement)

        await register(stack.ports, stack.issuer)

        assert await rows(stack, "gateway", statement) == own


class TestCommands:
    @pytest.mark.parametrize(
        ("kind", "said"),
        [
            ("declarations", "inspections are known; 200 are learnt from"),
            ("alerts", "alerts are confirmed or false; 200 are learnt from"),
        ],
    )
    async def test_risk_train_says_what_there_is_too_little_of(self, stack: Stack, kind: str, said: str) -> None:
        result = await crosswatch(stack, "risk", "train", kind)

        assert result.exit_code == 1
        assert said in result.output

    async def test_reconcile_finds_everything_applied_once(self, stack: Stack) -> None:
        result = await crosswatch(stack, "reconcile")

        assert result.exit_code == 0, result.output
        assert "listings.transactions" in result.output

    async def test_replay_sends_a_department_its_notices_again(self, stack: Stack) -> None:
        since = (utc_now() - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")

        result = await crosswatch(stack, "replay", "customs", "--since", since)

        assert re.search(r"/notices/customs: [1-9][\d,]* notices are due again", result.output)

    async def test_rules_are_listed(self, stack: Stack) -> None:
        result = await crosswatch(stack, "rules", "list")

        assert result.exit_code == 0
        assert "amount" in result.output

    async def test_quarantine_lists_shows_and_keeps_what_is_still_bad(self, stack: Stack) -> None:
        await poison(stack)

        async def is_kept() -> bool:
            return "listings.accepted" in (await crosswatch(stack, "quarantine", "show", await held(stack))).output

        await eventually(is_kept)
        identifier = await held(stack)
        shown = await crosswatch(stack, "quarantine", "show", identifier)
        listed = await crosswatch(stack, "quarantine", "list")
        released = await crosswatch(stack, "quarantine", "release", identifier)

        assert "nobody's" in shown.output
        assert listed.exit_code == 0
        assert released.exit_code == 1
        assert f"{identifier} stays: handler_failed: UnknownListing" in released.output


async def held(stack: Stack) -> str:
    """Return the id of the message in the quarantine of listings; of none while there is none."""
    connection = await asyncpg.connect(plain(stack.urls["listings"].app))
    try:
        found = await connection.fetchval("SELECT id FROM quarantine LIMIT 1")
    finally:
        await connection.close()
    return str(found or "00000000-0000-0000-0000-000000000000")


class TestInterrupt:
    async def test_in_the_middle_loses_nothing(self, directory: Path) -> None:
        ports = free_ports()
        base = f"{utc_now() - timedelta(days=1):%Y-%m-%d}"
        command = [*_CROSSWATCH, "run", "--events", "20000", "--base", base]
        where = ["--var", str(directory), "--port-base", str(ports.base)]

        first = await asyncio.create_subprocess_exec(*command, *where, cwd=ROOT, stdout=subprocess.DEVNULL)
        await eventually(lambda: has_accepted(directory, ports, 1_000), seconds=300)
        first.send_signal(signal.SIGINT)
        async with asyncio.timeout(_STOP_SECONDS):
            interrupted = await first.wait()
        second = await asyncio.create_subprocess_exec(
            *command, "--keep", "--exit", *where, cwd=ROOT, stdout=subprocess.PIPE
        )
        output, _ = await second.communicate()

        assert interrupted == 130
        assert second.returncode == 0, output.decode()


async def has_accepted(directory: Path, ports: Ports, events: int) -> bool:
    """Tell whether a stack that another process runs has accepted so many events."""
    try:
        connection = await asyncpg.connect(plain(urls_of(directory, ports, None)["listings"].app), timeout=5)
    except (OSError, StackError, asyncpg.PostgresError):
        return False
    try:
        await connection.execute("SELECT set_config('crosswatch.platform', '*', false)")
        return bool(await connection.fetchval("SELECT count(*) >= $1 FROM accepted_events", events))
    except asyncpg.UndefinedTableError:
        return False
    finally:
        await connection.close()
