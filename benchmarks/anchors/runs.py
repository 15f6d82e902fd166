"""Runs of the anchors' work: the risk worker's, and the other engines' on the same stream and broker."""

import asyncio
import os
import pickle
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import numpy as np
import psutil
from aiokafka import AIOKafkaProducer

from benchmarks.anchors.work import RULES, AnchorTransaction, HourlySlots
from benchmarks.anchors.worker import TOPIC
from benchmarks.results import Result
from deploy.databases import Passwords, ServiceUrls, drop_databases, plain, provision, service_urls
from deploy.embedded import EmbeddedPostgres
from deploy.kafka.cluster import KafkaCluster
from deploy.preflight import StackError, free_port
from services.risk.cells import Floats
from services.risk.window_store import Events
from shared import migrations
from shared.database import make_engine, make_sessions, transaction
from shared.messaging import sequence
from shared.process import settle_memory
from shared.topics import ensure_topics

EVENTS = 400_000
_WARM = 100_000
_RUNS = 3
_PATIENCE_SECONDS, _LOOK_SECONDS = 180.0, 0.02
_CHUNK = 2_000
_LATENCY_RATE, _LATENCY_SECONDS, _SETTLED_SECONDS = 3_000, 30, 5
_TICK_SECONDS = 0.002
# A message is late from when it was due: what the producer sleeps longer is not the worker's.
_DUE_WITHIN_SECONDS = 0.001
_MILLION = 1_000_000
_SLOTS = 4
_MARK = "benchmark"


class Run(NamedTuple):
    """One run of one engine."""

    events_per_s: float
    cores: float
    peak_mb: float


class Place(NamedTuple):
    """Where the work is done."""

    bootstrap: str
    admin_url: str
    urls: ServiceUrls


@asynccontextmanager
async def place() -> AsyncIterator[Place]:
    """Yield a fresh Apache Kafka broker and a PostgreSQL that keeps what it says it keeps."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)  # noqa: ASYNC240 - before anything runs
        passwords = Passwords(directory / "passwords.json")
        postgres = EmbeddedPostgres(
            directory / "postgres", free_port(), passwords.of("postgres"), log=directory / "postgres.log"
        )
        child = postgres.child()
        child.start()
        await postgres.ready(child)
        try:
            async with KafkaCluster(directory, brokers=1, first_port=9_700) as cluster:
                urls = service_urls(postgres.admin_url, "risk", passwords)
                yield Place(cluster.bootstrap, postgres.admin_url, urls)
        finally:
            await child.kill()


async def fresh_database(at: Place) -> None:
    """Make the worker's database anew, with the five rules and no others."""
    await drop_databases(at.admin_url, {"risk": at.urls}, _MARK)
    await provision(at.admin_url, {"risk": at.urls}, _MARK)
    await asyncio.to_thread(migrations.upgrade, "risk", at.urls.owner)
    connection = await asyncpg.connect(plain(at.urls.owner))
    try:
        await connection.execute("DELETE FROM rules")
        for number, expression in RULES.items():
            await connection.execute(
                "INSERT INTO rules (code, version, stream, scope, expression, severity, points, reason, source,"
                " valid_from) VALUES ($1, 1, 'activity', 'key', $2, 'low', 1, 'anchor', 'anchors', '2016-01-01')",
                f"anchor_{number}",
                expression,
            )
    finally:
        await connection.close()


def messages(directory: Path) -> list[tuple[bytes, bytes]]:
    """Return the stream, made here by the anchors' own generator, as keys and values."""
    loaded: list[tuple[bytes, bytes]] = pickle.loads((directory / "data.pkl").read_bytes())  # noqa: S301 - made here
    return loaded


def _headers(number: int) -> list[tuple[str, bytes]]:
    """Return what a consumer needs: the other engines' messages have none at all."""
    return [("ce_type", AnchorTransaction.type.encode()), ("ce_sequence", sequence(1, 1, number))]


async def load(bootstrap: str, stream: list[tuple[bytes, bytes]], topic: str = TOPIC) -> None:
    """Put the stream on a topic of its own, with the headers that a consumer needs."""
    await ensure_topics(bootstrap, 1, [topic])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5, max_batch_size=262_144)
    await producer.start()
    try:
        for start in range(0, len(stream), _CHUNK):
            part = enumerate(stream[start : start + _CHUNK], start)
            sent = [await producer.send(topic, value, key=key, headers=_headers(n)) for n, (key, value) in part]
            await asyncio.gather(*sent)
    finally:
        await producer.stop()


@asynccontextmanager
async def workers(at: Place, count: int, topic: str = TOPIC) -> AsyncIterator[list[psutil.Process]]:
    """Run so many members of the worker's group; they are killed at the end."""
    command = (sys.executable, "-m", "benchmarks.anchors.worker", "--bootstrap", at.bootstrap)
    arguments = ("--database-url", at.urls.app, "--topic", topic)
    running = [
        await asyncio.create_subprocess_exec(*command, *arguments, stdout=asyncio.subprocess.DEVNULL)
        for _ in range(count)
    ]
    try:
        yield [psutil.Process(process.pid) for process in running]
    finally:
        for process in running:
            process.kill()
            await process.wait()


async def our_run(at: Place, directory: Path, count: int) -> Run:
    """Run a group over the whole stream, on the clock from 100,000 committed events to all of them.

    Raises StackError where its alerts are others than the reference's.
    """
    await fresh_database(at)
    connection = await asyncpg.connect(plain(at.urls.owner))
    try:
        async with workers(at, count) as running:
            warm = await _applied(connection, _WARM)
            began, used = time.perf_counter(), _cpu(running)
            every = await _applied(connection, EVENTS)
            seconds = time.perf_counter() - began
            cores = (_cpu(running) - used) / seconds
            peak = sum(_peak_mb(process) for process in running)
    finally:
        await connection.close()
    await _check(at, directory)
    return Run((every - warm) / seconds, cores, peak)


async def _applied(connection: "asyncpg.Connection[asyncpg.Record]", expected: int) -> int:
    """Wait until so many events are committed, and return how many are."""
    async with asyncio.timeout(_PATIENCE_SECONDS):
        while True:
            applied: int = await connection.fetchval("SELECT coalesce(sum(applied), 0)::int FROM stream_offsets")
            if applied >= expected:
                return applied
            await asyncio.sleep(_LOOK_SECONDS)


def _cpu(running: Sequence[psutil.Process]) -> float:
    return sum(sum(process.cpu_times()[:2]) for process in running)


def _peak_mb(process: psutil.Process) -> float:
    (line,) = [
        line for line in Path(f"/proc/{process.pid}/status").read_text().splitlines() if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) / 1_024


async def _check(at: Place, directory: Path) -> None:
    reference = pickle.loads((directory / "ref.pkl").read_bytes())  # noqa: S301 - made here
    connection = await asyncpg.connect(plain(at.urls.owner))
    try:
        await connection.execute("SELECT set_config('crosswatch.platform', '*', false)")
        found = {row["e"] for row in await connection.fetch("SELECT evidence[1] AS e FROM alerts")}
    finally:
        await connection.close()
    if found != reference:
        raise StackError(f"alerts: {len(reference - found)} are missing, {len(found - reference)} are too many")


async def others_run(anchors: Path, directory: Path, bootstrap: str, engine: str) -> list[Run]:
    """Run another engine by the anchors' own script, as often as ours."""
    output = await script(anchors, directory, bootstrap, engine, str(_RUNS))
    for line in output.splitlines():
        if line.startswith("SUM "):
            words = line.split()
            rates, cores, memory = (words[words.index(name) + 1].split("/") for name in ("min/med/max", "cores", "rss"))
            return [Run(*map(float, one)) for one in zip(rates, cores, memory, strict=True)]
    raise StackError(f"{engine} said nothing of its pace: {output[-300:]}")


async def script(anchors: Path, directory: Path, bootstrap: str, *arguments: str) -> str:
    """Run the anchors' script and return what it printed. Raises StackError."""
    process = await asyncio.create_subprocess_exec(
        str(anchors / "run.sh"),
        *arguments,
        env={**os.environ, "BOOT": bootstrap, "ANCHORS_DIR": str(directory)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode:
        raise StackError(f"run.sh {' '.join(arguments)} ended with {process.returncode}: {output.decode()[-300:]}")
    return output.decode()


def median(runs: list[Run]) -> Run:
    """Return the median of each figure."""
    return Run(*(statistics.median(column) for column in zip(*runs, strict=True)))


async def measure(anchors: Path, directory: Path) -> list[Result]:
    """Measure everything, in one run on one broker."""
    if not (directory / "ref.pkl").exists():
        directory.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240
        await script(anchors, directory, "", "setup")
    stream = messages(directory)
    # Looking through the stream for garbage stalled the producer, and looked like latency.
    settle_memory()
    async with place() as at:
        await load(at.bootstrap, stream)
        await script(anchors, directory, at.bootstrap, "load")
        ours = {
            f"ours, {count} in the group": [await our_run(at, directory, count) for _ in range(_RUNS)]
            for count in (1, 2)
        }
        others = {
            engine: await others_run(anchors, directory, at.bootstrap, engine)
            for engine in ("ks_rocks1", "ks_rocks2", "quix")
        }
        latencies = await alert_latencies(at, stream)
        restored = await restored_seconds(at)
    return _results(ours, others, latencies, restored)


async def alert_latencies(at: Place, stream: list[tuple[bytes, bytes]]) -> list[float]:
    """Return seconds from producing to committed, of each alert, at a steady rate."""
    await fresh_database(at)
    topic = f"{TOPIC}.steady"
    await ensure_topics(at.bootstrap, 1, [topic])
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    over = asyncio.Event()
    watching = asyncio.create_task(_watch(at, seen, over))
    try:
        async with workers(at, 1, topic):
            await asyncio.sleep(_SETTLED_SECONDS)
            await _produce_steadily(at.bootstrap, topic, stream, sent)
            await asyncio.sleep(_SETTLED_SECONDS)
    finally:
        over.set()
        await watching
    # The first seconds compile and warm up, with every engine.
    steady = list(sent)[_LATENCY_RATE * _SETTLED_SECONDS :]
    started = set(steady)
    return [at - sent[event] for key, at in seen.items() if (event := key.rsplit(":", 1)[0]) in started]


async def _produce_steadily(
    bootstrap: str, topic: str, stream: list[tuple[bytes, bytes]], sent: dict[str, float]
) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=0)
    await producer.start()
    try:
        began, pending = time.perf_counter(), []
        for number in range(_LATENCY_RATE * (_LATENCY_SECONDS + _SETTLED_SECONDS)):
            due = began + number / _LATENCY_RATE
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(max(early, _DUE_WITHIN_SECONDS))
            key, value = stream[number]
            sent[value[13:49].decode()] = max(due, began)
            pending.append(await producer.send(topic, value, key=key, headers=_headers(number)))
        await asyncio.gather(*pending)
    finally:
        await producer.stop()


async def _watch(at: Place, seen: dict[str, float], over: asyncio.Event) -> None:
    """Look for new alerts every few milliseconds, as somebody who reads the table does."""
    connection = await asyncpg.connect(plain(at.urls.owner))
    try:
        await connection.execute("SELECT set_config('crosswatch.platform', '*', false)")
        while not over.is_set():
            rows = await connection.fetch(
                "SELECT evidence[1] AS e FROM alerts WHERE raised_at > clock_timestamp() - interval '200 milliseconds'"
            )
            now = time.perf_counter()
            for row in rows:
                seen.setdefault(row["e"], now)
            await asyncio.sleep(_TICK_SECONDS)
    finally:
        await connection.close()


async def restored_seconds(at: Place) -> float:
    """Return how long it takes to read the state of a million pairs again, after its process is gone."""
    await fresh_database(at)
    sessions = make_sessions(make_engine(at.urls.app))
    draw = np.random.default_rng(3)
    keys = draw.permutation(_MILLION).astype(np.int64)
    for part in np.array_split(np.concatenate([keys, keys[: _MILLION // 2]]), 150):
        by_slot = {slot: part[part % _SLOTS == slot] for slot in range(_SLOTS)}
        async with transaction(sessions) as session:
            slots = sessions.kw["info"].setdefault("bench", HourlySlots())
            await slots.take(session, by_slot)
            folded = {slot: _events(slot_keys, draw) for slot, slot_keys in by_slot.items()}
            for slot, events in folded.items():
                slots.fold(slot, events)
            await slots.store(session, folded)
    began = time.perf_counter()
    async with transaction(sessions) as session:
        again = HourlySlots()
        await again.take(session, list(range(_SLOTS)))
    return time.perf_counter() - began


def _events(keys: "np.ndarray[tuple[int], np.dtype[np.int64]]", draw: np.random.Generator) -> Events:
    count = len(keys)
    times = np.sort(draw.integers(0, 86_400_000, count))
    hashes = draw.integers(1, 1 << 31, count).astype(np.uint32)
    return Events(keys, times, draw.lognormal(11, 0.7, count).round(), hashes, hashes)


def _quickest(engines: Iterable[list[Run]]) -> Run:
    return max(map(median, engines), key=lambda run: run.events_per_s)


_COMMAND = "make bench ONLY=risk.anchor ANCHORS=<directory of the anchors>"


def _results(
    ours: Mapping[str, list[Run]], others: Mapping[str, list[Run]], latencies: list[float], restored: float
) -> list[Result]:
    own = _quickest(ours.values())
    streams = _quickest(runs for name, runs in others.items() if name != "quix")
    quix = median(others["quix"])
    return [
        Result(
            name="risk.anchor_events_per_s",
            value=own.events_per_s,
            unit="events/s",
            reference="Kafka Streams with RocksDB, its better number of threads",
            reference_value=streams.events_per_s,
            ratio=own.events_per_s / streams.events_per_s,
            command=_COMMAND,
            notes=[f"the same 11,854 alerts in every run; {_spread({**ours, **others})}"],
        ),
        Result(
            name="risk.anchor_vs_quix",
            value=own.events_per_s / quix.events_per_s,
            unit="ratio",
            reference="Quix Streams with RocksDB, events/s",
            reference_value=quix.events_per_s,
            ratio=own.events_per_s / quix.events_per_s,
            command=_COMMAND,
        ),
        _lateness(np.array(latencies) * 1_000),
        Result(name="risk.restored_s_per_million_keys", value=restored, unit="s", command=_COMMAND),
    ]


def _spread(engines: Mapping[str, list[Run]]) -> str:
    return "; ".join(
        f"{name} {', '.join(f'{run.events_per_s:,.0f}' for run in runs)} events/s, {median(runs).cores:.2f} cores,"
        f" {median(runs).peak_mb:.0f} MB"
        for name, runs in engines.items()
    )


def _lateness(late_ms: Floats) -> Result:
    told = (
        f"produced to committed, {len(late_ms)} alerts at {_LATENCY_RATE:,}/s: p50 {np.percentile(late_ms, 50):.1f} ms,"
        f" largest {late_ms.max():.1f} ms; seen by a reader that looks every {_TICK_SECONDS * 1_000:g} ms"
    )
    value = float(np.percentile(late_ms, 99))
    return Result(name="risk.alert_p99_ms_at_3000", value=value, unit="ms", command=_COMMAND, notes=[told])
