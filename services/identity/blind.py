"""Blind values: keyed hashes by which two values are known to be equal, and by which nobody can read them."""

import hashlib
import os
import secrets
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path

BYTES = 16
_KEY_BYTES = 32
_KEPT = 50_000


class BlindIndex:
    """Hashes values with one key (BLAKE2b, RFC 7693). Equal values of a kind give equal hashes, as long as it lives.

    Without the key a value cannot be found by trying all phone numbers there are, as it could be in a plain hash.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) < _KEY_BYTES:
            raise ValueError(f"a key of a blind index has {_KEY_BYTES} bytes or more")
        # A key longer than the hash takes one of is hashed itself. What has taken in the key is begun from each time.
        self._begun = hashlib.blake2b(key=_fitting(key), digest_size=BYTES)
        self._begun_of = lru_cache(maxsize=None)(self._begun_for)
        # The same pairs of characters make up all names and addresses.
        self.often = lru_cache(maxsize=_KEPT)(self.number)

    def value(self, kind: int, text: str) -> bytes:
        """Return the blind form of a normalised value: 16 bytes, another for the same text of another kind."""
        hashed = self._begun_of(kind).copy()
        hashed.update(text.encode("utf-8", "surrogatepass"))
        return hashed.digest()

    def of_parts(self, kind: int, whole: bytes, parts: Mapping[str, bytes]) -> dict[str, bytes]:
        """Return the blind form of each of the named parts of something: 16 bytes, another for the same of another."""
        begun = self._begun.copy()
        begun.update(b"%d\0%d\0%b" % (kind, len(whole), whole))
        found = {}
        for name, value in parts.items():
            hashed = begun.copy()
            hashed.update(b"%b\0%b" % (name.encode(), value))
            found[name] = hashed.digest()
        return found

    def number(self, kind: int, text: str) -> int:
        """Return the first eight bytes of a blind form as a number that fits PostgreSQL's `bigint`."""
        return int.from_bytes(self.value(kind, text)[:8], "big", signed=True)

    def _begun_for(self, kind: int) -> "hashlib.blake2b":
        hashed = self._begun.copy()
        hashed.update(b"%d\0" % kind)
        return hashed


def _fitting(key: bytes) -> bytes:
    return key if len(key) <= hashlib.blake2b.MAX_KEY_SIZE else hashlib.blake2b(key).digest()


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
