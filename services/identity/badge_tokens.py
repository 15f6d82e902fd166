"""The signed badge: it says whose shops these are, and until when. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

import msgspec
from joserfc.jwk import OKPKey

from services.identity import signed_texts
from services.identity.signed_texts import Forged

TYPE = "crosswatch-badge+jws"


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


def signed(badge: Badge, key: OKPKey) -> str:
    """Return a badge as compact JWS."""
    return signed_texts.signed(_encode(badge), TYPE, key)


def read(token: str, keys: Sequence[OKPKey]) -> Badge:
    """Return what a badge says once its signature holds by one of our keys, old ones too. Raises Forged."""
    payload = signed_texts.payload_of(token, TYPE, keys)
    try:
        return _decode(payload)
    except msgspec.MsgspecError as error:
        raise Forged("it is signed, and says what no badge says") from error


def moment(at: datetime) -> datetime:
    """Return an instant as a badge has it: whole seconds, UTC."""
    return at.astimezone(UTC).replace(microsecond=0)
