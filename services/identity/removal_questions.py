"""Answers about removal orders."""

from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.models import Account
from services.identity.removal_tables import RemovalOrder
from shared.errors import Conflict, NotFound
from shared.paging import Cursor, paged


class RemovalNotFound(NotFound):
    """No such order, or none of the caller's platform."""


class AccountNotFound(NotFound):
    """No such account."""


class RemovalIsOver(Conflict):
    """The order was carried out or withdrawn."""

    code = "removal_is_over"


async def account_of(session: AsyncSession, account_id: UUID) -> Account:
    """Return an account. Raises AccountNotFound."""
    account = await session.get(Account, account_id)
    if account is None:
        raise AccountNotFound(f"no account {account_id}", pointer="/account_id")
    return account


async def order(session: AsyncSession, order_id: UUID) -> RemovalOrder:
    """Return an order. Raises RemovalNotFound."""
    found = await session.get(RemovalOrder, order_id)
    if found is None:
        raise RemovalNotFound(f"no removal order {order_id}")
    return found


async def open_order(session: AsyncSession, order_id: UUID) -> RemovalOrder:
    """Return an order, alone, that something is to be done about. Raises RemovalNotFound, RemovalIsOver."""
    found = select(RemovalOrder).where(RemovalOrder.id == order_id).with_for_update()
    row = (await session.execute(found)).scalar_one_or_none()
    if row is None:
        raise RemovalNotFound(f"no removal order {order_id}")
    if row.closed_at is not None:
        raise RemovalIsOver(f"the order was {row.state.replace('_', ' ')} at {row.closed_at.isoformat()}")
    return row


async def orders(
    session: AsyncSession, *, state: str | None, escalation: str | None, after: Cursor | None, limit: int
) -> tuple[list[RemovalOrder], str | None]:
    """Return a page of orders, the newest first, and the cursor of the next."""
    found = select(RemovalOrder)
    if state is not None:
        found = found.where(RemovalOrder.state == state)
    if escalation is not None:
        found = found.where(RemovalOrder.escalations.contains([escalation]))
    if after is not None:
        found = found.where(tuple_(RemovalOrder.ordered_at, RemovalOrder.id) < (after.at, after.id))
    ordered = found.order_by(RemovalOrder.ordered_at.desc(), RemovalOrder.id.desc()).limit(limit + 1)
    rows = (await session.execute(ordered)).scalars().all()
    return paged(rows, limit, lambda row: Cursor(row.ordered_at, row.id))


async def counts(session: AsyncSession) -> dict[str, int]:
    """Count orders by state, those that platforms acknowledged, and those that something ran out of."""
    by_state = select(RemovalOrder.state, func.count()).group_by(RemovalOrder.state)
    found = {state: n for state, n in (await session.execute(by_state)).all()}
    acknowledged = select(func.count()).where(RemovalOrder.acknowledged_at.is_not(None))
    escalated = select(func.count()).where(func.cardinality(RemovalOrder.escalations) > 0)
    return {
        **{state: found.get(state, 0) for state in ("open", "carried_out", "withdrawn")},
        "acknowledged": (await session.execute(acknowledged)).scalar_one(),
        "escalated": (await session.execute(escalated)).scalar_one(),
    }
