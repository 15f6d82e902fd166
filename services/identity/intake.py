"""What identity takes from platforms, and whose history each event belongs to."""

from typing import Any
from uuid import UUID

from shared.events.platform import OperatorChanged, OperatorDeregistered, OperatorRegistered
from shared.identifiers import account_id
from shared.ingest import Ingest

TOPIC = "identity.accepted"


def _account(platform_id: str, event: Any) -> UUID:  # any event that names its operator
    return account_id(platform_id, event.operator_ref)


INGEST = Ingest(
    topic=TOPIC,
    subjects={
        OperatorRegistered: _account,
        OperatorChanged: _account,
        OperatorDeregistered: _account,
    },
)
