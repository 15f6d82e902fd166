"""Bodies of sharing with departments."""

from datetime import date, datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ProjectionIn(BaseModel):
    """Whom a department asks about. Personal data comes for a purpose and with a reason only.

    `known` is the `files` of an earlier answer: where nothing was handed in since, that is all that is said.
    """

    model_config = ConfigDict(extra="forbid")

    operator_id: UUID
    purpose: Annotated[str, Field(pattern=r"^[a-z][a-z_]{1,39}$")] | None = None
    reason: Annotated[str, Field(min_length=3, max_length=500, pattern=r"^[^\x00]*$")] | None = None
    known: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None

    @model_validator(mode="after")
    def _both_or_none(self) -> Self:
        if (self.purpose is None) != (self.reason is None):
            raise ValueError("purpose and reason come together")
        return self


class ProjectionOut(BaseModel):
    """A projection as compact JWS (Ed25519, keys at `/.well-known/badge-keys.json`); none where nothing changed."""

    id: UUID
    department: str
    files: str
    unchanged: bool
    projection: str | None


class ProjectionTokenIn(BaseModel):
    """A projection as it is shown."""

    model_config = ConfigDict(extra="forbid")

    projection: Annotated[str, Field(min_length=1, max_length=4_000_000)]


class ProjectionCheckOut(BaseModel):
    """Whether a projection is ours, whom it was made for, about whom and when."""

    holds: bool
    said: str
    department: str | None = None
    operator_id: UUID | None = None
    issued_at: datetime | None = None


class ProjectionFieldOut(BaseModel):
    """A field that a department may see, and on which legal basis."""

    model_config = ConfigDict(from_attributes=True)

    department: str
    field: str
    valid_from: date
    valid_to: date | None
    basis: str


class DepartmentMeterOut(BaseModel):
    """What one department asked for: `duplicates` were given out before, `unchanged` it had itself."""

    department: str
    requests: int
    duplicates: int
    unchanged: int


class MeterOut(BaseModel):
    """What was handed in, what departments asked for, and how often operators were not asked again."""

    submissions: int
    requests: int
    duplicates_avoided: int
    departments: list[DepartmentMeterOut]
