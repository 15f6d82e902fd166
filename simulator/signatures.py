"""Checks Standard Webhooks signatures with PyNaCl: another library than the gateway signs with."""

import base64
import binascii
import time
from collections.abc import Callable

import httpx
import msgspec
from msgspec import Struct
from nacl.exceptions import BadSignatureError
from nacl.signing import VerifyKey
from starlette.datastructures import Headers

TOLERANCE_SECONDS = 300
NO_SIGNATURE_FITS = "no signature fits"
_KEY_PREFIX = "whpk_"
_VERSION = "v1a"
# A forger must not make us ask the gateway for its keys at every attempt.
_SECONDS_BETWEEN_FETCHES = 5.0


class _PublishedKey(Struct, frozen=True):
    kid: str
    alg: str
    public_key: str


class _KeyDocument(Struct, frozen=True):
    keys: list[_PublishedKey]


class ForgedError(Exception):
    """A notice is not what it claims to be: no good signature, or not of now."""


class KeysUnavailableError(Exception):
    """The sender's public keys cannot be fetched: nothing can be told about a signature."""


class PublicKeys:
    """The sender's ed25519 keys, fetched from its JSON document and again when no key fits."""

    def __init__(self, url: str, *, client: httpx.AsyncClient, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._client = client
        self._clock = clock
        self._keys: tuple[VerifyKey, ...] = ()
        self._fetched_at: float | None = None

    async def signed(self, message: bytes, signatures: list[bytes]) -> bool:
        """Return whether one of the signatures is by one of the sender's keys."""
        if not self._keys:
            await self._fetch()
        if _any_fits(self._keys, message, signatures):
            return True
        # Perhaps the key is new: the sender signs with two while it changes them.
        fetched = self._fetched_at is None or self._clock() - self._fetched_at >= _SECONDS_BETWEEN_FETCHES
        if fetched:
            await self._fetch()
        return fetched and _any_fits(self._keys, message, signatures)

    async def _fetch(self) -> None:
        try:
            response = await self._client.get(self._url)
            response.raise_for_status()
            document = msgspec.json.decode(response.content, type=_KeyDocument)
            keys = tuple(_verify_key(key) for key in document.keys if key.alg == "ed25519")
        except (httpx.HTTPError, msgspec.DecodeError, ValueError) as error:
            raise KeysUnavailableError(f"{self._url}: {error}") from error
        self._keys, self._fetched_at = keys, self._clock()


async def check_signature(headers: Headers, body: bytes, keys: PublicKeys, *, now: float) -> str:
    """Return the webhook-id of a notice that is signed and of now; raise ForgedError otherwise."""
    webhook_id = headers.get("webhook-id", "")
    timestamp = headers.get("webhook-timestamp", "")
    if not webhook_id or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        raise ForgedError("webhook-id or webhook-timestamp is missing or malformed")
    if abs(now - int(timestamp)) > TOLERANCE_SECONDS:
        raise ForgedError("webhook-timestamp is more than five minutes away")
    signatures = _signatures(headers.get("webhook-signature", ""))
    message = f"{webhook_id}.{timestamp}.".encode() + body
    if not signatures or not await keys.signed(message, signatures):
        raise ForgedError(NO_SIGNATURE_FITS)
    return webhook_id


def _signatures(header: str) -> list[bytes]:
    found = []
    for entry in header.split():
        version, _, encoded = entry.partition(",")
        if version == _VERSION:
            try:
                found.append(base64.b64decode(encoded, validate=True))
            except binascii.Error:
                continue
    return [signature for signature in found if len(signature) == 64]


def _verify_key(key: _PublishedKey) -> VerifyKey:
    if not key.public_key.startswith(_KEY_PREFIX):
        raise ValueError(f"key {key.kid} does not begin with {_KEY_PREFIX}")
    return VerifyKey(base64.b64decode(key.public_key.removeprefix(_KEY_PREFIX), validate=True))


def _any_fits(keys: tuple[VerifyKey, ...], message: bytes, signatures: list[bytes]) -> bool:
    return any(_fits(key, message, signature) for key in keys for signature in signatures)


def _fits(key: VerifyKey, message: bytes, signature: bytes) -> bool:
    try:
        key.verify(message, signature)
    except BadSignatureError:
        return False
    return True
