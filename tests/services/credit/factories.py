"""News about an account, as other services publish it."""

from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from shared.events.disputes import ComplaintFiled, ComplaintResolved, Outcome
from shared.events.identity import (
    OperatorDeregistered,
    OperatorLinked,
    OperatorRejected,
    OperatorUnverified,
    OperatorVerified,
)
from shared.events.risk import AlertRaised, AlertWithdrawn, Severity
from shared.identifiers import account_id, derived_id

DAY = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHOP = account_id("north", "shop")
OWNER = derived_id("owner")


def day(number: int) -> datetime:
    """Return noon of a day, counted from the first one."""
    return DAY + timedelta(days=number)


def about(account: UUID, at: datetime, **fields: Any) -> dict[str, Any]:
    return {
        "occurred_at": at,
        "account_id": account,
        "platform_id": "north",
        **fields,
    }


def linked(
    account: UUID = SHOP, operator: UUID = OWNER, *, at: datetime = DAY, previous: UUID | None = None, version: int = 1
) -> OperatorLinked:
    return OperatorLinked(
        **about(account, at),
        operator_id=operator,
        operator_ref="shop",
        version=version,
        linked_from=at,
        previous_operator_id=previous,
    )


def checked(
    verdict: Literal["verified", "rejected", "unverified"], account: UUID = SHOP, *, at: datetime = DAY
) -> OperatorVerified | OperatorRejected | OperatorUnverified:
    stated = about(account, at, operator_id=OWNER, operator_ref="shop", version=1)
    stated |= {"jurisdiction": "CN", "entity_type": "company"}
    if verdict == "verified":
        return OperatorVerified(**stated)
    kind = OperatorRejected if verdict == "rejected" else OperatorUnverified
    return kind(**stated, reasons=["number_missing"])


def banned(account: UUID = SHOP, *, at: datetime = DAY) -> OperatorDeregistered:
    stated = about(account, at, operator_id=OWNER, operator_ref="shop", version=2)
    return OperatorDeregistered(**stated, reason="banned")


def alert_raised(
    name: str = "alert", account: UUID = SHOP, *, severity: Severity = "high", at: datetime = DAY
) -> AlertRaised:
    return AlertRaised(
        **about(account, at),
        alert_id=derived_id(account, name),
        rule="rule",
        rule_version=1,
        severity=severity,
        score=40.0,
        reason="",
        window_start=at,
        contributions=[],
    )


def alert_withdrawn(
    name: str = "alert", account: UUID = SHOP, *, severity: Severity = "high", at: datetime = DAY
) -> AlertWithdrawn:
    stated = about(account, at, alert_id=derived_id(account, name))
    return AlertWithdrawn(**stated, rule="rule", severity=severity, reason="")


def complaint_filed(name: str = "complaint", account: UUID = SHOP, *, at: datetime = DAY) -> ComplaintFiled:
    stated = about(account, at, complaint_id=derived_id(account, name))
    return ComplaintFiled(**stated, order_ref=None, category="other")


def complaint_resolved(
    outcome: Outcome, name: str = "complaint", account: UUID = SHOP, *, at: datetime = DAY
) -> ComplaintResolved:
    stated = about(account, at, complaint_id=derived_id(account, name))
    return ComplaintResolved(**stated, order_ref=None, category="other", outcome=outcome, filed_at=at)
