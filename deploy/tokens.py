"""The local token issuer: a rotating Ed25519 key pair and RFC 9068 access tokens signed with it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import KeySet, OKPKey

from deploy.secret_files import write_secret
from shared.auth import AUDIENCE, Role

ISSUER = "https://crosswatch.local"
# RFC 9864 names the algorithm by its curve; joserfc refuses the older "EdDSA" with a warning.
ALGORITHM = "Ed25519"


class Issuer:
    """The key files of one installation, and the tokens they sign.

    The newest key signs. Older ones stay in the JWKS, so tokens already out remain good until `drop()`.
    """

    def __init__(self, directory: Path) -> None:
        self._private = directory / "issuer.json"
        self.jwks = directory / "jwks.json"
        if not self._private.exists() or not self.jwks.exists():
            self.rotate()

    def issue(
        self,
        role: Role,
        *,
        platform_id: str | None = None,
        subject: str | None = None,
        lifetime: timedelta = timedelta(hours=12),
    ) -> str:
        """Return a bearer token for one role."""
        key, now = self._keys()[-1], datetime.now(UTC)
        who = subject or platform_id or role.value
        claims: dict[str, str | int | list[str]] = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "sub": who,
            "client_id": who,
            "iat": int(now.timestamp()),
            "exp": int((now + lifetime).timestamp()),
            "jti": str(uuid4()),
            "roles": [role.value],
        }
        if platform_id is not None:
            claims["platform_id"] = platform_id
        header = {"typ": "at+jwt", "alg": ALGORITHM, "kid": key.kid}
        return jwt.encode(header, claims, key, algorithms=[ALGORITHM])

    def key_ids(self) -> list[str]:
        """Return the ids of the keys that verify, the signing one last."""
        return [str(key.kid) for key in self._keys()]

    def rotate(self) -> str:
        """Add a key that signs from now on and return its id."""
        new = OKPKey.generate_key("Ed25519", {"use": "sig", "alg": ALGORITHM}, auto_kid=True)
        self._store([*self._keys(), new])
        return str(new.kid)

    def drop(self, key_id: str) -> None:
        """Stop trusting a key; the signing one cannot be dropped."""
        keys = self._keys()
        if key_id == keys[-1].kid:
            raise ValueError(f"key {key_id} signs; rotate first")
        if key_id not in self.key_ids():
            raise ValueError(f"no key {key_id}; `crosswatch keys list` shows them")
        self._store([key for key in keys if key.kid != key_id])

    def _keys(self) -> list[OKPKey]:
        if not self._private.exists():
            return []
        stored = json.loads(self._private.read_text())
        return [OKPKey.import_key(key) for key in stored["keys"]]

    def _store(self, keys: list[OKPKey]) -> None:
        self._private.parent.mkdir(parents=True, exist_ok=True)
        write_secret(self._private, json.dumps({"keys": [key.as_dict(private=True) for key in keys]}))
        public = KeySet(list(keys)).as_dict(private=False)
        replacement = self.jwks.with_suffix(".new")
        replacement.write_text(json.dumps(public, indent=2))
        replacement.replace(self.jwks)
