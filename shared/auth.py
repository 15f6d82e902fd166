"""Who is calling: RFC 9068 access tokens, checked with joserfc."""

import json
import time
from collections import OrderedDict
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import httpx
from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from shared.errors import Forbidden, Unauthenticated, Unavailable

AUDIENCE = "crosswatch"
_ALGORITHMS = ["Ed25519", "EdDSA", "ES256", "RS256"]
_REMEMBERED = 10_000
_REREAD_SECONDS = 10


class Role(StrEnum):
    """What a caller may be."""

    PLATFORM = "platform"
    OPERATOR = "operator"
    CONSUMER = "consumer"
    REGULATOR = "regulator"
    INSPECTOR = "inspector"
    CUSTOMS = "customs"
    TAX = "tax"
    ADMINISTRATOR = "administrator"


@dataclass(frozen=True)
class Caller:
    """A verified token's holder. `platform_id` is set for platforms and for operators of one."""

    role: Role
    subject: str
    platform_id: str | None = None


class TokenVerifier:
    """Checks tokens of one issuer against its key set, read from a file or a URL and re-read for a new key."""

    def __init__(self, issuer: str, jwks: str) -> None:
        self._issuer = issuer
        self._jwks = jwks
        self._keys: KeySet | None = None
        self._read_at = 0.0
        self._seen: OrderedDict[str, tuple[float, Caller]] = OrderedDict()

    def verify(self, token: str) -> Caller:
        """Return who a token speaks for. Raises Unauthenticated."""
        known = self._seen.get(token)
        if known is not None and time.time() < known[0]:
            return known[1]
        claims = self._claims(token)
        caller = _caller(claims)
        self._seen[token] = (float(claims["exp"]), caller)
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return caller

    def _claims(self, token: str) -> dict[str, Any]:  # a token's claims are whatever JSON its issuer wrote
        try:
            decoded = self._decode(token)
        except (JoseError, ValueError, KeyError, TypeError) as error:
            raise Unauthenticated(f"the token is not valid: {type(error).__name__} {error}") from error
        if str(decoded.header.get("typ", "")).lower().removeprefix("application/") != "at+jwt":
            raise Unauthenticated("the token is not an access token (typ at+jwt)")
        registry = jwt.JWTClaimsRegistry(
            leeway=30,
            iss={"essential": True, "value": self._issuer},
            aud={"essential": True, "value": AUDIENCE},
            exp={"essential": True},
            sub={"essential": True},
        )
        try:
            registry.validate(decoded.claims)
        except JoseError as error:
            raise Unauthenticated(f"the token is refused: {error}") from error
        return dict(decoded.claims)

    def _decode(self, token: str) -> jwt.Token:
        try:
            return jwt.decode(token, self._key_set(), algorithms=_ALGORITHMS)
        except (JoseError, ValueError, KeyError):
            if time.monotonic() - self._read_at < _REREAD_SECONDS:
                raise
            # The old keys stay where the issuer does not answer: anybody can send a token of an unknown key.
            self._keys = self._read_keys()
            return jwt.decode(token, self._keys, algorithms=_ALGORITHMS)

    def _key_set(self) -> KeySet:
        if self._keys is None:
            self._keys = self._read_keys()
        return self._keys

    def _read_keys(self) -> KeySet:
        self._read_at = time.monotonic()
        try:
            if self._jwks.startswith(("http://", "https://")):
                document = httpx.get(self._jwks, timeout=5, trust_env=False).raise_for_status().json()
            else:
                document = json.loads(Path(self._jwks).read_text())
            return KeySet.import_key_set(document)
        except (httpx.HTTPError, OSError, ValueError, KeyError, JoseError) as error:
            raise Unavailable(f"the issuer's keys cannot be read: {type(error).__name__}") from error


def _caller(claims: dict[str, Any]) -> Caller:
    roles = claims.get("roles")
    if not isinstance(roles, list) or len(roles) != 1 or roles[0] not in list(Role):
        raise Unauthenticated("the token names no role of this system")
    platform = claims.get("platform_id")
    if platform is not None and not isinstance(platform, str):
        raise Unauthenticated("platform_id is not a string")
    if roles[0] == Role.PLATFORM and not platform:
        raise Unauthenticated("a platform's token names its platform")
    return Caller(Role(roles[0]), str(claims["sub"]), platform)


_bearer = HTTPBearer(auto_error=False, description="RFC 9068 access token")


async def _caller_of(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(_bearer)]
) -> Caller:
    if credentials is None:
        raise Unauthenticated("a bearer token is required")
    verifier: TokenVerifier = request.app.state.verifier
    return verifier.verify(credentials.credentials)


CallerDep = Annotated[Caller, Depends(_caller_of)]


def require(caller: Caller, *roles: Role) -> None:
    """Refuse a caller who is none of these roles."""
    if caller.role not in roles:
        raise Forbidden(f"{caller.role} may not do this; {', '.join(roles)} may")
