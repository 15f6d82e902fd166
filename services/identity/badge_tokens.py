"""The signed badge: a JWS (RFC 7515) by Ed25519 (RFC 8037) that says whose shops these are, and until when. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

# RFC 9864 names the algorithm by its curve.
ALGORITHM = "Ed25519"
TYPE = "crosswatch-badge+jws"
_MOST = 20_000


class Forged(ValueError):
    """What is shown is no badge of ours, or was changed."""


class Entity(NamedTuple):
    """Who operates the shops, as far as that is public: nothing of a natural person."""

    name: str | None
    jurisdiction: str
    scheme: str | None
    number: str | None
    entity_type: str


class Badge(msgspec.Struct, frozen=True, kw_only=True):
    """What a badge says."""

    id: UUID
    operator_id: UUID
    account_id: UUID
    platform_id: str
    entity: Entity
    shops: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Badge).decode


def new_signing_key() -> OKPKey:
    """Return a key pair whose id is its thumbprint (RFC 7638)."""
    return OKPKey.generate_key("Ed25519", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)


def signed(badge: Badge, key: OKPKey) -> str:
    """Return a badge as compact JWS."""
    header = {"typ": TYPE, "alg": ALGORITHM, "kid": key.kid}
    return jws.serialize_compact(header, _encode(badge), key, algorithms=[ALGORITHM])


def read(token: str, keys: Sequence[OKPKey]) -> Badge:
    """Return what a badge says once its signature holds by one of our keys, old ones too. Raises Forged."""
    if len(token) > _MOST:
        raise Forged("a badge is not as long as this")
    try:
        found = jws.deserialize_compact(token.encode("ascii"), KeySet(list(keys)), algorithms=[ALGORITHM])
        header: dict[str, Any] = found.headers()
        said = _decode(found.payload)
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Forged(f"its signature does not hold: {type(error).__name__}") from error
    if header.get("typ") != TYPE:
        raise Forged("it is signed, and no badge")
    return said


def moment(at: datetime) -> datetime:
    """Return an instant as a badge has it: whole seconds, UTC."""
    return at.astimezone(UTC).replace(microsecond=0)
