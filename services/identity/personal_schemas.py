"""Bodies of reads of personal data."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

Field_ = Literal[
    "legal_name",
    "registration.number",
    "representative",
    "contacts.address",
    "contacts.phone",
    "contacts.email",
    "bank_accounts",
    "devices",
]


class PersonalReadIn(BaseModel):
    """Whose personal data is read, which, for which purpose, and why now."""

    model_config = ConfigDict(extra="forbid")

    operator_id: UUID
    purpose: str = Field(pattern=r"^[a-z][a-z_]{1,39}$")
    reason: str = Field(min_length=3, max_length=500, pattern=r"^[^\x00]*$")
    fields: list[Field_] = Field(min_length=1, max_length=8)


class PersonalAccountOut(BaseModel):
    """What is held of one account: by field, a list as JSON; `destroyed` is what nobody can read any more."""

    account_id: UUID
    platform_id: str
    operator_ref: str
    fields: dict[str, str]
    destroyed: list[str]


class PersonalReadOut(BaseModel):
    """One read as it was written down."""

    id: UUID
    read_at: datetime
    role: str
    reader: str
    purpose: str
    reason: str
    accounts: list[UUID]
    fields: list[str]


class PersonalOut(BaseModel):
    """A read with what it found."""

    read: PersonalReadOut
    accounts: list[PersonalAccountOut]


class PersonalReadPage(BaseModel):
    """Reads, the newest first; `next` is the cursor of the page after this one."""

    items: list[PersonalReadOut]
    next: str | None
