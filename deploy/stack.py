"""The local stack: PostgreSQL, the broker and every service, started, watched and stopped as children."""

import asyncio
import logging
import secrets
import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

import httpx

from deploy.children import Child
from deploy.databases import Passwords, ServiceUrls, drop_databases, service_urls
from deploy.embedded import EmbeddedBroker, EmbeddedPostgres
from deploy.environment import Broker, preparation_environment, service_environment
from deploy.layout import DATABASES, ROOT, Composition, Ports, Process, local_composition
from deploy.preflight import GIB, InstanceLock, StackError, free_bytes, require_disk, require_free_ports
from deploy.revival import Revival
from deploy.secret_files import write_secret
from deploy.tokens import Issuer

_WATCH_SECONDS = 0.05
_DISK_SECONDS = 5.0
_SERVICES_STOP_SECONDS = 2.5
# Both together; what the services do not need is left to PostgreSQL, which writes out what it holds.
_STOP_SECONDS = 4.3
_READY_SECONDS = 90.0
# A process that cannot start is mostly dead by then.
_SETTLED_SECONDS = 0.5

_log = logging.getLogger(__name__)


class Stack:
    """One running Crosswatch under one data directory; `async with` starts and stops it."""

    def __init__(
        self,
        var_dir: Path,
        ports: Ports,
        *,
        kafka_bootstrap: str | None = None,
        database_url: str | None = None,
        keep: bool = True,
        composition: Composition | None = None,
    ) -> None:
        self.var_dir = var_dir.absolute()
        self.ports = ports
        self._keep = keep
        self._composition = composition or local_composition(ports, self.var_dir)
        self._lock = InstanceLock(self.var_dir)
        self._passwords = Passwords(self.var_dir / "keys" / "databases.json")
        self._postgres = None if database_url else self._embedded_postgres()
        self._broker = None if kafka_bootstrap else EmbeddedBroker(ports.of("broker"), log=self._log_of("broker"))
        self._admin_url = database_url or ""
        self.bootstrap = kafka_bootstrap or f"127.0.0.1:{ports.of('broker')}"
        self._children: dict[str, Child] = {}
        self._revivals: dict[str, Revival] = {}
        self._watch: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    @property
    def issuer(self) -> Issuer:
        """Who signs the tokens this stack accepts."""
        return Issuer(self.var_dir / "keys")

    @property
    def urls(self) -> Mapping[str, ServiceUrls]:
        """How each service reaches its database."""
        names = [name for name in DATABASES if name.partition("_")[0] in self._composition.services]
        return {name: service_urls(self._admin_url, name, self._passwords) for name in names}

    async def start(self, ready_seconds: float = _READY_SECONDS) -> None:
        """Bring everything up and return when every API is ready. Raises StackError."""
        self._lock.acquire()
        try:
            require_disk(self.var_dir)
            require_free_ports(self._own_ports())
            await self._bring_up()
            await self.ready(ready_seconds)
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop everything within five seconds. What was accepted is on disk; the rest was never answered."""
        if self._watch:
            self._watch.cancel()
            await asyncio.wait({self._watch})
        servers = [self._children[name] for name in ("postgres", "broker") if name in self._children]
        workers = [child for child in self._children.values() if child not in servers]
        deadline = time.monotonic() + _STOP_SECONDS
        await _end(workers, signal.SIGTERM, _SERVICES_STOP_SECONDS)
        # SIGINT is PostgreSQL's fast shutdown; one too slow is killed and recovers at the next start.
        await _end(servers, signal.SIGINT, deadline - time.monotonic())
        self._children.clear()
        self._lock.release()

    async def watched(self) -> None:
        """Wait for as long as the children are watched: until cancelled, or until the watch itself fails."""
        assert self._watch is not None, "start() begins the watch"
        await self._watch

    def pids(self) -> dict[str, int]:
        """Return the process id of each child that runs, by name."""
        return {name: child.pid for name, child in self._children.items() if child.pid is not None}

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Signal a child as a disaster would; the watch starts it again."""
        self._children[name].send(number)

    async def ready(self, seconds: float = _READY_SECONDS) -> None:
        """Wait until every child runs and every API says it is ready."""
        deadline = time.monotonic() + seconds
        async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
            while not await self._all_ready(client):
                if time.monotonic() > deadline:
                    raise StackError(self._missing())
                await asyncio.sleep(0.1)

    async def _bring_up(self) -> None:
        if self._broker:
            await self._start_server("broker")
        if self._postgres:
            if not self._keep:
                self._postgres.wipe()
            await self._start_server("postgres")
            self._admin_url = self._postgres.admin_url
        elif not self._keep:
            await drop_databases(self._admin_url, self.urls, self._installation())
        if not self._keep:
            shutil.rmtree(self.var_dir / "receiver", ignore_errors=True)
        if not self._keep and not self._broker:
            # Events of an earlier run would be applied to the empty databases.
            await self._prepare("forget")
        await self._prepare("databases", "migrations", "topics")
        for process in self._composition.processes:
            self._start_process(process)
        self._watch = asyncio.create_task(self._watch_children())

    async def _start_server(self, name: str) -> None:
        server = self._postgres if name == "postgres" else self._broker
        assert server is not None, "only embedded servers are ours to start"
        child = server.child()
        if name not in self._children:
            child.start_new_log()
        self._children[name] = child
        child.start()
        await server.ready(child)
        _log.info("%s runs as process %s on port %s", name, child.pid, self.ports.of(name))

    def _start_process(self, process: Process) -> None:
        child = Child(
            process.name,
            [sys.executable, "-m", process.module, *process.arguments],
            log=self._log_of(process.name),
            environment=self._environment(),
            directory=ROOT,
        )
        if process.name not in self._children:
            child.start_new_log()
        self._children[process.name] = child
        child.start()

    async def _prepare(self, *steps: str) -> None:
        """Run the preparation in a process of its own: migrations block, and a library may hang."""
        if not self._composition.services:
            return
        child = Child(
            "prepare",
            [sys.executable, "-m", "deploy.prepare", *steps, "--services", *self.urls],
            log=self._log_of("prepare"),
            environment=preparation_environment(self._environment(), self.urls, self._admin_url, self._installation()),
            directory=ROOT,
        )
        child.start_new_log()
        child.start()
        if not await child.ended(_READY_SECONDS) or child.obituary() != "exited with status 0":
            await child.kill()
            raise StackError(f"preparing {', '.join(steps)} {child.obituary()}:\n{child.last_words()}")

    async def _watch_children(self) -> None:
        disk_due = 0.0
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            if "broker" in self._children and not self._children["broker"].is_running():
                await self._refill()
            for name, child in list(self._children.items()):
                if name != "broker" and not child.is_running():
                    self._revive(name, child)
            if time.monotonic() > disk_due:
                disk_due = time.monotonic() + _DISK_SECONDS
                self._warn_of_full_disk()

    async def _refill(self) -> None:
        """Start an empty broker in place of the one that died, with nobody who knew the old one.

        A worker or relay that lived through the change could take a position in the old log for one in the
        new.
        """
        ended = self._children["broker"].obituary()
        _log.warning("broker %s and its topics are gone; refilling another from the outboxes", ended)
        speakers = [process for process in self._composition.processes if process.speaks_kafka]
        for process in speakers:
            await self._children[process.name].kill()
        try:
            await self._start_server("broker")
            await self._prepare("topics")
        except StackError as error:
            _log.warning("%s\ntrying again", error)
            await self._children["broker"].kill()
            return
        for process in speakers:
            self._start_process(process)

    def _revive(self, name: str, child: Child) -> None:
        revival = self._revivals.setdefault(name, Revival())
        if revival.due is None:
            revival.died(child.started_at, time.monotonic())
            if revival.deaths_in_a_row > 1:
                times = revival.deaths_in_a_row
                _log.error("%s ended right after its start, %d times in a row; see %s", name, times, child.log)
        if revival.due is None or time.monotonic() < revival.due:
            return
        revival.due = None
        if name == "postgres" and self._postgres:
            # Not waited for: the services wait by themselves, and other children may need us.
            self._children[name] = self._postgres.child()
            self._children[name].start()
        else:
            self._start_process(self._composition.process(name))
        _log.warning("%s %s; started again as process %s", name, child.obituary(), self._children[name].pid)

    def _environment(self) -> dict[str, str]:
        broker = Broker(self.bootstrap, embedded=self._broker is not None)
        return service_environment(self.urls, self.ports, broker, jwks=self.issuer.jwks, var_dir=self.var_dir)

    def _embedded_postgres(self) -> EmbeddedPostgres:
        return EmbeddedPostgres(
            self.var_dir / "postgres",
            self.ports.of("postgres"),
            self._passwords.of("postgres"),
            log=self._log_of("postgres"),
        )

    def _installation(self) -> str:
        """Return the mark by which databases on somebody's server are known to be ours."""
        path = self.var_dir / "keys" / "installation"
        if not path.exists():
            write_secret(path, secrets.token_hex(8))
        return path.read_text()

    def _log_of(self, name: str) -> Path:
        return self.var_dir / "log" / f"{name}.log"

    def _own_ports(self) -> dict[str, int]:
        servers = {"postgres": self._postgres, "broker": self._broker}
        own = {name: self.ports.of(name) for name, server in servers.items() if server}
        return {**self._composition.listening(self.ports), **own}

    async def _all_ready(self, client: httpx.AsyncClient) -> bool:
        settled = time.monotonic() - _SETTLED_SECONDS
        if not all(child.is_running() and child.started_at < settled for child in self._children.values()):
            return False
        for service in self._composition.served():
            try:
                answer = await client.get(f"{self.ports.url(service)}/readyz")
            except httpx.TransportError:
                return False
            if answer.status_code != httpx.codes.OK:
                return False
        return True

    def _missing(self) -> str:
        """Say what keeps the stack from being ready, with the words of the children to blame."""
        falling = [child for name, child in self._children.items() if self._keeps_falling(name)]
        words = [f"{child.name} does not stay up; {child.log} ends with:\n{child.last_words()}" for child in falling]
        return "\n".join(["the stack does not get ready", *words, f"logs are in {self.var_dir / 'log'}"])

    def _keeps_falling(self, name: str) -> bool:
        revival = self._revivals.get(name)
        return not self._children[name].is_running() or (revival is not None and revival.deaths_in_a_row > 0)

    def _warn_of_full_disk(self) -> None:
        free = free_bytes(self.var_dir)
        if free < GIB:
            _log.error("only %.2f GiB are free for %s; make room before PostgreSQL stops", free / GIB, self.var_dir)


async def _end(children: Sequence[Child], number: signal.Signals, seconds: float) -> None:
    """Ask children to stop, all at once, and kill those that do not."""
    for child in children:
        child.send(number)
    await asyncio.gather(*(child.ended(seconds) for child in children))
    for child in children:
        if child.is_running():
            _log.warning("%s did not stop within %.1f s and was killed", child.name, seconds)
            await child.kill()
