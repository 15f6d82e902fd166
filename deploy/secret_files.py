"""Files that only their owner may read."""

import os
from pathlib import Path


def write_secret(path: Path, text: str) -> None:
    """Write a file only its owner can read; at no moment is it readable by others or half written."""
    replacement = path.with_suffix(".new")
    replacement.unlink(missing_ok=True)
    with os.fdopen(os.open(replacement, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    replacement.replace(path)
