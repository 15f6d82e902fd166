"""Blind values: keyed hashes by which two values are known to be equal, and by which nobody can read them."""

import hmac
import os
import secrets
from functools import lru_cache
from pathlib import Path

_BYTES = 16
_KEY_BYTES = 32
_KEPT = 50_000


class BlindIndex:
    """Hashes values with one key (HMAC-SHA256). Equal values of a kind give equal hashes, as long as the key lives.

    Without the key a value cannot be found by trying all phone numbers there are, as it could be in a plain hash.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < _KEY_BYTES:
            raise ValueError(f"a key of a blind index has {_KEY_BYTES} bytes or more")
        self._key = key
        # The same pairs of characters make up all names and addresses.
        self._numbers = lru_cache(maxsize=_KEPT)(self._number)

    def value(self, kind: int, text: str) -> bytes:
        """Return the blind form of a normalised value: 16 bytes, another for the same text of another kind."""
        return self._hash(kind, text)[:_BYTES]

    def number(self, kind: int, text: str) -> int:
        """Return the blind form of a part of a value as a number that fits PostgreSQL's `bigint`."""
        return self._numbers(kind, text)

    def _number(self, kind: int, text: str) -> int:
        return int.from_bytes(self._hash(kind, text)[:8], "big", signed=True)

    def _hash(self, kind: int, text: str) -> bytes:
        return hmac.digest(self._key, b"%d\0" % kind + text.encode("utf-8", "surrogatepass"), "sha256")


def read_key(path: Path) -> bytes:
    """Return the key of a file that only its owner may read; it is made when it is missing."""
    if not path.exists():
        _make_key(path)
    return bytes.fromhex(path.read_text().strip())


def _make_key(path: Path) -> None:
    # Linked into place whole, so that of two processes that start at once both read the same key.
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(f".{os.getpid()}")
    new.touch(mode=0o600)
    new.write_text(secrets.token_hex(_KEY_BYTES))
    try:
        os.link(new, path)
    except FileExistsError:
        pass
    finally:
        new.unlink()
