"""Bodies of removal orders."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

_Why = Annotated[str, Field(min_length=3, max_length=2_000, pattern=r"^[^\x00]+$")]


class RemovalIn(BaseModel):
    """Which account is to be removed by a regulator's decision, and why: the article or the file number."""

    model_config = ConfigDict(extra="forbid")

    account_id: UUID
    because: _Why


class RemovalReasonIn(BaseModel):
    """Why an order is withdrawn."""

    model_config = ConfigDict(extra="forbid")

    because: _Why


class ExtensionIn(BaseModel):
    """How many more working days a platform has, and why."""

    model_config = ConfigDict(extra="forbid")

    working_days: Annotated[int, Field(ge=1, le=250)]
    because: _Why


class RemovalOut(BaseModel):
    """An order: what it rests on, by when what is to be done, and what was."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    account_id: UUID
    operator_id: UUID
    platform_id: str
    operator_ref: str
    state: Literal["open", "carried_out", "withdrawn"]
    grounds: list[str]
    sources: list[str]
    ordered_by: str
    ordered_at: datetime
    acknowledge_by: datetime
    remove_by: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    escalations: list[Literal["not_acknowledged", "not_removed"]]
    closed_at: datetime | None
    closed_because: str | None


class RemovalPage(BaseModel):
    """Orders, the newest first; `next` is the cursor of the page after this one."""

    items: list[RemovalOut]
    next: str | None
