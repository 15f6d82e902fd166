"""What identity says of operators, and the rules about it."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from services.risk.models import Operator
from shared.events.identity import (
    OperatorDeregistered,
    OperatorRejected,
    OperatorUnverified,
    OperatorVerified,
)

Checked = OperatorVerified | OperatorRejected | OperatorUnverified | OperatorDeregistered

_VERDICTS: dict[type[Any], str] = {
    OperatorVerified: "verified",
    OperatorRejected: "rejected",
    OperatorUnverified: "unverified",
    OperatorDeregistered: "deregistered",
}


async def watch(session: AsyncSession, events: Sequence[Checked]) -> None:
    """Remember what identity found and raise what the rules find in it."""
    for event in events:
        await _remember(session, event)
    raised: list[Raised] = []
    found = await decide(session, "operators", [*map(_features, events)])
    for event, hits in zip(events, found, strict=True):
        subject = Subject(event.platform_id, event.account_id, None, None, event.occurred_at, "operator")
        raised.extend(Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits)
    await alerts.raise_alerts(session, raised)


def _reasons(event: Checked) -> list[str]:
    return event.reasons if isinstance(event, OperatorRejected | OperatorUnverified) else []


def _features(event: Checked) -> dict[str, Any]:
    reasons = _reasons(event)
    return {
        "verdict": _VERDICTS[type(event)],
        "licence_fault": any(reason.startswith("licence_") for reason in reasons),
        "number_fault": any(reason.startswith("number_") for reason in reasons),
        "reasons": len(reasons),
        "banned": isinstance(event, OperatorDeregistered) and event.reason == "banned",
    }


async def _remember(session: AsyncSession, event: Checked) -> None:
    row = {
        "account_id": event.account_id,
        "platform_id": event.platform_id,
        "operator_ref": event.operator_ref,
        "operator_id": event.operator_id,
        "verdict": _VERDICTS[type(event)],
        "reasons": _reasons(event),
        "version": event.version,
    }
    statement = insert(Operator).values(row)
    await session.execute(statement.on_conflict_do_update(index_elements=[Operator.account_id], set_=row))
