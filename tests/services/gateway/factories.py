"""News that departments are told of."""

from datetime import UTC, datetime
from uuid import UUID

from shared.events.risk import AlertRaised, Severity
from shared.identifiers import account_id, derived_id

SHOP = account_id("north", "shop")


def alert_raised(number: int = 1, *, account: UUID | None = SHOP, severity: Severity = "high") -> AlertRaised:
    return AlertRaised(
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        alert_id=derived_id("alert", number),
        account_id=account,
        platform_id="north",
        rule="time_order",
        rule_version=1,
        severity=severity,
        score=40.0,
        reason="A parcel moved before it could have",
        window_start=datetime(2026, 3, 1, tzinfo=UTC),
        contributions=[],
    )
