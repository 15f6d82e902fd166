"""Every event type by its name: what consumers can decode and what the documents list."""

from typing import Any

from shared.events import credit, disputes, duties, identity, listings, numbers, risk
from shared.events.base import Event
from shared.events.customs import CUSTOMS_EVENTS
from shared.events.pages import PAGE_EVENTS
from shared.events.platform import PLATFORM_EVENTS, PlatformEvent

PUBLISHED: tuple[type[Event], ...] = (
    *identity.EVENTS,
    *duties.EVENTS,
    *listings.EVENTS,
    *risk.EVENTS,
    *credit.EVENTS,
    *disputes.EVENTS,
    *numbers.EVENTS,
)

# What comes in by a service's door.
SENT: tuple[type[PlatformEvent], ...] = (*PLATFORM_EVENTS, *PAGE_EVENTS, *CUSTOMS_EVENTS)

EVENT_TYPES: dict[str, type[Any]] = {kind.type: kind for kind in SENT} | {kind.type: kind for kind in PUBLISHED}


def platform_types(service: str) -> list[type[PlatformEvent]]:
    """Return what platforms send to a service."""
    return [kind for kind in SENT if kind.to == service]
