"""`make bench`: the measurements, each with its reference in the same run, into docs/benchmarks.md."""

import asyncio
import contextlib
import os
import platform
import tempfile
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from benchmarks import badges, name_search, register, registrations, rings, scoring, spine
from benchmarks.anchors import runs
from benchmarks.load import Batch, make_batches
from benchmarks.reference import raw_events_per_s
from benchmarks.results import Result, between, document, merged, missing, write_between
from benchmarks.spine import External, Outcome
from deploy.kafka.cluster import KafkaCluster
from deploy.layout import ROOT
from deploy.preflight import StackError

_LATENCY_RATE = 3_000
_LATENCY_SECONDS = 30
_PROBING_SECONDS = 20
# The highest rate that stays under the limit is looked for between these shares of what is accepted unpaced.
_LEAST_SHARE, _MOST_SHARE = 0.4, 0.9
_TRIALS = 3
_STEP_DOWN = 0.93
_ATTEMPTS = 8
_P99_LIMIT_MS = 1_000.0
_FIXED_LOOP = "for a fixed loop of 5,000,000 additions, which tells how fast the machine was then"
_NOT_YET = "there is no benchmark for it yet"

_console = Console()


def main(
    only: Annotated[str, typer.Option(help="run the benchmarks whose name begins so")] = "",
    seconds: Annotated[float, typer.Option(help="length of the sustained run")] = 60.0,
    anchors: Annotated[Path | None, typer.Option(help="directory of the work in other stream processors")] = None,
) -> None:
    """Measure, and write docs/benchmarks.md and var/bench.json."""
    for broker in ("embedded", "kafka"):
        name = f"spine.events_per_s.{broker}"
        if name.startswith(only) or f"spine.p99_ms_at_3000.{broker}".startswith(only):
            _keep(asyncio.run(_spine(broker, seconds)))
    for name, (said, measure) in _ALONE.items():
        if name.startswith(only):
            with _console.status(said):
                found = measure()
            _keep([found])
    if any(name.startswith(only) for name in _ANCHORED):
        _keep(_anchored(anchors))
    if not only:
        _keep([missing(other, unit, _NOT_YET) for other, unit in _LATER.items()])


def _keep(results: list[Result]) -> None:
    machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}; everything on it."
    kept = merged(results, Path("var") / "bench.json")
    path = ROOT / "docs" / "benchmarks.md"
    write_between(path, f"{machine}\n\n{document(kept, between(path))}")
    for result in results:
        _console.print(f"{result.name} = {result.value} {result.unit}")


def _anchored(anchors: Path | None) -> list[Result]:
    if anchors is None:
        why = "it needs the work of other stream processors: ANCHORS=<its directory>"
        return [missing(name, unit, why) for name, unit in _ANCHORED.items()]
    with _console.status("the work of other stream processors"):
        try:
            return asyncio.run(runs.measure(anchors.absolute(), (ROOT / "var" / "anchors").absolute()))
        except StackError as error:
            return [missing(name, unit, str(error)) for name, unit in _ANCHORED.items()]


_ALONE: dict[str, tuple[str, Callable[[], Result]]] = {
    "risk.rings_s_per_million_edges": ("rings among a million pairs", rings.seconds_per_million_edges),
    "risk.scored_per_s_core": ("scoring, a hundred thousand keys", scoring.scored_per_s_core),
    "identity.badges_per_s_core": ("badges on pages", badges.badges_per_s_core),
    "identity.lookup_p99_ms": ("looking up operators among a million", register.lookup_p99_ms),
    "identity.name_search_p99_ms": ("searching operators among a million", name_search.name_search_p99_ms),
    "identity.registrations_per_s": ("registrations, door and worker by themselves", registrations.registrations_per_s),
    "identity.registrations_at_once_per_s": (
        "registrations, door and worker at once",
        registrations.registrations_at_once_per_s,
    ),
}
_ANCHORED = {
    "risk.anchor_events_per_s": "events/s",
    "risk.anchor_vs_quix": "ratio",
    "risk.alert_p99_ms_at_3000": "ms",
    "risk.restored_s_per_million_keys": "s",
}
_LATER = {
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
async def _broker(name: str) -> AsyncIterator[External | None]:
    """Yield a fresh Apache Kafka broker, or None for the embedded one."""
    if name == "embedded":
        yield None
        return
    with tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        async with KafkaCluster(Path(directory), brokers=1, first_port=9_700) as cluster:
            yield External(cluster.bootstrap, {"broker": cluster.pids()[1]})


async def _spine(broker: str, seconds: float) -> list[Result]:
    try:
        async with _broker(broker) as external:
            return await _measure_spine(broker, external, seconds)
    except StackError as error:
        return [missing(f"spine.events_per_s.{broker}", "1/s", str(error))]


async def _measure_spine(broker: str, external: External | None, seconds: float) -> list[Result]:
    async def measure(what: str, length: float, rate: float | None, size: int = 500) -> Outcome:
        with _console.status(f"{broker}: {what}"):
            return await spine.measure(length, rate, size=size, external=external)

    calm = await measure(f"latency at {_LATENCY_RATE}/s", _LATENCY_SECONDS, _LATENCY_RATE, 100)
    full = await measure("as fast as it accepts", _PROBING_SECONDS, None)
    low, high = _LEAST_SHARE * full.throughput, _MOST_SHARE * full.throughput
    for _ in range(_TRIALS):
        rate = (low + high) / 2
        trial = await measure(f"{rate:,.0f} events/s on trial", _PROBING_SECONDS, rate)
        low, high = (rate, high) if _holds(trial) else (low, rate)
    sustained = await measure(f"{low:,.0f} events/s for {seconds:.0f} s", seconds, low)
    for _ in range(_ATTEMPTS - 1):
        if _holds(sustained):
            break
        low *= _STEP_DOWN
        sustained = await measure(f"{low:,.0f} events/s for {seconds:.0f} s", seconds, low)
    _, load = make_batches(100_000, seed=11, size=500, probe_every=1_000)
    results = [_throughput(broker, full, sustained, low, await _raw(external, load)), _latency(broker, calm)]
    return [*results, *_by_the_way(full, sustained)] if broker == "embedded" else results


def _holds(outcome: Outcome) -> bool:
    return outcome.percentile_ms(99) < _P99_LIMIT_MS and not outcome.missing


def _throughput(broker: str, full: Outcome, sustained: Outcome, rate: float, raw: float) -> Result:
    reached = sustained.throughput
    return Result(
        name=f"spine.events_per_s.{broker}",
        value=reached if _holds(sustained) else None,
        why=None if _holds(sustained) else f"p99 was {sustained.percentile_ms(99):,.0f} ms at {rate:,.0f}/s",
        unit="events/s",
        reference="aiokafka produce and consume of the same bytes",
        reference_value=raw,
        ratio=reached / raw,
        command=f"make bench ONLY=spine.events_per_s.{broker}",
        notes=[f"as fast as accepted: {full.throughput:,.0f} events/s, {_total_cpu(full)}", *_notes(sustained, rate)],
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


async def _raw(external: External | None, load: Sequence[Batch]) -> float:
    if external is not None:
        return await raw_events_per_s(external.bootstrap, load)
    async with spine.stack(None) as running:
        return await raw_events_per_s(running.bootstrap, load)


def _total_cpu(outcome: Outcome) -> str:
    return f"{sum(outcome.cpu_us_per_event.values()):.0f} µs of CPU per event"


def _notes(outcome: Outcome, rate: float) -> list[str]:
    stages = sorted(outcome.cpu_us_per_event.items(), key=lambda item: -item[1])
    offered = f"{outcome.events:,} events offered at {rate:,.0f}/s, sent in {outcome.seconds:.1f} s, all through"
    probes = f"due to assessed and profiled, {len(outcome.latencies)} probes: p50 {outcome.percentile_ms(50):.0f} ms"
    tail = f"p99 {outcome.percentile_ms(99):.0f} ms, largest {outcome.percentile_ms(100):.0f} ms"
    return [
        f"{offered} after {outcome.visible_seconds:.1f} s; {outcome.refused} answers asked to wait",
        f"{probes}, {tail}",
        f"{_total_cpu(outcome)}: " + ", ".join(f"{name} {used:.1f}" for name, used in stages),
        f"{100 * outcome.busy_share:.0f} % of {os.cpu_count()} cores; {outcome.loop_seconds:.3f} s {_FIXED_LOOP}",
        "peak memory, MB: " + ", ".join(f"{name} {mb:.0f}" for name, mb in sorted(outcome.peak_mb.items())),
        f"write-ahead log per event: {outcome.bytes_written_per_event:.0f} bytes",
    ]


if __name__ == "__main__":
    typer.run(main)
