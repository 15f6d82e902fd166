"""Platforms that are to pay in a seller's place."""

from sqlalchemy import select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.disputes.models import Liability
from shared.auth import Caller, Role
from shared.paging import Cursor, paged


async def liabilities(
    session: AsyncSession, *, caller: Caller, after: Cursor | None, limit: int
) -> tuple[list[Liability], str | None]:
    """Return a page of the liabilities a caller is a party of, the newest first, and the cursor of the next.

    A platform's own are all that its transaction sees.
    """
    found = select(Liability)
    if caller.role is Role.CONSUMER:
        found = found.where(Liability.consumer_ref == caller.subject)
    if after is not None:
        found = found.where(tuple_(Liability.since, Liability.id) < (after.at, after.id))
    ordered = found.order_by(Liability.since.desc(), Liability.id.desc()).limit(limit + 1)
    rows = (await session.execute(ordered)).scalars().all()
    return paged(rows, limit, lambda row: Cursor(row.since, row.id))
