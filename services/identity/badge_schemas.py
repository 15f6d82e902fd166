"""Bodies of electronic identification."""

from datetime import datetime
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.identity.badge_checks import Status


class BadgeIn(BaseModel):
    """Whose badge is asked for."""

    model_config = ConfigDict(extra="forbid")

    account_id: UUID


class BadgeOut(BaseModel):
    """A badge as it was issued; `token` is what is shown, `page` where its QR code leads."""

    id: UUID
    operator_id: UUID
    account_id: UUID
    platform_id: str
    token: str
    page: str
    qr_code: str
    issued_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    revoked_because: str | None


class RevocationIn(BaseModel):
    """Why a badge holds no more."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=3, max_length=200, pattern=r"^[^\x00]*$")


class VerificationIn(BaseModel):
    """A badge as it is shown, and the address of the page that shows it."""

    model_config = ConfigDict(extra="forbid")

    token: str = Field(min_length=1, max_length=20_000)
    page: str | None = Field(None, min_length=1, max_length=2_000)


class EntityOut(BaseModel):
    """Who operates the shops; a natural person's name and number are not public."""

    name: str | None
    jurisdiction: str
    scheme: str | None
    number: str | None
    entity_type: str


class SaidOut(BaseModel):
    """What a badge says."""

    id: UUID
    operator_id: UUID
    account_id: UUID
    platform_id: str
    entity: EntityOut
    shops: list[str]
    issued_at: datetime
    expires_at: datetime


class VerificationOut(BaseModel):
    """What a badge is worth; `badge` is what it says, nothing where it is forged."""

    status: Status
    said: str
    badge: SaidOut | None


class RevokedOut(BaseModel):
    """A badge that holds no more."""

    id: UUID
    revoked_at: datetime


class RevocationList(BaseModel):
    """The badges that were revoked, the newest first, for who verifies signatures without asking."""

    revoked: list[RevokedOut]


class KeySetOut(BaseModel):
    """Public keys that verify badges (RFC 7517), the newest first."""

    keys: list[dict[str, Any]]


class ShopOut(BaseModel):
    """A shop of an operator."""

    url: str
    platform_id: str
    account_id: UUID


class PublicOperatorOut(BaseModel):
    """Who operates a shop or an account, as far as that is public."""

    operator_id: UUID
    name: str | None
    jurisdiction: str
    scheme: str | None
    number: str | None
    verdict: str
    shops: list[ShopOut]
