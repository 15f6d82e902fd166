"""What identity takes from platforms, and whose history each event belongs to."""

from typing import Any
from uuid import UUID

from services.identity.standard import FORMS
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


def _fault(_: str, event: Any) -> Fault | None:
    """Refuse what the door itself writes."""
    if getattr(event, "sealed", None):
        return Fault("field_not_yours", "sealed is written by the door and not by platforms", "/data/sealed")
    return None


def _person(platform_id: str, event: Any) -> UUID:  # any event that names its person
    return derived_id("person", platform_id, event.person_ref)


INGEST = Ingest(
    topic=TOPIC,
    faults=_fault,
    forms=FORMS,
    subjects={
        OperatorRegistered: _account,
        OperatorChanged: _account,
        OperatorDeregistered: _account,
        ConsentRecorded: _person,
        MessageSent: _person,
    },
)
