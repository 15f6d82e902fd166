"""What identity signs for everybody to check: compact JWS (RFC 7515) by Ed25519 (RFC 8037), each of a kind. Pure."""

from collections.abc import Sequence
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OKPKey

# RFC 9864 names the algorithm by its curve.
ALGORITHM = "Ed25519"
LONGEST = 20_000


class _Registry(jws.JWSRegistry):
    """The library's, without its own limit of what a text may say: ours is told by kind."""

    max_payload_length = 100_000_000


class Forged(ValueError):
    """What is shown was not signed by us as what it is shown for, or was changed."""


def new_signing_key() -> OKPKey:
    """Return a key pair whose id is its thumbprint (RFC 7638)."""
    return OKPKey.generate_key("Ed25519", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)


def signed(payload: bytes, kind: str, key: OKPKey) -> str:
    """Return a text of a kind (`typ`) with a signature."""
    return jws.serialize_compact({"typ": kind, "alg": ALGORITHM, "kid": key.kid}, payload, key, algorithms=[ALGORITHM])


def payload_of(token: str, kind: str, keys: Sequence[OKPKey], *, longest: int = LONGEST) -> bytes:
    """Return what is signed, once that holds by one of our keys, old ones too. Raises Forged."""
    if len(token) > longest:
        raise Forged("what we sign is not as long as this")
    try:
        registry = _Registry(algorithms=[ALGORITHM])
        found = jws.deserialize_compact(token.encode("ascii"), KeySet(list(keys)), registry=registry)
        header: dict[str, Any] = found.headers()
    except (JoseError, ValueError, TypeError, KeyError) as error:
        raise Forged(f"its signature does not hold: {type(error).__name__}") from error
    if header.get("typ") != kind:
        raise Forged("it is signed, and for something else")
    return bytes(found.payload)
