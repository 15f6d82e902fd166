"""News that departments are told of."""

from datetime import UTC, date, datetime
from uuid import UUID

from shared.events.risk import AlertRaised, Channel, DeclarationChannelled, Severity
from shared.identifiers import account_id, declaration_id, derived_id

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


def declaration_channelled(number: int = 1, *, channel: Channel = "inspection") -> DeclarationChannelled:
    return DeclarationChannelled(
        occurred_at=datetime(2026, 3, 1, tzinfo=UTC),
        declaration_id=declaration_id("north", f"declaration-{number}"),
        account_id=SHOP,
        platform_id="north",
        declaration_ref=f"declaration-{number}",
        channel=channel,
        score=0.9,
        reasons=["same_goods: 4 inspections, violation_rate=0.83"],
        explored=False,
        selection_probability=1.0,
        model="rules",
        policy_on=date(2026, 3, 1),
        lodged_on=date(2026, 3, 1),
        hs_code="870899",
        origin_country="DE",
        value_minor=10_000,
        currency="CNY",
    )
