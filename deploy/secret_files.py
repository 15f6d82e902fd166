"""Files that only their owner may read."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Write a file only its owner can read; at no moment is it readable by others or half written."""
    # Of two processes that write at once each has a replacement of its own.
    replacement = path.with_suffix(f".{os.getpid()}.new")
    replacement.unlink(missing_ok=True)
    with os.fdopen(os.open(replacement, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    replacement.replace(path)


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Let no other process into the same block of a file; a lock beside it goes with whoever holds it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
