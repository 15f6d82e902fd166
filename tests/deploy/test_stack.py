"""The supervisor: what it starts stays up, dies with it, and never spans two brokers."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from deploy.layout import ROOT, Composition, Ports, Process
from deploy.preflight import StackError, is_free, require_disk
from deploy.stack import Stack

IDLE = Composition(
    (),
    (
        Process("api", "tests.deploy.idle", ()),
        Process("relay", "tests.deploy.idle", (), speaks_kafka=True),
        Process("worker", "tests.deploy.idle", (), speaks_kafka=True),
    ),
)


# One loop for the module: the watch over a stack that several tests share goes on between them.
pytestmark = pytest.mark.asyncio(loop_scope="module")


@contextmanager
def reachable_directory() -> Iterator[Path]:
    """Make a data directory that PostgreSQL can reach when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="crosswatch-stack-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture
def directory() -> Iterator[Path]:
    with reachable_directory() as path:
        yield path


@pytest.fixture
def ports() -> Ports:
    return free_ports()


def free_ports() -> Ports:
    """Return ports beside those of a running stack and of other tests."""
    bases = (base for base in range(21_000, 60_000, 200) if is_free(base + 32) and is_free(base + 92))
    return Ports(next(bases))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack() -> AsyncIterator[Stack]:
    with reachable_directory() as path:
        async with Stack(path, free_ports(), composition=IDLE) as running:
            yield running


async def replaced(stack: Stack, names: set[str], before: dict[str, int]) -> dict[str, int]:
    """Return the process ids once all of these have new ones."""
    async with asyncio.timeout(20):
        while True:
            now = stack.pids()
            if all(name in now and now[name] != before[name] for name in names):
                return now
            await asyncio.sleep(0.02)


class TestWatch:
    async def test_starts_a_killed_child_again_and_no_other(self, stack: Stack) -> None:
        before = stack.pids()

        stack.kill("api")

        after = await replaced(stack, {"api"}, before)
        assert {name for name in before if after[name] != before[name]} == {"api"}

    async def test_lets_no_worker_or_relay_outlive_the_broker_it_knew(self, stack: Stack) -> None:
        before = stack.pids()
        workers = [psutil.Process(before[name]) for name in ("relay", "worker")]

        stack.kill("broker")

        after = await replaced(stack, {"broker", "relay", "worker"}, before)
        born = psutil.Process(after["broker"]).create_time()
        assert all(not worker.is_running() for worker in workers)
        assert all(psutil.Process(after[name]).create_time() >= born for name in ("relay", "worker"))
        assert (after["api"], after["postgres"]) == (before["api"], before["postgres"])

    async def test_starts_a_killed_postgres_again_and_leaves_the_others(self, stack: Stack) -> None:
        before = stack.pids()

        stack.kill("postgres")

        after = await replaced(stack, {"postgres"}, before)
        await stack.ready()
        assert {name for name in before if after[name] != before[name]} == {"postgres"}


class TestStop:
    async def test_ends_every_child_within_five_seconds(self, directory: Path, ports: Ports) -> None:
        async with Stack(directory, ports, composition=IDLE) as stack:
            children = [psutil.Process(pid) for pid in stack.pids().values()]
            started = time.monotonic()

        assert time.monotonic() - started < 5
        assert not [child for child in children if child.is_running()]

    async def test_happens_to_the_children_of_a_killed_supervisor(self, directory: Path, ports: Ports) -> None:
        command = [sys.executable, "-m", "tests.deploy.lonely_stack", str(directory), str(ports.base)]
        supervisor = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE, cwd=ROOT)
        assert supervisor.stdout is not None
        line = await supervisor.stdout.readline()
        children = [psutil.Process(pid) for pid in json.loads(line).values()]

        supervisor.kill()

        await supervisor.wait()
        assert len(children) == 5
        _, alive = await asyncio.to_thread(psutil.wait_procs, children, 5)
        assert not alive


class TestStart:
    async def test_keeps_the_data_of_the_last_run(self, directory: Path, ports: Ports) -> None:
        async with Stack(directory, ports, composition=IDLE):
            created = (directory / "postgres" / "data" / "PG_VERSION").stat().st_mtime_ns

        async with Stack(directory, ports, composition=IDLE):
            assert (directory / "postgres" / "data" / "PG_VERSION").stat().st_mtime_ns == created

    async def test_survives_the_pid_file_of_a_server_that_is_gone(self, directory: Path, ports: Ports) -> None:
        async with Stack(directory, ports, composition=IDLE):
            pass
        # The number of a process that lives but is no PostgreSQL, as after a restart of the machine.
        leftover = directory / "postgres" / "data" / "postmaster.pid"
        leftover.write_text("1\n")

        async with Stack(directory, ports, composition=IDLE) as stack:
            assert "postgres" in stack.pids()

    async def test_refuses_a_second_run_on_the_same_data(self, stack: Stack, ports: Ports) -> None:
        second = Stack(stack.var_dir, Ports(ports.base + 100), composition=IDLE)

        with pytest.raises(StackError, match=r"already runs on .* as process \d+"):
            await second.start()

        assert stack.pids()

    async def test_names_the_port_that_is_taken_and_who_has_it(self, directory: Path, ports: Ports) -> None:
        taken = ports.of("postgres")
        said = rf"(?s)  {taken} \(postgres\): process {os.getpid()} .*--port-base"

        with (
            socket.create_server(("127.0.0.1", taken)),
            pytest.raises(StackError, match=said),
        ):
            await Stack(directory, ports, composition=IDLE).start()

    async def test_says_what_a_full_disk_needs(self, directory: Path) -> None:
        with pytest.raises(StackError, match=rf"GiB are free for {directory}, and 1048576.0 GiB are needed"):
            require_disk(directory, 1 << 50)

    async def test_tells_which_child_cannot_start(self, directory: Path, ports: Ports) -> None:
        broken = Composition((), (*IDLE.processes, Process("broken", "tests.deploy.idle", ("fail",))))
        stack = Stack(directory, ports, composition=broken)

        with pytest.raises(StackError, match=r"(?s)broken does not stay up.*told to fail"):
            await stack.start(ready_seconds=1)


class TestSignals:
    async def test_a_child_can_be_asked_politely(self, stack: Stack) -> None:
        before = stack.pids()

        stack.kill("worker", signal.SIGTERM)

        await replaced(stack, {"worker"}, before)
