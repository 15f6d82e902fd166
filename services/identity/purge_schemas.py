"""Bodies of purges."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field


class PurgeIn(BaseModel):
    """Whose personal data is to be destroyed for good."""

    model_config = ConfigDict(extra="forbid")

    account_id: UUID


class PurgeOut(BaseModel):
    """A purge; its certificate once the keys are gone."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    account_id: UUID
    operator_id: UUID
    platform_id: str
    generations: list[int]
    ended_at: datetime
    kept_until: datetime
    rule_source: str
    asked_by: str
    begun_at: datetime
    purged_at: datetime | None
    certificate: str | None


class CertificateIn(BaseModel):
    """A certificate as it is shown."""

    model_config = ConfigDict(extra="forbid")

    certificate: str = Field(min_length=1, max_length=20_000)


class CertificateOut(BaseModel):
    """What a certificate says, nothing where it is forged."""

    holds: bool
    said: str
    account_id: UUID | None = None
    operator_id: UUID | None = None
    keys_destroyed: list[int] = []
    kept_until: datetime | None = None
    purged_at: datetime | None = None
