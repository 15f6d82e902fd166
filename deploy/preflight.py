"""What must hold before anything starts; each refusal names the thing in the way and what to do about it."""

import errno
import fcntl
import os
import shutil
import socket
from collections.abc import Mapping
from pathlib import Path

import psutil

GIB = 1 << 30
# Below this PostgreSQL may stop in the middle of a run: its write-ahead log alone may grow to 8 GiB.
LEAST_FREE_BYTES = 2 * GIB


class StackError(Exception):
    """Something the person at the keyboard has to change; the message says what."""


class InstanceLock:
    """One stack per data directory. The kernel drops the lock with its process, so it is never stale."""

    def __init__(self, var_dir: Path) -> None:
        self._path = var_dir / "stack.lock"
        self._file: int | None = None

    def acquire(self) -> None:
        """Take the lock, or refuse and name the process that has it."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            owner = os.read(file, 32).decode().strip() or "unknown"
            os.close(file)
            raise StackError(
                f"a stack already runs on {self._path.parent} as process {owner}. "
                f"Stop it (Ctrl-C in its terminal, or kill {owner}), or use another directory with --var."
            ) from error
        os.ftruncate(file, 0)
        os.write(file, f"{os.getpid()}\n".encode())
        self._file = file

    def release(self) -> None:
        """Let go of the lock, if it was taken."""
        if self._file is not None:
            os.ftruncate(self._file, 0)
            os.close(self._file)
            self._file = None


def require_free_ports(ports: Mapping[str, int]) -> None:
    """Refuse to start when another process listens where one of ours must."""
    taken = [f"  {port} ({name}): {_listener(port)}" for name, port in ports.items() if not is_free(port)]
    if taken:
        raise StackError(
            "these ports on 127.0.0.1 are taken:\n"
            + "\n".join(taken)
            + "\nStop what listens there, or move the whole stack: --port-base 9100 (make: PORT_BASE=9100)."
        )


def is_free(port: int) -> bool:
    """Tell whether a port on the loopback interface can be listened on."""
    with socket.socket() as probe:
        # As servers do: connections of a stopped run that linger in TIME_WAIT are not in the way.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def free_port() -> int:
    """Return a port nobody listens on just now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def require_disk(path: Path, least_bytes: int = LEAST_FREE_BYTES) -> None:
    """Refuse to start on a disk that would fill up."""
    free = free_bytes(path)
    if free < least_bytes:
        raise StackError(
            f"only {free / GIB:.1f} GiB are free for {path}, and {least_bytes / GIB:.1f} GiB are needed. "
            "Make room (old data goes with `rm -r` of this directory), or use another disk with --var."
        )


def free_bytes(path: Path) -> int:
    """Return what is free on the file system a path is, or will be, on."""
    existing = next(parent for parent in (path, *path.absolute().parents) if parent.exists())
    return shutil.disk_usage(existing).free


def _listener(port: int) -> str:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:
        return "a process this user may not see"
    for connection in connections:
        # An address is a pair, or empty for a socket without one.
        listens = connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:2] == (port,)
        if listens and connection.pid:
            return f"process {connection.pid} ({_command(connection.pid)})"
    return "a process this user may not see"


def _command(pid: int) -> str:
    try:
        words = psutil.Process(pid).cmdline()
    except psutil.Error:
        return "already gone"
    return " ".join(words)[:80]
