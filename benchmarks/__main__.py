"""`make bench`: the measurements, each with its reference in the same run, into docs/benchmarks.md."""

import asyncio
import contextlib
import os
import platform
import tempfile
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import spine
from benchmarks.load import Batch, make_batches
from benchmarks.reference import raw_events_per_s
from benchmarks.results import Result, missing, store
from benchmarks.spine import Outcome
from deploy.kafka.cluster import KafkaCluster
from deploy.preflight import StackError

_LATENCY_RATE = 3_000
_LATENCY_SECONDS = 30
_PROBING_SECONDS = 20
_STEPS_DOWN = (0.85, 0.7, 0.55)
_P99_LIMIT_MS = 1_000.0
_NOT_YET = "the capability is not built yet"

_console = Console()


def main(
    only: Annotated[str, typer.Option(help="run the benchmarks whose name begins so")] = "",
    seconds: Annotated[float, typer.Option(help="length of the sustained run")] = 60.0,
) -> None:
    """Measure, and write docs/benchmarks.md and var/bench.json."""
    results: list[Result] = []
    for broker in ("embedded", "kafka"):
        name = f"spine.events_per_s.{broker}"
        if name.startswith(only) or f"spine.p99_ms_at_3000.{broker}".startswith(only):
            results += asyncio.run(_spine(broker, seconds))
    if not only:
        results += [missing(other, unit, _NOT_YET) for other, unit in _LATER.items()]
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; everything on it."
    store(results, machine, var_dir=Path("var"))
    for result in results:
        _console.print(f"{result.name} = {result.value} {result.unit}")


_LATER = {
    "risk.scored_per_s_core": "1/s",
    "risk.rings_s_per_million_edges": "s",
    "risk.anchor_events_per_s": "1/s",
    "risk.anchor_vs_quix": "ratio",
    "identity.lookup_p99_ms": "ms",
    "identity.name_search_p99_ms": "ms",
    "identity.badges_per_s_core": "1/s",
    "governance.linter_mb_per_s": "MB/s",
    "listings.screened_per_s_core": "1/s",
    "listings.rescan_s_per_million": "s",
    "listings.quota_p99_ms": "ms",
    "disputes.lifecycles_per_s": "1/s",
    "disputes.lifecycles_per_s_at_1m": "1/s",
    "credit.profile_p99_ms": "ms",
    "credit.replay_s_per_100k": "s",
    "gateway.notices_per_s": "1/s",
    "supervision.appends_per_s": "1/s",
    "supervision.search_p99_ms": "ms",
    "supervision.draw_s_per_million": "s",
}


@contextlib.asynccontextmanager
async def _broker(name: str) -> AsyncIterator[str | None]:
    """Yield the bootstrap of a fresh Apache Kafka broker, or None for the embedded one."""
    if name == "embedded":
        yield None
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        async with KafkaCluster(Path(directory), brokers=1, first_port=9_700) as cluster:
            yield cluster.bootstrap


async def _spine(broker: str, seconds: float) -> list[Result]:
    try:
        async with _broker(broker) as bootstrap:
            return await _measure_spine(broker, bootstrap, seconds)
    except StackError as error:
        return [missing(f"spine.events_per_s.{broker}", "1/s", str(error))]


async def _measure_spine(broker: str, bootstrap: str | None, seconds: float) -> list[Result]:
    with _console.status(f"{broker}: latency at {_LATENCY_RATE}/s"):
        calm = await spine.measure(_LATENCY_SECONDS, _LATENCY_RATE, size=100, kafka=bootstrap)
    with _console.status(f"{broker}: capacity"):
        full = await spine.measure(_PROBING_SECONDS, None, size=500, kafka=bootstrap)
    capacity = full.events / full.visible_seconds
    sustained, rate = full, capacity
    for step in _STEPS_DOWN:
        rate = capacity * step
        with _console.status(f"{broker}: {rate:,.0f} events/s for {seconds:.0f} s"):
            sustained = await spine.measure(seconds, rate, size=500, kafka=bootstrap)
        if sustained.percentile_ms(99) < _P99_LIMIT_MS and not sustained.missing:
            break
    _, load = make_batches(100_000, seed=11, size=500, probe_every=1_000)
    results = [_throughput(broker, full, sustained, rate, await _raw(bootstrap, load)), _latency(broker, calm)]
    return [*results, *_by_the_way(full, sustained)] if broker == "embedded" else results


def _throughput(broker: str, full: Outcome, sustained: Outcome, rate: float, raw: float) -> Result:
    reached = sustained.events / sustained.visible_seconds
    capacity = full.events / full.visible_seconds
    return Result(
        name=f"spine.events_per_s.{broker}",
        value=reached,
        unit="events/s",
        reference="aiokafka produce and consume of the same bytes",
        reference_value=raw,
        ratio=reached / raw,
        command=f"make bench ONLY=spine.events_per_s.{broker}",
        notes=[f"as fast as accepted: {capacity:,.0f} events/s", *_notes(sustained, rate)],
    )


def _latency(broker: str, calm: Outcome) -> Result:
    return Result(
        name=f"spine.p99_ms_at_3000.{broker}",
        value=calm.percentile_ms(99),
        unit="ms",
        command=f"make bench ONLY=spine.events_per_s.{broker}",
        notes=_notes(calm, _LATENCY_RATE),
    )


def _by_the_way(full: Outcome, sustained: Outcome) -> list[Result]:
    total = sum(sustained.cpu_us_per_event.values())
    return [
        Result(
            name="ingest.events_per_s",
            value=full.events / full.seconds,
            unit="events/s",
            notes=["answered 202 while relay and workers take their share of the same cores"],
        ),
        Result(name="spine.cpu_us_per_event", value=total, unit="µs"),
    ]


async def _raw(bootstrap: str | None, load: Sequence[Batch]) -> float:
    if bootstrap is not None:
        return await raw_events_per_s(bootstrap, load)
    async with spine.stack(None) as running:
        return await raw_events_per_s(running.bootstrap, load)


def _notes(outcome: Outcome, rate: float) -> list[str]:
    stages = sorted(outcome.cpu_us_per_event.items(), key=lambda item: -item[1])
    offered = f"{outcome.events:,} events offered at {rate:,.0f}/s, sent in {outcome.seconds:.1f} s, all through"
    probes = f"due to assessed and profiled, {len(outcome.latencies)} probes: p50 {outcome.percentile_ms(50):.0f} ms"
    tail = f"p99 {outcome.percentile_ms(99):.0f} ms, largest {outcome.percentile_ms(100):.0f} ms"
    return [
        f"{offered} after {outcome.visible_seconds:.1f} s; {outcome.refused} answers asked to wait",
        f"{probes}, {tail}",
        "CPU per event, µs: " + ", ".join(f"{name} {used:.1f}" for name, used in stages),
        "peak memory, MB: " + ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(outcome.peak_mb.items())),
        f"write-ahead log per event: {outcome.bytes_written_per_event:.0f} bytes",
    ]


if __name__ == "__main__":
    typer.run(main)
