"""Bodies of the gateway."""

from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.clock import EARLIEST, LATEST

Department = Literal["customs", "tax", "regulator", "platform"]
Owner = Annotated[str, Field(description="A department; of a platform `platform:` and its id")]
Severity = Literal["low", "medium", "high", "critical"]
NoticeType = Literal[
    "credit.level.changed.v1",
    "risk.alert.raised.v1",
    "risk.alert.withdrawn.v1",
    "risk.declaration.channelled.v1",
    "identity.operator.returned.v1",
    "identity.operator.cleared.v1",
    "identity.operator.verification_due.v1",
    "identity.file.changed.v1",
    "identity.removal.ordered.v1",
    "identity.removal.carried_out.v1",
    "identity.removal.withdrawn.v1",
    "identity.removal.escalated.v1",
    "identity.disclosure.requested.v1",
    "listings.listing.held.v1",
    "listings.listing.allowed.v1",
]


class EndpointIn(BaseModel):
    """Where a department or the calling platform wants which notices.

    A platform is told of its own accounts that are linked to banned ones, to be removed or asked about by
    consumers, and of nothing else.
    """

    model_config = ConfigDict(extra="forbid")

    department: Department
    url: Annotated[str, Field(min_length=8, max_length=2_000)]
    types: Annotated[list[NoticeType], Field(min_length=1, max_length=20)]
    least_severity: Severity = "medium"


class EndpointOut(BaseModel):
    """An endpoint and what it is owed."""

    id: UUID
    department: Owner
    url: str
    types: list[str]
    least_severity: Severity
    state: Literal["active", "disabled"]
    created_at: datetime


class DeliveryOut(BaseModel):
    """One notice for one endpoint."""

    id: UUID
    endpoint_id: UUID
    subject: UUID
    seq: int
    event_id: str
    type: str
    state: Literal["pending", "delivered", "parked"]
    attempts: int
    created_at: datetime
    delivered_at: datetime | None


class DeliveryPage(BaseModel):
    """Deliveries, newest first; `next` is the cursor of the page after this one."""

    items: list[DeliveryOut]
    next: str | None


class AttemptOut(BaseModel):
    """One try to deliver."""

    status: int | None
    error: str | None
    milliseconds: int
    at: datetime


class ReplayIn(BaseModel):
    """From which moment on notices are sent again, in their order."""

    model_config = ConfigDict(extra="forbid")

    since: Annotated[AwareDatetime, Field(ge=EARLIEST, le=LATEST)]


class ReplayOut(BaseModel):
    """How many notices are due again."""

    replayed: int


class DigestOut(BaseModel):
    """What an endpoint was told on a day (UTC), for it to compare with what it received."""

    endpoint_id: UUID
    department: Owner
    date: date
    created: int
    delivered: int
    pending: int
    parked: int
    digest: str


class KeyOut(BaseModel):
    """A public key of notices."""

    kid: str
    alg: Literal["ed25519"]
    public_key: str


class KeysOut(BaseModel):
    """The keys that sign notices now."""

    keys: list[KeyOut]


class SummaryOut(BaseModel):
    """What this service holds, counted from its tables."""

    due: int
    delivered: int
    pending: int
    parked: int
