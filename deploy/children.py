"""Child processes: a group of their own, a log file, and an end that comes with ours."""

import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Account:
    """The system user a child runs as."""

    user_id: int
    group_id: int


@dataclass
class Child:
    """One process and how to start it; started again, it is another process under the same name.

    It leads its own process group, so a Ctrl-C in the terminal reaches only us and we decide the order.
    """

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))
    directory: Path | None = None
    account: Account | None = None
    # Sent by the kernel when we die, however we die. Services survive kill -9 by design.
    death_signal: signal.Signals = signal.SIGKILL
    started_at: float = 0.0
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the process; must be called from a thread that lives as long as we do.

        The kernel ties the death signal to the thread that forked, not to the process.
        """
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.directory,
                start_new_session=True,
                user=self.account.user_id if self.account else None,
                group=self.account.group_id if self.account else None,
                extra_groups=[] if self.account else None,
                preexec_fn=_die_with_parent(self.death_signal),  # noqa: PLW1509 - calls one bound C function
            )
        self.started_at = time.monotonic()

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process and self.is_running() else None

    def is_running(self) -> bool:
        """Tell whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def send(self, number: signal.Signals) -> None:
        """Signal the process, if it still runs."""
        if self._process is not None and self.is_running():
            self._process.send_signal(number)

    async def ended(self, seconds: float) -> bool:
        """Wait for the end, at most so long; tell whether it came."""
        deadline = time.monotonic() + seconds
        while self.is_running():
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    async def kill(self) -> None:
        """End it now, with whatever it started itself."""
        if self._process is not None and self.is_running():
            os.killpg(self._process.pid, signal.SIGKILL)
            await self.ended(2.0)

    def obituary(self) -> str:
        """Say how it ended."""
        status = self._process.returncode if self._process else None
        if status is None:
            return "still runs"
        if status < 0:
            return f"was killed by {signal.Signals(-status).name}"
        return f"exited with status {status}"

    def last_words(self, lines: int = 12) -> str:
        """Return the end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def start_new_log(self) -> None:
        """Put the log of the previous run aside; one is kept."""
        if self.log.exists():
            self.log.replace(self.log.with_suffix(".log.1"))


def _die_with_parent(number: signal.Signals) -> Callable[[], None] | None:
    """Return what a new child calls before its program starts; Linux only, elsewhere stop() must do."""
    if sys.platform != "linux":
        return None
    prctl, parent = ctypes.CDLL(None).prctl, os.getpid()

    def _call() -> None:
        prctl(_PR_SET_PDEATHSIG, int(number))
        # The parent may have died before the call above: then nobody would ever send the signal.
        if os.getppid() != parent:
            os._exit(1)

    return _call
