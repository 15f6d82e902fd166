"""The whole path under load: POST → accepted → Kafka → assessed and profiled, all on one machine."""

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import MappingProxyType

import asyncpg
import numpy as np
import psutil

from benchmarks.load import PROBE, Batch, Sender, Sent, make_batches
from deploy.databases import plain
from deploy.departments import register
from deploy.layout import Ports
from deploy.stack import Stack
from shared.auth import Role
from shared.identifiers import account_id, transaction_id

PORTS = Ports(9500)
# How much is made ready for each second of a run that sends as fast as it is answered.
UNPACED_EVENTS_PER_S = 6_000.0
PROBES_PER_S = 20
# A probe is seen up to so much later than it was there; looking more often would be load of its own.
_POLL_SECONDS = 0.05
_LOOKED_FOR_AT_ONCE = 60
_SETTLE_SECONDS = 120.0


@dataclass(frozen=True)
class Outcome:
    """One run at one rate: seconds from a probe's due time to assessed and profiled, CPU by process."""

    events: int
    seconds: float
    visible_seconds: float
    latencies: Sequence[float]
    missing: int
    refused: int
    cpu_us_per_event: Mapping[str, float]
    peak_mb: Mapping[str, float]
    bytes_written_per_event: float
    lag_events: int
    loop_seconds: float

    @property
    def throughput(self) -> float:
        """Return events per second, from the first that is sent until all are through."""
        return self.events / self.visible_seconds

    @property
    def busy_share(self) -> float:
        """Return the share of the machine's cores that was used."""
        used = sum(self.cpu_us_per_event.values()) * self.events / 1e6
        return used / self.visible_seconds / (os.cpu_count() or 1)

    def percentile_ms(self, q: float) -> float:
        """Return a percentile of the probes' latencies, in milliseconds."""
        return float(np.percentile(self.latencies, q) * 1000) if self.latencies else float("nan")


@dataclass(frozen=True)
class External:
    """A broker that is not the stack's own, and its processes, so that they count."""

    bootstrap: str
    pids: Mapping[str, int]


class Watcher:
    """Sees each probe when its assessment and its fact are committed, as their APIs would answer."""

    def __init__(self, stack: Stack, sent: Sent) -> None:
        self._stack = stack
        self._sent = sent
        self.seen: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Poll both databases for the probes that are under way."""
        risk = await asyncpg.connect(plain(self._stack.urls["risk"].app))
        credit = await asyncpg.connect(plain(self._stack.urls["credit"].app))
        await risk.execute("SELECT set_config('crosswatch.platform', '*', false)")
        while True:
            waiting = (key for key in list(self._sent.due) if key not in self.seen)
            oldest = islice(waiting, _LOOKED_FOR_AT_ONCE)
            open_probes = {transaction_id(platform, ref): (platform, ref) for platform, ref in oldest}
            if open_probes:
                await self._look(risk, credit, open_probes)
            await asyncio.sleep(_POLL_SECONDS)

    async def _look(self, risk: asyncpg.Connection, credit: asyncpg.Connection, probes: dict) -> None:  # type: ignore[type-arg]
        assessed = await risk.fetch(
            "SELECT transaction_id AS t FROM assessments WHERE transaction_id = ANY ($1::uuid[])",
            list(probes),
        )
        ids = [row["t"] for row in assessed]
        accounts = list({account_id(probes[t][0], PROBE) for t in ids})
        known = await credit.fetch(
            "SELECT subject FROM facts WHERE account_id = ANY ($1::uuid[]) AND family = 'trade' AND subject = ANY ($2)",
            accounts,
            [str(t) for t in ids],
        )
        now = time.monotonic()
        found = {row["subject"] for row in known}
        for t in ids:
            if str(t) in found:
                self.seen[probes[t]] = now


class Meters:
    """CPU seconds and memory of every process of the stack, PostgreSQL's and the broker's included."""

    def __init__(self, stack: Stack, others: Mapping[str, int]) -> None:
        self._stack = stack
        self._others = others
        self.peak: dict[str, float] = {}

    def cpu(self) -> dict[str, float]:
        """Return the CPU seconds used so far, by process."""
        used = {"load generator": sum(psutil.Process().cpu_times()[:2])}
        for name, pid in [*self._stack.pids().items(), *self._others.items()]:
            process = psutil.Process(pid)
            family = [process, *process.children(recursive=True)]
            used[name] = sum(sum(_times(p)) for p in family)
            memory = sum(p.memory_info().rss for p in family if p.is_running()) / 1e6
            self.peak[name] = max(self.peak.get(name, 0.0), memory)
        return used


def _times(process: psutil.Process) -> tuple[float, float]:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0, 0.0
    # A backend that ended counts in its parent, as it does for the kernel.
    return times.user + times.children_user, times.system + times.children_system


async def drive(
    stack: Stack,
    first: Sequence[Batch],
    load: Sequence[Batch],
    events_per_s: float | None,
    others: Mapping[str, int] = MappingProxyType({}),
) -> Outcome:
    """Send a load at a rate, wait until it is all through, and say what it took."""
    sender = _sender(stack, {batch.platform_id for batch in [*first, *load]})
    await sender.send(first, None)
    await _quiet(stack)
    sender.sent.events, sender.sent.answers = 0, []
    watcher, meters = Watcher(stack, sender.sent), Meters(stack, others)
    watching = asyncio.create_task(watcher.run())
    before, written = meters.cpu(), await _written(stack)
    started = time.monotonic()
    await sender.send(load, events_per_s)
    sent_at = time.monotonic()
    lag = await _behind(stack)
    await _quiet(stack)
    done = time.monotonic()
    after = meters.cpu()
    await asyncio.sleep(4 * _POLL_SECONDS)
    watching.cancel()
    await sender.close()
    events = sender.sent.events
    due = sender.sent.due
    return Outcome(
        events=events,
        seconds=sent_at - started,
        visible_seconds=done - started,
        latencies=[watcher.seen[key] - due[key] for key in due if key in watcher.seen],
        missing=len(due.keys() - watcher.seen.keys()),
        refused=sender.sent.refused,
        cpu_us_per_event={k: (after[k] - before.get(k, 0.0)) / events * 1e6 for k in after},
        peak_mb=meters.peak,
        bytes_written_per_event=(await _written(stack) - written) / events,
        lag_events=lag,
        loop_seconds=_fixed_loop(),
    )


def _sender(stack: Stack, platforms: Iterable[str]) -> Sender:
    tokens = {p: stack.issuer.issue(Role.PLATFORM, platform_id=p) for p in platforms}
    return Sender({name: stack.ports.url(name) for name in ("identity", "listings")}, tokens)


def _fixed_loop() -> float:
    """Return the seconds of five million additions: the same machine may be slow at one time and fast at another."""
    started, total = time.perf_counter(), 0
    for number in range(5_000_000):
        total += number
    return time.perf_counter() - started


async def _written(stack: Stack) -> int:
    connection = await asyncpg.connect(plain(stack.urls["listings"].app))
    try:
        return int(await connection.fetchval("SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')"))
    finally:
        await connection.close()


async def _behind(stack: Stack) -> int:
    """Return how many events are accepted and not yet applied by the first consumer."""
    connection = await asyncpg.connect(plain(stack.urls["listings"].app))
    try:
        return int(
            await connection.fetchval(
                "SELECT (SELECT coalesce(sum(count), 0) FROM outbox WHERE topic = 'listings.accepted')"
                " - (SELECT coalesce(sum(applied), 0) FROM stream_offsets WHERE consumer = 'listings')"
            )
        )
    finally:
        await connection.close()


_QUIET = {
    ("listings", "listings.accepted"): ("listings",),
    ("listings", "listings.transactions"): ("risk", "credit"),
    ("identity", "identity.accepted"): ("identity",),
    ("identity", "identity.operators"): ("risk", "credit"),
}


async def _quiet(stack: Stack) -> None:
    """Wait until every consumer on the path has applied all that was published."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    connections = {
        s: await asyncpg.connect(plain(stack.urls[s].app)) for s in ("listings", "identity", "risk", "credit")
    }
    try:
        while time.monotonic() < deadline:
            if await _all_applied(connections):
                return
            await asyncio.sleep(0.02)
    finally:
        for connection in connections.values():
            await connection.close()


async def _all_applied(connections: Mapping[str, asyncpg.Connection]) -> bool:
    for (owner, topic), consumers in _QUIET.items():
        published = await connections[owner].fetchval(
            "SELECT coalesce(sum(count), 0) FROM outbox WHERE topic = $1", topic
        )
        for consumer in consumers:
            applied = await connections[consumer].fetchval(
                "SELECT coalesce(sum(applied), 0) FROM stream_offsets WHERE consumer = $1 AND topic = $2",
                consumer,
                topic,
            )
            if applied != published:
                return False
    return True


@asynccontextmanager
async def stack(kafka: str | None) -> AsyncIterator[Stack]:
    """Yield a fresh stack under a directory that PostgreSQL's user can reach."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        Path(directory).chmod(0o711)  # noqa: ASYNC240 - before anything runs
        async with Stack(Path(directory), PORTS, kafka_bootstrap=kafka, keep=False) as running:
            await register(running.ports, running.issuer)
            yield running


async def measure(
    seconds: float, events_per_s: float | None, *, size: int, external: External | None = None
) -> Outcome:
    """Run a fresh stack under one rate for so many seconds; without a rate, as fast as it accepts."""
    rate = events_per_s or UNPACED_EVENTS_PER_S
    first, load = make_batches(
        int(seconds * rate), seed=11, size=size, probe_every=max(1, int(rate / size / PROBES_PER_S))
    )
    async with stack(external.bootstrap if external else None) as running:
        return await drive(running, first, load, events_per_s, external.pids if external else {})
