"""One process of a service: its API, its worker or its relay, until it is told to stop."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog
import uvicorn
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from shared import lag
from shared.logs import configure_logging
from shared.relay import Relay, make_producer
from shared.settings import ServiceSettings
from shared.topics import ensure_topics, read_cluster_id

log = structlog.get_logger(__name__)

GC_THRESHOLD = 2_000_000

Role = Callable[[asyncio.Event], Awaitable[None]]


async def serve(app: FastAPI, port: int, stop: asyncio.Event) -> None:
    """Answer HTTP on a port until told to stop; requests in hand are finished."""
    config = uvicorn.Config(
        app,
        host=os.environ.get("BIND_HOST", "127.0.0.1"),
        port=port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=3,
        http="httptools",
        server_header=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve())  # noqa: SLF001 - serve() would take the signals over
    await _either(stop, serving)
    server.should_exit = True
    await serving


async def relay(settings: ServiceSettings, stop: asyncio.Event) -> None:
    """Send a service's outbox until told to stop."""
    cluster_id = await _until(stop, lambda: read_cluster_id(settings.kafka_bootstrap))
    if cluster_id is None:
        return
    producer = await make_producer(settings.kafka_bootstrap, idempotent=settings.kafka_idempotent)
    dsn = plain_url(settings.database_url)
    sender = Relay(
        settings.service,
        dsn,
        producer,
        cluster_id,
        lambda topic: ensure_topics(settings.kafka_bootstrap, settings.kafka_replication, [topic]),
    )
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(sender.run(stop))
            group.create_task(lag.watch(settings.service, dsn, settings.kafka_bootstrap, stop))
    finally:
        await asyncio.wait_for(producer.stop(), 10)


class Task(Protocol):
    """What a worker runs until it is told to stop: a consumer, or what fires clocks."""

    async def run(self, stop: asyncio.Event) -> None:
        """Run."""


async def consume(tasks: Sequence[Task], stop: asyncio.Event) -> None:
    """Run consumers and what works beside them until told to stop; one that fails for good ends the process."""
    async with asyncio.TaskGroup() as group:
        for task in tasks:
            group.create_task(task.run(stop))


def settle_memory() -> None:
    """Keep the collector off what lives for good, and from looking while a batch is in hand.

    A batch of a thousand messages makes some hundred thousand objects that reference counting frees by itself;
    with the interpreter's own thresholds a third of a worker's time went into looking at them.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 100)


def run_in_batches() -> None:
    """Tell the scheduler that this process works a batch at a time: it is not to interrupt another to begin one.

    On two busy cores it took a fifth off the latency of the slowest events, and some of the cost of all.
    """
    if hasattr(os, "SCHED_BATCH"):
        # A sandbox may refuse it; then everything works as before.
        with contextlib.suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


def plain_url(url: str) -> str:
    """Return a database URL as asyncpg reads it."""
    return url.replace("postgresql+asyncpg://", "postgresql://")


def main(service: str, run: Callable[[str, asyncio.Event], Awaitable[None]], *more: str) -> None:
    """Run one role of a service from the command line: `python -m services.<name> api|worker|relay`, and `more`."""
    roles = ("api", "worker", "relay", *more)
    if len(sys.argv) != 2 or sys.argv[1] not in roles:
        sys.exit(f"usage: python -m services.{service} {'|'.join(roles)}")
    asyncio.run(_main(service, run))
    # Nothing is left to be collected at exit: the interpreter's last look at all that was imported takes 0.4 s.
    gc.freeze()


async def _main(service: str, run: Callable[[str, asyncio.Event], Awaitable[None]]) -> None:
    configure_logging(service)
    configure_tracing(service, os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    settle_memory()
    if sys.argv[1] != "api":
        run_in_batches()
    stop = asyncio.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    await run(sys.argv[1], stop)


def configure_tracing(service: str, endpoint: str | None = None) -> None:
    """Make trace ids for every request and batch; export spans where `OTEL_EXPORTER_OTLP_ENDPOINT` says."""
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if endpoint:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces")))
    trace.set_tracer_provider(provider)


async def _until(stop: asyncio.Event, ask: Callable[[], Awaitable[str]]) -> str | None:
    while not stop.is_set():
        try:
            return await ask()
        except Exception as error:  # noqa: BLE001 - the broker is not up yet, in one of many ways
            log.info("broker_awaited", error=repr(error))
            await asyncio.sleep(0.2)
    return None


async def _either(stop: asyncio.Event, task: asyncio.Task[None]) -> None:
    told = asyncio.create_task(stop.wait())
    await asyncio.wait({told, task}, return_when=asyncio.FIRST_COMPLETED)
    told.cancel()
