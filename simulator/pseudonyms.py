"""Keyed hashes under which a platform hands over people, devices and addresses."""

from functools import lru_cache
from hashlib import blake2s, sha256

_HASH_BYTES = 12


class Pseudonyms:
    """One platform's keyed hashes. The key stays with the platform, so nobody else can look them up."""

    def __init__(self, *, seed: int, platform_id: str) -> None:
        self._keyed = blake2s(key=sha256(f"{seed}/{platform_id}".encode()).digest(), digest_size=_HASH_BYTES)
        # A person's hash is on every document of an order, and the same few thousand people keep returning.
        self.person = lru_cache(maxsize=100_000)(self._person)

    def _person(self, number: int) -> str:
        return self._hash(b"person/%d" % number)

    def device(self, number: int) -> str:
        """Return the hash of the device an order came from."""
        return self._hash(b"device/%d" % number)

    def address(self, number: int) -> str:
        """Return the hash of a delivery address."""
        return self._hash(b"address/%d" % number)

    def ip(self, number: int) -> str:
        """Return the hash of a network address."""
        return self._hash(b"ip/%d" % number)

    def _hash(self, message: bytes) -> str:
        hashed = self._keyed.copy()
        hashed.update(message)
        return hashed.hexdigest()
