"""What identity takes from platforms, and whose history each event belongs to."""

from functools import partial
from typing import Any
from uuid import UUID

from services.identity.page_doors import PageLimits
from services.identity.shop_pages import page_of
from services.identity.standard import FORMS
from shared.events.pages import PageCaptured
from shared.events.platform import (
    ConsentRecorded,
    MessageSent,
    OperatorChanged,
    OperatorDeregistered,
    OperatorRegistered,
)
from shared.identifiers import account_id, derived_id
from shared.ingest import Ingest
from shared.ingest_faults import Fault

TOPIC = "identity.accepted"


def _account(platform_id: str, event: Any) -> UUID:  # any event that names its operator
    return account_id(platform_id, event.operator_ref)


def _fault(limits: PageLimits, _: str, event: Any) -> Fault | None:
    """Refuse what the door itself writes, and pages that cannot be read."""
    if isinstance(event, PageCaptured):
        return limits.fault(event)
    if getattr(event, "sealed", None):
        return Fault("field_not_yours", "sealed is written by the door and not by platforms", "/data/sealed")
    return None


def _person(platform_id: str, event: Any) -> UUID:  # any event that names its person
    return derived_id("person", platform_id, event.person_ref)


def _page(platform_id: str, event: Any) -> UUID:  # a page
    page = page_of(event.url)
    return derived_id("page", platform_id, event.url if page is None else page.text)


def intake(limits: PageLimits) -> Ingest:
    """Return the door, with these limits of pages."""
    return Ingest(
        topic=TOPIC,
        faults=partial(_fault, limits),
        forms=FORMS,
        subjects={
            OperatorRegistered: _account,
            OperatorChanged: _account,
            OperatorDeregistered: _account,
            ConsentRecorded: _person,
            MessageSent: _person,
            PageCaptured: _page,
        },
    )


# As delivered, for who asks what is taken; a process that takes something keeps its limits up to date.
INGEST = intake(PageLimits())
