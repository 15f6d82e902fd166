"""Answers about pages that were looked at, and about what platforms disclose on theirs."""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.page_tables import DisplayState, PageSnapshot
from services.identity.shop_pages import page_of
from shared.errors import Invalid, NotFound
from shared.paging import Cursor


class PageNotFound(NotFound):
    """No such snapshot, or none the caller may know of."""


class NotLookedAt(NotFound):
    """No home page of a platform was looked at until then."""


class BadAddress(Invalid):
    """An address is none of a page on the web."""


class Asked(NamedTuple):
    """Which snapshots are asked for."""

    operator_id: UUID | None = None
    account_id: UUID | None = None
    url: str | None = None
    finding: str | None = None
    kind: str | None = None


async def pages(
    session: AsyncSession, asked: Asked, *, after: Cursor | None, limit: int
) -> tuple[list[PageSnapshot], str | None]:
    """Return a page of snapshots, the newest first, and the cursor of the next. Raises BadAddress."""
    found = select(PageSnapshot)
    for name in ("operator_id", "account_id", "finding", "kind"):
        if (value := getattr(asked, name)) is not None:
            found = found.where(getattr(PageSnapshot, name) == value)
    if asked.url is not None:
        address = page_of(asked.url)
        if address is None:
            raise BadAddress("url is the address of a page on the web", pointer="/query/url")
        # Of a page and of all that lie under it.
        found = found.where(PageSnapshot.fronts.contains([address.text]))
    if after is not None:
        found = found.where(tuple_(PageSnapshot.captured_at, PageSnapshot.id) < (after.at, after.id))
    ordered = found.order_by(PageSnapshot.captured_at.desc(), PageSnapshot.id.desc()).limit(limit + 1)
    rows = list((await session.execute(ordered)).scalars())
    kept = rows[:limit]
    return kept, Cursor(kept[-1].captured_at, kept[-1].id).encode() if len(rows) > limit else None


async def page(session: AsyncSession, page_id: UUID) -> PageSnapshot:
    """Return a snapshot. Raises PageNotFound."""
    found = await session.get(PageSnapshot, page_id)
    if found is None:
        raise PageNotFound(f"no page {page_id}")
    return found


async def disclosure(session: AsyncSession, platform_id: str, as_of: datetime) -> PageSnapshot:
    """Return the newest home page of a platform by an instant. Raises NotLookedAt."""
    found = (
        select(PageSnapshot)
        .where(PageSnapshot.platform_id == platform_id, PageSnapshot.kind == "home", PageSnapshot.captured_at <= as_of)
        .order_by(PageSnapshot.captured_at.desc(), PageSnapshot.id.desc())
        .limit(1)
    )
    row = (await session.execute(found)).scalar_one_or_none()
    if row is None:
        raise NotLookedAt(f"no home page of {platform_id!r} was looked at by then")
    return row


async def counts(session: AsyncSession) -> dict[str, int]:
    """Count snapshots by finding, and accounts whose display is violated."""
    by_finding = select(PageSnapshot.finding, func.count()).group_by(PageSnapshot.finding)
    found = {finding: n for finding, n in (await session.execute(by_finding)).all()}
    violated = select(func.count()).where(DisplayState.is_violated)
    return {
        "pages": sum(found.values()),
        **{name: found.get(name, 0) for name in ("displayed", "violated", "unmatched", "not_judged", "reported")},
        "accounts_in_violation": (await session.execute(violated)).scalar_one(),
    }
