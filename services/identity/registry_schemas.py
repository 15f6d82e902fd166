"""Bodies of answers about public registers."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

_Country = Annotated[str, Field(pattern=r"^[A-Z]{2}$", description="ISO 3166-1 alpha-2 code")]
_Scheme = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,39}$")]
_Number = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00]+$")]
_Name = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
_Day = Annotated[date, Field(ge=date(1990, 1, 1), lt=date(2200, 1, 1))]


class RegistryQuestion(BaseModel):
    """Who is asked for in which register: a number or a name, as of a day."""

    jurisdiction: _Country
    scheme: _Scheme
    number: _Number | None = None
    name: _Name | None = None
    as_of: _Day | None = None


class EntryQuestion(BaseModel):
    """Whose entries are asked for."""

    jurisdiction: _Country
    scheme: _Scheme
    number: _Number


class RegistryEntryOut(BaseModel):
    """What a register says of a number between two days."""

    model_config = ConfigDict(from_attributes=True)

    jurisdiction: str
    scheme: str
    number: str
    name: str
    status: str
    registered_on: date | None
    valid_from: date
    valid_to: date | None
    content: dict[str, Any]


class RegistryHit(BaseModel):
    """An entry, and how like its name is to the one asked for."""

    entry: RegistryEntryOut
    likeness: Literal["same", "near", "other"]
    score: float


class RegistryHits(BaseModel):
    """Entries found, the likest first; at most fifty."""

    as_of: date
    items: list[RegistryHit]


class EntryHistory(BaseModel):
    """Everything a register said of a number, the oldest first."""

    items: list[RegistryEntryOut]


class ExtractOut(BaseModel):
    """An extract that was loaded, or is being."""

    jurisdiction: str
    scheme: str
    stated_on: date
    is_complete: bool
    file_name: str
    state: Literal["loading", "loaded", "interrupted"]
    rows: int
    broken: int
    changed: int
    ended: int
    begun_at: datetime
    loaded_at: datetime | None


class ExtractList(BaseModel):
    """Extracts, the newest first."""

    items: list[ExtractOut]
