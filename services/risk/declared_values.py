"""What goods were declared to be worth, held against what was paid for them in the order that a declaration names."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts, statements
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from services.risk.rule_values import RuleValues
from shared.database import driver, kept
from shared.events.customs import DeclarationLodged

STREAM = "declared"
MOST = 5_000

# One without a seller is of the whole order. What waits for longer than the policy says is not looked at any more.
_WAITING = """
    SELECT d.id, d.platform_id, d.account_id, d.transaction_id, d.lodged_at, d.content::text AS content,
        array_agg(a.stated ORDER BY a.part) AS stated
    FROM declarations d JOIN assessments a ON a.transaction_id = d.transaction_id
        AND (a.account_id = d.account_id OR d.content->>'seller_ref' IS NULL)
    WHERE NOT d.is_compared AND d.recorded_at > $1 AND d.id > $2
    GROUP BY d.id ORDER BY d.id LIMIT $3
"""
_DONE = "UPDATE declarations SET is_compared = true WHERE id = ANY ($1::uuid[])"


class Sold(NamedTuple):
    """What was to be paid for goods, when order and payment were first known together."""

    minor: int
    currency: str


class Compared(NamedTuple):
    """A declaration with the order it names."""

    id: UUID
    subject: Subject
    lodged: DeclarationLodged
    sold: Sold


async def look(session: AsyncSession, *, at: datetime) -> None:
    """Raise what rules find of declarations whose orders are paid, and withdraw what was stated anew since."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    (days,) = values.named("declarations.compared_days", on=at.date())
    connection, since, after = await driver(session), at - timedelta(days=days), UUID(int=0)
    while rows := await connection.fetch(_WAITING, since, after, MOST):
        ready = [one for row in rows if (one := _compared(row)) is not None]
        if ready:
            await _judge(session, ready, values, at)
        after = rows[-1]["id"]


async def _judge(session: AsyncSession, ready: Sequence[Compared], values: RuleValues, at: datetime) -> None:
    connection = await driver(session)
    found = await decide(session, STREAM, [_features(one, values) for one in ready], [one.id for one in ready])
    raised = [
        Raised(alerts.alert_id(hit.rule.code, one.subject), one.subject, hit)
        for one, hits in zip(ready, found, strict=True)
        for hit in hits
    ]
    codes = await alerts.codes_of(session, STREAM)
    # An alert is of a declaration, whichever order that names by now.
    possible = {alerts.alert_id(code, one.subject) for code in codes for one in ready}
    await alerts.raise_alerts(session, raised)
    await alerts.withdraw(session, list(possible - {one.id for one in raised}), at=at)
    await connection.execute(_DONE, [one.id for one in ready])


def _compared(row: Any) -> Compared | None:  # asyncpg's record
    """Return a declaration with what was sold; None while the order is not paid."""
    sold = sold_of([statements.unpack(stated) for stated in row["stated"] if stated is not None])
    if sold is None:
        return None
    lodged = msgspec.json.decode(row["content"], type=DeclarationLodged)
    evidence = [
        f"declaration:{lodged.declaration_ref}",
        f"declared:{lodged.value_minor} {lodged.currency}",
        f"sold:{sold.minor} {sold.currency}",
        f"order:{lodged.order_ref}",
    ]
    key, at = str(row["id"]), row["lodged_at"]
    about = (row["platform_id"], row["account_id"], row["transaction_id"], lodged.order_ref)
    return Compared(row["id"], Subject(*about, at, key, evidence, row["id"]), lodged, sold)


def sold_of(parts: Sequence[statements.Stated]) -> Sold | None:
    """Return what was sold in some parts of an order, together; None unless all are paid, in one currency."""
    amounts = [(part.settled_minor, part.settled_currency) for part in parts]
    if not amounts or any(minor is None for minor, _ in amounts) or len({currency for _, currency in amounts}) > 1:
        return None
    return Sold(sum(minor for minor, _ in amounts if minor is not None), amounts[0][1])


def _features(one: Compared, values: RuleValues) -> dict[str, Any]:
    lodged, sold = one.lodged, one.sold
    return {
        "declared_minor": lodged.value_minor,
        "declared_currency": lodged.currency,
        "sold_minor": sold.minor,
        "sold_currency": sold.currency,
        "declared_share": _share(lodged, sold, values),
    }


def _share(lodged: DeclarationLodged, sold: Sold, values: RuleValues) -> float | None:
    if sold.minor <= 0:
        return None
    if lodged.currency == sold.currency:
        return lodged.value_minor / sold.minor
    declared = values.comparable(lodged.value_minor, lodged.currency, lodged.lodged_on)
    paid = values.comparable(sold.minor, sold.currency, lodged.lodged_on)
    return declared / paid if declared is not None and paid else None
