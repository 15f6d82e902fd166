"""The kill loop: `python -m tests.faults.chaos --kills 50`, ending in `lost=<n> doubled=<n> kills=<n>`.

One seed is streamed twice, once undisturbed and once while processes and servers are killed. Nothing may be
lost or doubled at any stage, and every operator's profile must come out the same. Accounts of long ago are in the
stream: their clocks run out and their data is purged while things are killed, once and for good. Orders of removal are
given, acknowledged, withdrawn and carried out meanwhile, and sellers are demanded to be known.
"""

import asyncio
import logging
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.departments import register
from deploy.layout import Ports
from deploy.preflight import StackError
from deploy.report import Counts, Report
from deploy.stack import Stack
from deploy.streaming import Supply, open_supply, settled_report
from shared.clock import utc_now
from simulator.totals import Totals
from tests.faults.duties import Duties
from tests.faults.histories import purges_of, purging, with_histories
from tests.faults.killing import Killer, killable, order_of_kills
from tests.faults.load import send_steadily
from tests.faults.outcomes import Outcome, notices_missing, outcome
from tests.faults.stalls import Progress as Watched
from tests.faults.stalls import watched

_CONSUMERS = ("identity", "listings", "risk", "credit", "disputes", "gateway")
_SERVERS = ("postgres", "broker")
_EVENTS_PER_KILL = 1_000
# Slow enough for what was killed to be back before most of the next kills, fast enough to catch it at work.
_SECONDS_PER_KILL = 4.0
_MOST_NAMED = 20

_console = Console()


@dataclass(frozen=True)
class Disturbed:
    """A run under kills: what it came to and what was done to it."""

    outcome: Outcome
    report: Report
    totals: Totals
    killer: Killer
    missing: int
    stalls: Mapping[str, float]

    def lost(self) -> int:
        """Return what was sent and not accepted, published and not applied, or due and not received."""
        refused = self.totals.rejected + max(self.totals.unaccounted, 0)
        return self.report.reconciliation.lost + self.missing + refused


@dataclass(frozen=True)
class Experiment:
    """One seeded stream, and where it runs."""

    supply: Supply
    ports: Ports
    as_of: date

    async def undisturbed(self, directory: Path) -> tuple[Outcome, Totals]:
        """Stream as fast as answered, and kill nothing."""
        async with Stack(directory, self.ports, keep=False) as stack:
            before, started_at = await _ready(stack), time.monotonic()
            duties = Duties(stack, self.supply)
            with _bar("undisturbed run", self.supply.expected_events) as show:
                async with purging(stack, self.supply), duties.done_meanwhile():
                    totals = await send_steadily(
                        stack, self.supply, events_per_second=None, on_progress=lambda t: show(t.events)
                    )
            report = await settled_report(stack, self.supply, totals, started_at, before)
            if totals.rejected or not report.reconciles():
                raise StackError(f"the undisturbed run is no measure: {totals.examples[:3]}, {report}")
            return await self._outcome(stack, duties), totals

    async def disturbed(self, directory: Path, *, kills: int, events: int, rng: Random) -> Disturbed:
        """Stream steadily, and kill as the stream goes on."""
        async with Stack(directory, self.ports, keep=False) as stack:
            before, started_at = await _ready(stack), time.monotonic()
            victims = order_of_kills(kills, processes=killable(stack), servers=_SERVERS, rng=rng)
            killer, duties = Killer(stack, victims, events), Duties(stack, self.supply)
            async with watched(stack, _CONSUMERS) as progress:
                totals = await self._under_kills(duties, killer, events / (kills * _SECONDS_PER_KILL))
            _console.print("waiting until everything has arrived")
            await stack.ready()
            report = await settled_report(stack, self.supply, totals, started_at, before)
            missing = await notices_missing(stack)
            stalls = stalls_by_victim(progress, killer)
            return Disturbed(await self._outcome(stack, duties), report, totals, killer, missing, stalls)

    async def _under_kills(self, duties: Duties, killer: Killer, rate: float) -> Totals:
        stack = duties.stack
        with _bar("kills", len(killer.victims)) as show:
            killing = asyncio.create_task(killer.run(show))
            async with purging(stack, self.supply), duties.done_meanwhile():
                totals = await send_steadily(stack, self.supply, events_per_second=rate, on_progress=killer.on_progress)
                await killing
        return totals

    async def _outcome(self, stack: Stack, duties: Duties) -> Outcome:
        return await outcome(stack, self.as_of, await purges_of(stack, self.supply), await duties.compared())


def stalls_by_victim(progress: Watched, killer: Killer) -> dict[str, float]:
    """Return the longest time without progress around the kills of each victim, in seconds."""
    stalls: dict[str, float] = {}
    for at, name in killer.moments:
        gap = progress.longest_gap(at, at + _SECONDS_PER_KILL)
        stalls[name] = max(gap, stalls.get(name, 0.0))
    return stalls


async def _ready(stack: Stack) -> Counts:
    await register(stack.ports, stack.issuer)
    return await Counts.ask(stack)


@contextmanager
def _bar(what: str, total: int | None) -> Iterator[Callable[[int], None]]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=_console) as bar:
        task = bar.add_task(what, total=total)
        yield lambda done: bar.update(task, completed=done)


async def _compare(experiment: Experiment, directory: Path, kills: int, rng: Random) -> bool:
    expected, totals = await experiment.undisturbed(directory)
    found = await experiment.disturbed(directory, kills=kills, events=totals.events, rng=rng)
    differences = list(expected.differences(found.outcome))
    _console.print(_table(found, len(differences)))
    for difference in differences[:_MOST_NAMED]:
        _console.print(difference, markup=False)
    lost, doubled = found.lost(), found.report.reconciliation.doubled
    # The contract fixes this line; a console would wrap or colour it.
    typer.echo(f"lost={lost} doubled={doubled} kills={found.killer.killed.total()}")
    return lost == 0 and doubled == 0 and not differences and found.report.reconciles()


def _table(found: Disturbed, differences: int) -> Table:
    table = Table(title=f"{found.report.source} under kills, {found.report.seconds:.0f} s", title_justify="left")
    table.add_column("what")
    table.add_column("count", justify="right")
    table.add_column("longest stall", justify="right")
    for name, times in sorted(found.killer.killed.items()):
        table.add_row(f"kill -9 {name}", str(times), f"{found.stalls[name]:.1f} s")
    table.add_section()
    rows = {
        "events sent": found.totals.events,
        "requests repeated": found.totals.retries,
        "duplicates after a lost answer": found.totals.duplicate_after_lost_answer,
        "assessed": found.report.risk.assessed,
        "profiles": len(found.outcome.profiles),
        "files lapsed by a clock": found.outcome.identity["states"].get("lapsed", 0),
        "accounts purged": sum(name.startswith("purge") for name in found.outcome.identity),
        **found.outcome.duties.counts(),
        "notices delivered": found.report.notices.delivered,
        "notices missing": found.missing,
        "differences to the undisturbed run": differences,
    }
    for what, count in rows.items():
        table.add_row(what, f"{count:,}")
    return table


def main(
    kills: Annotated[int, typer.Option(min=1, help="how many processes to kill")] = 50,
    seed: Annotated[int, typer.Option(help="of the marketplace and of the kills")] = 7,
    events: Annotated[int | None, typer.Option(min=1, help="default: 1,000 for each kill")] = None,
    port_base: Annotated[int, typer.Option(help="first port of the stack")] = 9400,
) -> None:
    """Kill processes under a seeded load and compare with an undisturbed run."""
    base = utc_now()
    experiment = Experiment(
        with_histories(open_supply(None, events=events or kills * _EVENTS_PER_KILL, seed=seed, base=base)),
        Ports(port_base),
        # A day later, so that it covers both runs even where midnight falls between them.
        (base + timedelta(days=1)).date(),
    )
    directory = Path(tempfile.mkdtemp(prefix="crosswatch-chaos-"))
    # PostgreSQL runs as another user when we are root.
    directory.chmod(0o711)
    logging.basicConfig(filename=directory / "chaos.log", level=logging.INFO)
    try:
        same = asyncio.run(_compare(experiment, directory, kills, Random(seed)))
    except StackError as error:
        sys.exit(f"chaos: {error}")
    if not same:
        sys.exit(f"the logs are kept in {directory}")
    shutil.rmtree(directory)


if __name__ == "__main__":
    typer.run(main)
