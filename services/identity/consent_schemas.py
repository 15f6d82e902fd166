"""Bodies of the ledger of consent."""

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict


class ConsentOut(BaseModel):
    """A consent or a withdrawal; an empty channel stands for all."""

    model_config = ConfigDict(from_attributes=True)

    purpose: str
    channel: str
    granted: bool
    stated_at: datetime


class ViolationOut(BaseModel):
    """A message without consent, and the rule that asks for it."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    platform_id: str
    person_ref: str
    purpose: str
    channel: str
    account_id: UUID | None
    sent_at: datetime
    rule: str
    reason: str


class ViolationPage(BaseModel):
    """Violations, the newest first; `next` is the cursor of the page after this one."""

    items: list[ViolationOut]
    next: str | None
