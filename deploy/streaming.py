"""Streams a source of events into a running stack and waits until everything has arrived."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from deploy.layout import Ports
from deploy.preflight import StackError
from deploy.report import Counts, Report, Scheme, collect
from deploy.schemes import found_schemes
from deploy.stack import Stack
from deploy.tokens import Issuer
from shared.auth import Role
from shared.clock import utc_now
from simulator.customs import clear_customs
from simulator.marketplace import Marketplace
from simulator.olist import OlistOrders
from simulator.records import MissingFileError
from simulator.retries import SendError
from simulator.rights import exercise
from simulator.sender import SenderOptions, Source, stream
from simulator.totals import Totals
from simulator.truth import write_truth
from simulator.visitors import visit

_POLL_SECONDS = 0.5
_QUIET_POLLS = 3
_GIVE_UP_SECONDS = 300.0
_INGESTING = ("identity", "listings", "disputes")
_TOKEN_LIFETIME = timedelta(hours=12)


@dataclass(frozen=True, kw_only=True)
class Supply:
    """Where the events of a run come from."""

    name: str
    source: Source
    expected_events: int | None


def open_supply(data: Path | None, *, events: int, seed: int, base: datetime | None) -> Supply:
    """Return real orders when there is a directory of them, and a simulated marketplace otherwise."""
    if data is not None:
        return _real_orders(data)
    last_day = base.replace(tzinfo=UTC) if base else utc_now()
    midnight = last_day.replace(hour=0, minute=0, second=0, microsecond=0)
    marketplace = Marketplace(events=events, seed=seed, base=midnight)
    return Supply(name="simulation", source=marketplace, expected_events=events)


def _real_orders(directory: Path) -> Supply:
    try:
        orders = OlistOrders(directory)
    except (MissingFileError, OSError) as error:
        raise StackError(str(error)) from error
    return Supply(name="olist", source=orders, expected_events=orders.expected_events)


async def send(
    supply: Supply,
    ports: Ports,
    issuer: Issuer,
    *,
    events_per_second: float | None = None,
    on_progress: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Send everything through the public API, as the platforms would."""

    def _token(role: str, platform_id: str | None, subject: str | None) -> str:
        return issuer.issue(Role(role), platform_id=platform_id, subject=subject, lifetime=_TOKEN_LIFETIME)

    options = SenderOptions(
        services={name: ports.url(name) for name in _INGESTING}, events_per_second=events_per_second
    )
    try:
        async with asyncio.TaskGroup() as tasks:
            if isinstance(supply.source, Marketplace):
                # Beside the stream, a day at a time: customs looks at what was channelled before the next day comes.
                tasks.create_task(clear_customs(supply.source.declarations(), url=ports.url("risk"), token_for=_token))
            sending = tasks.create_task(
                stream(supply.source, token_for=_token, options=options, on_progress=on_progress)
            )
        return sending.result()
    except* SendError as failures:
        reasons = "; ".join(str(failure) for failure in failures.exceptions)
        raise StackError(f"the stream broke off: {reasons}") from failures


async def after_the_month(supply: Supply, ports: Ports, issuer: Issuer) -> None:
    """Let badges be issued and looked at, and rights used and duties done, once the stream is through."""

    def _token(role: str, platform_id: str | None, subject: str | None) -> str:
        return issuer.issue(Role(role), platform_id=platform_id, subject=subject)

    try:
        await visit(supply.source.platform_ids, url=ports.url("identity"), token_for=_token)
        await exercise(supply.source.platform_ids, url=ports.url("identity"), token_for=_token)
    except SendError as error:
        raise StackError(f"after the stream: {error}") from error


async def settled_report(stack: Stack, supply: Supply, totals: Totals, started_at: float, before: Counts) -> Report:
    """Return the report once it no longer changes and nothing is on its way.

    A pipeline that does not settle in five minutes is reported as it is: that is a finding, not an error.
    """
    deadline, same, last = time.monotonic() + _GIVE_UP_SECONDS, 0, None
    while True:
        seconds = round(time.monotonic() - started_at, 1)
        report = await collect(stack, source=supply.name, seconds=seconds, totals=totals, before=before)
        unchanged = last is not None and msgspec.structs.replace(report, seconds=last.seconds) == last
        quiet = unchanged and report.reconciles() and not report.risk.unpatrolled
        same = same + 1 if quiet else 0
        if same >= _QUIET_POLLS or time.monotonic() > deadline:
            return report
        last = report
        await asyncio.sleep(_POLL_SECONDS)


async def with_schemes(stack: Stack, supply: Supply, report: Report) -> Report:
    """Return the report of a simulation with what of its planted schemes was found."""
    if not isinstance(supply.source, Marketplace):
        return report
    found = await found_schemes(stack, supply.source.truth())
    schemes = {
        name: Scheme(planted=one.planted, found=one.found, recall=one.recall, precision=one.precision)
        for name, one in found.items()
    }
    return msgspec.structs.replace(report, schemes=schemes)


def store(report: Report, supply: Supply, var_dir: Path) -> None:
    """Write var/report.json, and the truth of a simulation beside it."""
    (var_dir / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2))
    if isinstance(supply.source, Marketplace):
        write_truth(var_dir / "truth.json", supply.source.truth())
