"""Run parts of several services in one process: `python -m deploy.host api:risk worker:credit`."""

import asyncio
import gc
import importlib
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import cast

import structlog
import uvloop

from shared.logs import configure_logging
from shared.process import configure_tracing, run_in_batches, settle_memory

log = structlog.get_logger(__name__)

Run = Callable[[str, asyncio.Event], Awaitable[None]]


def main(parts: list[str]) -> None:
    """Run until told to stop; end with status 1 when a part fails, so that the supervisor starts us again."""
    if not parts:
        sys.exit("usage: python -m deploy.host <role>:<service> ...")
    configure_logging("host", os.environ.get("LOG_LEVEL", "INFO"))
    configure_tracing("host", os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"))
    loaded = [_load(part) for part in parts]
    settle_memory()
    if all(role != "api" for role, _, _ in loaded):
        run_in_batches()
    uvloop.run(run_parts(loaded))
    # The interpreter's last collection over all that was imported takes 0.4 s of a core, in every process of
    # a stack that stops at once: with this there is nothing left to collect.
    gc.freeze()


async def run_parts(parts: list[tuple[str, str, Run]]) -> None:
    """Run every part in this loop; the first to fail stops the others and is raised."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with asyncio.TaskGroup() as group:
        for role, service, run in parts:
            group.create_task(_run_part(role, service, run, stop), name=f"{role}:{service}")


async def _run_part(role: str, service: str, run: Run, stop: asyncio.Event) -> None:
    # Each part is a task with a context of its own, so its lines carry its own name.
    structlog.contextvars.bind_contextvars(service=service, role=role)
    try:
        await run(role, stop)
    except Exception:
        log.exception("part_failed")
        raise
    finally:
        finished_early = not stop.is_set()
        stop.set()
    if finished_early:
        raise RuntimeError(f"{role}:{service} ended without being told to")


def _load(part: str) -> tuple[str, str, Run]:
    role, _, service = part.partition(":")
    # By name because the command line names them: a host imports only the services it runs.
    module = importlib.import_module(f"services.{service}.__main__")
    return role, service, cast("Run", module.run)


if __name__ == "__main__":
    main(sys.argv[1:])
