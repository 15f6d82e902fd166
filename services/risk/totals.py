"""What platforms say their months, and those of operators, come to, held against what they sent order by order."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts, statements
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from services.risk.ledger_tables import WHOLE, StatedTotals
from services.risk.rule_values import RuleValues
from shared.database import driver, kept
from shared.events.platform import TotalsStated
from shared.identifiers import account_id
from shared.received import Received

# Of platforms' months, and of those of single operators.
STREAM, OPERATORS = "totals", "operator_totals"
# So many orders that are in one list only are named; all are counted.
_MOST_NAMED = 50
# So many statements are compared in one transaction: a platform states a month of each of its operators.
MOST_COMPARED = 500

# A later order of the month makes another version of it, a later statement has none: both are compared anew.
_DUE = """
    SELECT t.*, coalesce(m.orders, 0) AS known_orders, coalesce(m.amount_minor, 0) AS known_amount_minor,
        coalesce(m.version, 0) AS version
    FROM stated_totals t LEFT JOIN platform_months m USING (platform_id, account_id, month, currency)
    WHERE t.compared_version IS DISTINCT FROM coalesce(m.version, 0) AND t.stated_at <= $1
    ORDER BY t.platform_id, t.account_id, t.month, t.currency LIMIT $2 FOR UPDATE OF t
"""
_COMPARED = """
    UPDATE stated_totals t SET compared_version = x.v
    FROM unnest($1::text[], $2::uuid[], $3::date[], $4::text[], $5::bigint[]) AS x (p, a, m, c, v)
    WHERE t.platform_id = x.p AND t.account_id = x.a AND t.month = x.m AND t.currency = x.c
"""
_ORDERS = """
    SELECT order_ref, stated FROM assessments
    WHERE platform_id = $1 AND part = 0 AND placed_on >= $2 AND placed_on < $3
"""
_BOTH = """
    SELECT month, currency, m.orders AS known_orders, m.amount_minor AS known_amount_minor,
        t.orders AS stated_orders, t.amount_minor AS stated_amount_minor, t.stated_at
    FROM platform_months m
    FULL JOIN stated_totals t USING (platform_id, account_id, month, currency)
    WHERE platform_id = $1 AND account_id = $2 ORDER BY month DESC, currency LIMIT $3
"""


class Lists(NamedTuple):
    """Orders that are in one list only, in their order."""

    only_stated: list[str]
    only_known: list[str]


async def record(session: AsyncSession, received: Sequence[Received], *, at: datetime) -> None:
    """Keep the newest statement of each month; it is compared once orders have had time to come."""
    for one in received:
        event: TotalsStated = one.event
        row = {
            "platform_id": one.platform_id,
            "account_id": account_id(one.platform_id, event.operator_ref) if event.operator_ref is not None else WHOLE,
            "month": date.fromisoformat(f"{event.month}-01"),
            "currency": event.currency,
            "orders": event.orders,
            "amount_minor": event.amount_minor,
            "order_refs": event.order_refs,
            "stated_at": at,
            "compared_version": None,
        }
        statement = insert(StatedTotals).values(row)
        keys = [StatedTotals.platform_id, StatedTotals.account_id, StatedTotals.month, StatedTotals.currency]
        await session.execute(statement.on_conflict_do_update(index_elements=keys, set_=row))


async def compare(session: AsyncSession, *, at: datetime) -> int:
    """Compare some of what was stated or counted since the last time; raise and withdraw alerts.

    Returns how many months were compared: `MOST_COMPARED` where more may wait.
    """
    values = kept(session, RuleValues)
    await values.refresh(session)
    tolerance, grace_hours = values.named("totals.tolerance", "totals.grace", on=at.date())
    connection = await driver(session)
    rows = await connection.fetch(_DUE, at - timedelta(hours=grace_hours), MOST_COMPARED)
    whole = [row for row in rows if row["account_id"] == WHOLE]
    of_operators = [row for row in rows if row["account_id"] != WHOLE]
    for stream, own in ((STREAM, whole), (OPERATORS, of_operators)):
        if own:
            await _compare(session, stream, own, tolerance, at)
    if rows:
        names = ("platform_id", "account_id", "month", "currency", "version")
        await connection.execute(_COMPARED, *([row[name] for row in rows] for name in names))
    return len(rows)


async def _compare(
    session: AsyncSession, stream: str, rows: Sequence[asyncpg.Record], tolerance: float, at: datetime
) -> None:
    lists = [await _lists(session, row) for row in rows]
    features = [_features(row, own, tolerance) for row, own in zip(rows, lists, strict=True)]
    found = await decide(session, stream, features)
    codes = await alerts.codes_of(session, stream)
    raised: list[Raised] = []
    over = []
    for row, own, hits in zip(rows, lists, found, strict=True):
        subject = _subject(row, own)
        raised += [Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits]
        # Another statement with other figures is another alert, though it has the same name.
        stays = {hit.rule.code for hit in hits} if row["compared_version"] is not None else set()
        over += [alerts.alert_id(code, subject) for code in codes if code not in stays]
    await alerts.withdraw(session, over, at=at)
    await alerts.raise_alerts(session, raised)


async def months(
    session: AsyncSession, platform_id: str, *, account: UUID | None = None, most: int
) -> list[dict[str, Any]]:
    """Return what was counted and what was stated of a platform's months, or of an account's, the newest first."""
    return [dict(row) for row in await (await driver(session)).fetch(_BOTH, platform_id, account or WHOLE, most)]


def _features(row: asyncpg.Record, lists: Lists | None, tolerance: float) -> dict[str, Any]:
    return {
        "stated_orders": row["orders"],
        "known_orders": row["known_orders"],
        "stated_amount_minor": row["amount_minor"],
        "known_amount_minor": row["known_amount_minor"],
        # What operators' months have no feature for is passed over.
        "only_stated": len(lists.only_stated) if lists is not None else None,
        "only_known": len(lists.only_known) if lists is not None else None,
        "tolerance_share": tolerance,
    }


def _subject(row: asyncpg.Record, lists: Lists | None) -> Subject:
    month, currency = row["month"], row["currency"]
    evidence = [
        f"month:{month:%Y-%m} {currency}",
        f"since:{statements.text_of(row['stated_at'])}",
        f"stated:{row['orders']} orders, {row['amount_minor']} {currency}",
        f"known:{row['known_orders']} orders, {row['known_amount_minor']} {currency}",
    ]
    if lists is not None:
        evidence += [f"only_stated:{ref}" for ref in lists.only_stated[:_MOST_NAMED]]
        evidence += [f"only_known:{ref}" for ref in lists.only_known[:_MOST_NAMED]]
    start = datetime(month.year, month.month, 1, tzinfo=UTC)
    account = row["account_id"] if row["account_id"] != WHOLE else None
    return Subject(row["platform_id"], account, None, None, start, f"{month:%Y-%m}/{currency}", evidence)


async def _lists(session: AsyncSession, row: asyncpg.Record) -> Lists | None:
    """Return how the orders that a platform lists differ from those it sent; None where it listed none."""
    if row["order_refs"] is None:
        return None
    start: date = row["month"]
    end = (start + timedelta(days=31)).replace(day=1)
    found = await (await driver(session)).fetch(_ORDERS, row["platform_id"], start, end)
    known = {one["order_ref"] for one in found if _currency(one["stated"]) == row["currency"]}
    stated = set(row["order_refs"])
    return Lists(sorted(stated - known), sorted(known - stated))


def _currency(stated: bytes | None) -> str | None:
    return statements.unpack(stated).currency if stated is not None else None
