"""What every event is: data for one CloudEvents type, on one topic, about one subject."""

from datetime import datetime
from typing import ClassVar
from uuid import UUID

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A fact in the past. `type` and `topic` are the class's; the key is the subject's id.

    `occurred_at` is when it became true in the world (UTC), not when it was computed.
    """

    type: ClassVar[str]
    topic: ClassVar[str]

    occurred_at: datetime

    def key(self) -> UUID:
        """Return the subject's id: one subject's history stays in one partition."""
        raise NotImplementedError(f"{type(self).__name__} has no subject")


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The attributes of CloudEvents 1.0 in JSON form, its data left undecoded."""

    id: str
    source: str
    type: str
    data: msgspec.Raw
    specversion: str = ""
    time: str | None = None
    subject: str | None = None
