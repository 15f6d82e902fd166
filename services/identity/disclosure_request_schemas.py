"""Bodies of disclosure requests."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from services.identity import contacts

_Ref = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
_Words = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]*[^\s\x00][^\x00]*$")]


def _reachable(contact: str) -> str:
    if contacts.email(contact) is None and contacts.phone(contact, "CN") is None:
        raise ValueError("neither a telephone number nor a mail address")
    return contact


_Contact = Annotated[_Words, AfterValidator(_reachable)]


class DisclosureIn(BaseModel):
    """Which seller a consumer wants to know the name, address and contact of, and what for."""

    model_config = ConfigDict(extra="forbid")

    platform_id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]
    operator_ref: _Ref
    order_ref: _Ref | None = None
    cause: Literal["dispute", "complaint", "lawsuit", "injury"]


class DisclosureAnswerIn(BaseModel):
    """Who the seller is: its real name, its address, and how it is reached (Consumer Rights Law, art. 44)."""

    model_config = ConfigDict(extra="forbid")

    legal_name: _Words
    address: _Words
    contact: _Contact


class DisclosureOut(BaseModel):
    """A request; the answer itself is opened by reading it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    platform_id: str
    account_id: UUID
    operator_ref: str
    order_ref: str | None
    cause: str
    state: Literal["requested", "answered", "defaulted", "answered_late"]
    requested_at: datetime
    due_at: datetime
    source: str
    answered_at: datetime | None
    defaulted_at: datetime | None


class DisclosurePage(BaseModel):
    """Requests, the newest first; `next` is the cursor of the page after this one."""

    items: list[DisclosureOut]
    next: str | None


class DisclosureReadOut(BaseModel):
    """An answer as it is opened: by field; `destroyed` is what nobody can read any more."""

    model_config = ConfigDict(from_attributes=True)

    request: DisclosureOut
    fields: dict[str, str]
    destroyed: list[str]
