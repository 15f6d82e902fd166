"""One event as a handler gets it."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any

import msgspec
from aiokafka import TopicPartition

from shared.clock import utc_now
from shared.identifiers import platform_of

Headers = Mapping[str, bytes | None]


class Received(msgspec.Struct, frozen=True, gc=False):
    """One event as it came, with where it came from. Its attributes are read from the headers when asked for."""

    event: Any  # the struct its type names; a handler is registered for exactly those
    headers: Headers
    place: TopicPartition
    offset: int

    @property
    def id(self) -> str:
        """Return the event's id, unique within its source."""
        return text(self.headers, "ce_id")

    @property
    def type(self) -> str:
        """Return the event's type."""
        return text(self.headers, "ce_type")

    @property
    def source(self) -> str:
        """Return who says so."""
        return text(self.headers, "ce_source")

    @property
    def platform_id(self) -> str:
        """Return the platform that says so: its source is `/platforms/<platform_id>`."""
        return _platform(self.headers.get("ce_source") or b"")

    @property
    def time(self) -> datetime:
        """Return the event's CloudEvents time; the present where its sender stated none."""
        stated = text(self.headers, "ce_time")
        return datetime.fromisoformat(stated) if stated else utc_now()


@lru_cache(maxsize=4_096)
def _platform(source: bytes) -> str:
    return platform_of(source.decode("utf-8", "replace"))


def text(headers: Headers, name: str) -> str:
    """Return a header as text, empty where there is none."""
    return (headers.get(name) or b"").decode("utf-8", "replace")
