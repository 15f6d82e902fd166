"""Starting the stack, alone or with a stream of events: up, run, simulate."""

import asyncio
import signal
import time
from collections.abc import Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands import screen
from deploy.commands.options import (
    BaseTime,
    Data,
    DatabaseUrl,
    Events,
    KafkaBootstrap,
    PortBase,
    Seed,
    VarDir,
)
from deploy.commands.refusals import or_end
from deploy.departments import register
from deploy.institutions import register_institutions
from deploy.layout import SERVICES, Ports
from deploy.report import Counts
from deploy.stack import Stack
from deploy.streaming import Supply, after_the_month, open_supply, send, settled_report, store, with_schemes
from deploy.tokens import Issuer

# What shells report for a program ended by Ctrl-C.
_INTERRUPTED = 130


def up(
    *,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    kafka_bootstrap: KafkaBootstrap = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Start the stack on the data it has, and stay up until Ctrl-C."""
    stack = Stack(var, Ports(port_base), kafka_bootstrap=kafka_bootstrap, database_url=database_url)
    _until_interrupted(_stay_up(stack))


def run(
    *,
    data: Data = None,
    keep: Annotated[bool, typer.Option("--keep", help="go on with the data of the last run")] = False,
    leave: Annotated[
        bool, typer.Option("--exit", help="end after the summary, status 0 only if all reconciles")
    ] = False,
    events: Events = 30_000,
    seed: Seed = 7,
    base: BaseTime = None,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    kafka_bootstrap: KafkaBootstrap = None,
    database_url: DatabaseUrl = None,
) -> None:
    """Start the stack, stream a marketplace through it, and print what became of every event."""
    supply = or_end(lambda: open_supply(data, events=events, seed=seed, base=base))
    stack = Stack(var, Ports(port_base), kafka_bootstrap=kafka_bootstrap, database_url=database_url, keep=keep)
    _until_interrupted(_run(stack, supply, leave=leave))


def simulate(
    *,
    data: Data = None,
    events: Events = 30_000,
    seed: Seed = 7,
    base: BaseTime = None,
    rate: Annotated[float | None, typer.Option(help="events per second; default: as fast as answered")] = None,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
) -> None:
    """Stream a marketplace into a stack that is already up."""
    supply = or_end(lambda: open_supply(data, events=events, seed=seed, base=base))
    _until_interrupted(_simulate(supply, Ports(port_base), Issuer(var / "keys"), rate))


async def _stay_up(stack: Stack) -> int:
    async with stack:
        await register(stack.ports, stack.issuer)
        await _stay(stack)
    return 0


async def _run(stack: Stack, supply: Supply, *, leave: bool) -> int:
    async with stack:
        await register(stack.ports, stack.issuer)
        await register_institutions(supply, stack.ports, stack.issuer)
        before = await Counts.ask(stack)
        started_at = time.monotonic()
        with screen.progress(supply.expected_events) as show:
            totals = await send(supply, stack.ports, stack.issuer, on_progress=show)
        await after_the_month(supply, stack.ports, stack.issuer)
        settled = await settled_report(stack, supply, totals, started_at, before)
        report = await with_schemes(stack, supply, settled)
        store(report, supply, stack.var_dir)
        screen.summary(report)
        if not leave:
            await _stay(stack)
        return 0 if report.reconciles() else 1


async def _stay(stack: Stack) -> None:
    screen.addresses(stack.ports, SERVICES)
    # Here, and only here, Ctrl-C is how it is meant to end.
    with suppress(asyncio.CancelledError):
        await stack.watched()


async def _simulate(supply: Supply, ports: Ports, issuer: Issuer, rate: float | None) -> int:
    await register_institutions(supply, ports, issuer)
    with screen.progress(supply.expected_events) as show:
        totals = await send(supply, ports, issuer, events_per_second=rate, on_progress=show)
    screen.answers(totals)
    return 0


def _until_interrupted(work: Coroutine[None, None, int]) -> None:
    """Run to the end, or until Ctrl-C or SIGTERM, and end the process with what came of it."""
    screen.show_log()
    raise typer.Exit(or_end(lambda: asyncio.run(_interruptible(work))))


async def _interruptible(work: Coroutine[None, None, int]) -> int:
    task = asyncio.ensure_future(work)
    # Cancelled once: a second Ctrl-C would only cut short the stop that the first one began.
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    told = asyncio.create_task(interrupted.wait())
    await asyncio.wait({task, told}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
    if task.done():
        return task.result()
    task.cancel()
    await asyncio.wait({task})
    return _INTERRUPTED if task.cancelled() else task.result()
