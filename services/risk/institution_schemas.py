"""Bodies of the registry of payment institutions."""

from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

# PostgreSQL has no text with U+0000.
_Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]
_Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]
# What is before it is no calendar that anybody certifies by; what is after it no date of PostgreSQL's drivers.
_Day = Annotated[date, Field(ge=date(1900, 1, 1), lt=date(2200, 1, 1))]
_End = Annotated[_Day | None, Field(description="First day that it holds no more; without it, for good")]


class InstitutionIn(BaseModel):
    """What a payment institution is called and where it is established."""

    name: _Text
    jurisdiction: _Country


class CertificationIn(BaseModel):
    """A certificate, licence or authorisation with the days (UTC) it holds on."""

    scheme: _Text
    number: _Text
    authority: _Text
    valid_from: _Day
    valid_to: _End = None


class ChannelIn(BaseModel):
    """A channel that an institution may operate, with the days (UTC) it may."""

    channel: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00]+$")]
    valid_from: _Day
    valid_to: _End = None


_NAMED = ("name", "jurisdiction")
_CERTIFIED = ("scheme", "number", "authority", "certified_from", "certified_to")
_PERMITTED = ("channel", "channel_from", "channel_to")


def _fault(field: str, why: str) -> PydanticCustomError:
    """Return a fault of a whole row with the field that it shows in."""
    return PydanticCustomError("row", "{why}", {"field": field, "why": why})


class EntryIn(BaseModel):
    """A row of a list: an institution, and what is stated of it: its name, a certification, a channel, or several."""

    model_config = ConfigDict(extra="forbid")

    institution_id: _Text
    name: _Text | None = None
    jurisdiction: _Country | None = None
    scheme: _Text | None = None
    number: _Text | None = None
    authority: _Text | None = None
    certified_from: _Day | None = None
    certified_to: _Day | None = None
    channel: Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00]+$")] | None = None
    channel_from: _Day | None = None
    channel_to: _Day | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Refuse what is half stated, what ends before it begins, and what states nothing."""
        for group in (_NAMED, _CERTIFIED, _PERMITTED):
            stated = [name for name in group if getattr(self, name) is not None]
            missing = [name for name in group if name not in stated and not name.endswith("_to")]
            if stated and missing:
                raise _fault(missing[0], f"{missing[0]} is missing beside {stated[0]}")
        for first, end in (("certified_from", "certified_to"), ("channel_from", "channel_to")):
            if getattr(self, end) is not None and getattr(self, end) < getattr(self, first):
                raise _fault(end, f"{end} {getattr(self, end)} is before {first} {getattr(self, first)}")
        if self.name is None and self.scheme is None and self.channel is None:
            raise _fault("institution_id", "nothing is stated of it: no name, no certification, no channel")
        return self

    def certification(self) -> dict[str, Any] | None:
        """Return the certification that is stated, if one is."""
        if self.scheme is None:
            return None
        stated = {name: getattr(self, name) for name in ("scheme", "number", "authority")}
        return stated | {"valid_from": self.certified_from, "valid_to": self.certified_to}

    def permit(self) -> dict[str, Any] | None:
        """Return the channel that is stated, if one is."""
        if self.channel is None:
            return None
        return {"channel": self.channel, "valid_from": self.channel_from, "valid_to": self.channel_to}


class EntriesIn(BaseModel):
    """Rows of a list; each is taken or refused by itself."""

    entries: list[dict[str, Any]] = Field(min_length=1, max_length=1_000)


class EntryOut(BaseModel):
    """What became of a row, counted from 0: why it was refused, and which field is at fault."""

    row: int
    outcome: Literal["recorded", "unchanged", "refused"]
    detail: str | None = None
    pointer: str | None = None


class EntriesOut(BaseModel):
    """What became of each row, in their order."""

    results: list[EntryOut]


class CertificationOut(BaseModel):
    """A certificate, licence or authorisation; it holds from `valid_from` to before `valid_to`."""

    scheme: str
    number: str
    authority: str
    valid_from: date
    valid_to: date | None


class ChannelOut(BaseModel):
    """A channel that the institution may operate from `valid_from` to before `valid_to`."""

    channel: str
    valid_from: date
    valid_to: date | None


class ChangeOut(BaseModel):
    """Who changed what and when: an item as it was, null where it is new, and as it is since."""

    item: Literal["institution", "certification", "channel"]
    before: dict[str, str | None] | None
    after: dict[str, str | None]
    changed_by: str
    changed_at: datetime


class InstitutionOut(BaseModel):
    """A payment institution."""

    institution_id: str
    name: str
    jurisdiction: str
    registered_at: datetime


class WholeInstitutionOut(InstitutionOut):
    """A payment institution with all that is stated of it, its fifty newest changes, and its open alerts of 30 days."""

    certifications: list[CertificationOut]
    channels: list[ChannelOut]
    changes: list[ChangeOut]
    open_alerts: dict[str, int]


class InstitutionPage(BaseModel):
    """Institutions, last registered first; `next` is the cursor of the page after this one."""

    items: list[InstitutionOut]
    next: str | None
