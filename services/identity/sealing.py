"""Encryption of personal data: AES-256-GCM for each field, under a key of each subject, wrapped by a master key. Pure.

AES-GCM as NIST SP 800-38D has it, with nonces of 96 random bits. What a text was sealed for is authenticated with it:
it opens for no other subject and no other field.
"""

import base64
import binascii
import secrets
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256, Hash

KEY_BYTES = 32
_NONCE_BYTES, _NAME_BYTES = 12, 4
_FIELD, _KEY = b"field", b"key"
# What sealed bytes begin with: no JSON does.
_MARK, _GENERATION_BYTES, _WHOLE = b"\xffcrosswatch-sealed\x01", 4, "bytes"


class Unopenable(ValueError):
    """What was sealed does not open: another key, another subject or field, or it was changed."""


class SubjectKey(NamedTuple):
    """A key of one subject; a subject whose key was destroyed gets another generation."""

    generation: int
    key: bytes


class MasterKeys:
    """The keys that subjects' keys are wrapped by: the first wraps, all unwrap, so that they can be rotated."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY_BYTES for key in keys):
            raise ValueError(f"there is one master key at least, each of {KEY_BYTES} bytes")
        self._keys = {name_of(key): AESGCM(key) for key in keys}
        self.current = name_of(keys[0])

    def wrapped(self, subject: UUID, own: SubjectKey) -> bytes:
        """Return a subject's key as it is stored, under the current master key."""
        nonce = secrets.token_bytes(_NONCE_BYTES)
        return nonce + self._keys[self.current].encrypt(nonce, own.key, _wrapped_for(subject, own.generation))

    def unwrapped(self, subject: UUID, generation: int, master: str, wrapped: bytes) -> SubjectKey:
        """Return a subject's key. Raises Unopenable."""
        try:
            key = self._keys[master].decrypt(
                wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:], _wrapped_for(subject, generation)
            )
        except (KeyError, InvalidTag) as error:
            raise Unopenable(f"the key of {subject} was wrapped by another master key ({master})") from error
        return SubjectKey(generation, key)


def new_key(generation: int) -> SubjectKey:
    """Return a key that nobody has."""
    return SubjectKey(generation, AESGCM.generate_key(8 * KEY_BYTES))


def name_of(key: bytes) -> str:
    """Return the name of a master key: the first bytes of its hash."""
    digest = Hash(SHA256())
    digest.update(key)
    return digest.finalize()[:_NAME_BYTES].hex()


def sealed(subject: UUID, own: SubjectKey, texts: Mapping[str, str]) -> dict[str, str]:
    """Return texts by field as they may be stored: `<generation>.<nonce, ciphertext and tag as base64url>`."""
    cipher = AESGCM(own.key)
    found = {}
    for field, text in texts.items():
        nonce = secrets.token_bytes(_NONCE_BYTES)
        hidden = nonce + cipher.encrypt(nonce, text.encode("utf-8", "surrogatepass"), _sealed_for(subject, field))
        found[field] = f"{own.generation}.{base64.urlsafe_b64encode(hidden).decode()}"
    return found


def sealed_bytes(subject: UUID, own: SubjectKey, value: bytes) -> bytes:
    """Return bytes as they may be stored: a mark, the key's generation, nonce, ciphertext and tag."""
    nonce = secrets.token_bytes(_NONCE_BYTES)
    head = _MARK + own.generation.to_bytes(_GENERATION_BYTES, "big")
    return head + nonce + AESGCM(own.key).encrypt(nonce, value, _sealed_for(subject, _WHOLE))


def generation_of_bytes(sealed_value: bytes) -> int | None:
    """Return under which of its subject's keys bytes were sealed; None where they were not."""
    if not sealed_value.startswith(_MARK):
        return None
    return int.from_bytes(sealed_value[len(_MARK) : len(_MARK) + _GENERATION_BYTES], "big")


def opened_bytes(subject: UUID, own: SubjectKey, sealed_value: bytes) -> bytes:
    """Return bytes that were sealed under a key. Raises Unopenable."""
    hidden = sealed_value[len(_MARK) + _GENERATION_BYTES :]
    try:
        return AESGCM(own.key).decrypt(hidden[:_NONCE_BYTES], hidden[_NONCE_BYTES:], _sealed_for(subject, _WHOLE))
    except (InvalidTag, ValueError) as error:
        raise Unopenable(f"bytes of {subject} do not open under its key {own.generation}") from error


def generation_of(token: str) -> int:
    """Return under which of its subject's keys a text was sealed. Raises Unopenable."""
    number, dot, _ = token.partition(".")
    if not (dot and number.isascii() and number.isdecimal()):
        raise Unopenable("this is no sealed text")
    return int(number)


def opened(subject: UUID, own: SubjectKey, tokens: Mapping[str, str]) -> dict[str, str]:
    """Return texts that were sealed under a key. Raises Unopenable."""
    cipher = AESGCM(own.key)
    found = {}
    for field, token in tokens.items():
        try:
            hidden = base64.urlsafe_b64decode(token.partition(".")[2])
            text = cipher.decrypt(hidden[:_NONCE_BYTES], hidden[_NONCE_BYTES:], _sealed_for(subject, field))
        except (InvalidTag, binascii.Error, ValueError) as error:
            raise Unopenable(f"{field} of {subject} does not open under its key {own.generation}") from error
        found[field] = text.decode("utf-8", "surrogatepass")
    return found


def _sealed_for(subject: UUID, field: str) -> bytes:
    return b"\0".join((_FIELD, subject.bytes, field.encode()))


def _wrapped_for(subject: UUID, generation: int) -> bytes:
    return b"\0".join((_KEY, subject.bytes, b"%d" % generation))
