"""Signatures of Standard Webhooks 1.0.0 with ed25519 (`v1a`), and the keys they are made with."""

import base64
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from uuid import UUID

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.models import SigningKey
from shared.identifiers import new_id

LIVE_KEYS = 2

# For the statement of who signs: which keys are in use, the newest first.
LIVE_KIDS = "ARRAY(SELECT kid FROM signing_keys WHERE retired_at IS NULL ORDER BY created_at DESC)"


class Wrapping:
    """Wraps private keys for storage with a master key that is kept outside the database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fernet: Fernet | None = None

    def wrap(self, private_key: bytes) -> bytes:
        """Encrypt a private key."""
        return self._master().encrypt(private_key)

    def unwrap(self, wrapped: bytes) -> bytes:
        """Decrypt a private key."""
        return self._master().decrypt(wrapped)

    def _master(self) -> Fernet:
        if self._fernet is None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._create()
            self._fernet = Fernet(self._path.read_bytes())
        return self._fernet

    def _create(self) -> None:
        # Linked into place whole, so that of two processes that start at once both read the same key.
        if self._path.exists():
            return
        new = self._path.with_suffix(f".{os.getpid()}")
        new.touch(mode=0o600)
        new.write_bytes(Fernet.generate_key())
        try:
            os.link(new, self._path)
        except FileExistsError:
            pass
        finally:
            new.unlink()


class Signer:
    """The live keys, ready to sign."""

    def __init__(self, keys: Sequence[Ed25519PrivateKey]) -> None:
        self._keys = keys

    def signature(self, webhook_id: UUID, timestamp: int, body: bytes) -> str:
        """Return the value of `webhook-signature`: one `v1a` signature for each live key, separated by spaces."""
        content = b".".join((str(webhook_id).encode(), str(timestamp).encode(), body))
        return " ".join("v1a," + base64.b64encode(key.sign(content)).decode() for key in self._keys)


async def live_keys(session: AsyncSession) -> list[SigningKey]:
    """Return the keys in use, the newest first."""
    statement = select(SigningKey).where(SigningKey.retired_at.is_(None)).order_by(SigningKey.created_at.desc())
    return list((await session.execute(statement)).scalars())


async def ensure_key(session: AsyncSession, wrapping: Wrapping) -> None:
    """Make the first key where there is none."""
    await session.execute(text("SELECT pg_advisory_xact_lock(hashtext('gateway.signing_keys'))"))
    if not await live_keys(session):
        await add_key(session, wrapping)


async def add_key(session: AsyncSession, wrapping: Wrapping) -> SigningKey:
    """Add a key that signs beside the others."""
    private = Ed25519PrivateKey.generate()
    key = SigningKey(
        kid=str(new_id()),
        public_key=private.public_key().public_bytes_raw(),
        wrapped_private_key=wrapping.wrap(private.private_bytes_raw()),
    )
    session.add(key)
    await session.flush()
    return key


async def rotate(session: AsyncSession, wrapping: Wrapping, *, now: datetime) -> list[SigningKey]:
    """Add a key and retire all but the newest two, so that a receiver has one rotation's time to follow."""
    await add_key(session, wrapping)
    keys = await live_keys(session)
    retired = [key.kid for key in keys[LIVE_KEYS:]]
    await session.execute(update(SigningKey).where(SigningKey.kid.in_(retired)).values(retired_at=now))
    return keys[:LIVE_KEYS]


class Keyring:
    """The signer of the live keys, unwrapped once and again when other keys are live."""

    def __init__(self, wrapping: Wrapping) -> None:
        self._wrapping = wrapping
        self._kids: list[str] = []
        self._signer = Signer([])

    async def signer(self, session: AsyncSession, kids: list[str]) -> Signer:
        """Return the signer; `kids` are the live keys as this transaction has just read them (LIVE_KIDS)."""
        if kids != self._kids:
            keys = await live_keys(session)
            unwrapped = [self._wrapping.unwrap(key.wrapped_private_key) for key in keys]
            self._signer = Signer([Ed25519PrivateKey.from_private_bytes(key) for key in unwrapped])
            self._kids = [key.kid for key in keys]
        return self._signer


def published(key: SigningKey) -> dict[str, str]:
    """Return a key as receivers read it."""
    encoded = base64.b64encode(key.public_key).decode()
    return {"kid": key.kid, "alg": "ed25519", "public_key": f"whpk_{encoded}"}
