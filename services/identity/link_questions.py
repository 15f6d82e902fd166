"""Answers about hidden links: all of them for supervision, for a platform what concerns its own accounts."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.link_tables import OperatorLink, ReturnedAccount, Sketched
from services.identity.models import Account, Operator
from services.identity.questions import OperatorNotFound

Page = tuple[list[dict[str, Any]], UUID | None]


async def linked(session: AsyncSession, operator_id: UUID, *, after: UUID | None, limit: int) -> Page:
    """Return a page of the operators that one is linked to. Raises OperatorNotFound."""
    if await session.get(Operator, operator_id) is None:
        raise OperatorNotFound(f"no operator {operator_id}")
    a, b = OperatorLink.operator_id, OperatorLink.other_operator_id
    other = func.nullif(a, operator_id)
    other = func.coalesce(other, b)
    statement = select(OperatorLink, other).where(or_(a == operator_id, b == operator_id)).order_by(other)
    if after is not None:
        statement = statement.where(other > after)
    found = (await session.execute(statement.limit(limit + 1))).all()
    shown = found[:limit]
    banned = await _bans(session, [identifier for _, identifier in shown])
    returns = await _returns(session, operator_id)
    items = [_link(link, identifier, banned, returns) for link, identifier in shown]
    return items, shown[-1][1] if len(found) > limit else None


async def own_accounts(session: AsyncSession, operator_id: UUID, *, after: UUID | None, limit: int) -> Page:
    """Return a page of the caller's accounts of an operator that are linked to banned ones. Raises OperatorNotFound."""
    held = select(Account.platform_id).where(Account.operator_id == operator_id).limit(1)
    platform_id = (await session.execute(held)).scalar_one_or_none()
    if platform_id is None:
        raise OperatorNotFound(f"no operator {operator_id}")
    statement = select(ReturnedAccount).where(
        ReturnedAccount.operator_id == operator_id, ReturnedAccount.platform_id == platform_id
    )
    if after is not None:
        statement = statement.where(ReturnedAccount.account_id > after)
    ordered = statement.order_by(ReturnedAccount.account_id).limit(limit + 1)
    found = list((await session.execute(ordered)).scalars())
    items = [_own(one) for one in found[:limit]]
    return items, found[limit - 1].account_id if len(found) > limit else None


async def _bans(session: AsyncSession, operators: list[UUID]) -> dict[UUID, Sketched]:
    """Return of each operator the account that was banned first."""
    statement = select(Sketched).where(Sketched.operator_id.in_(operators), Sketched.banned_at.is_not(None))
    ordered = statement.order_by(Sketched.banned_at.desc(), Sketched.account_id)
    return {account.operator_id: account for account in (await session.execute(ordered)).scalars()}


async def _returns(session: AsyncSession, operator_id: UUID) -> set[UUID]:
    """Return the operators whose bans accounts of this one came back from."""
    statement = select(ReturnedAccount.banned_operator_id).where(
        ReturnedAccount.operator_id == operator_id, ReturnedAccount.came_back
    )
    return set((await session.execute(statement)).scalars())


def _link(link: OperatorLink, other: UUID, banned: dict[UUID, Sketched], returns: set[UUID]) -> dict[str, Any]:
    ban = banned.get(other)
    return {
        "account_id": None,
        "operator_id": other,
        "banned": ban is not None,
        "banned_account_id": ban.account_id if ban is not None else None,
        "banned_at": ban.banned_at if ban is not None else None,
        "came_back": other in returns,
        "score": link.score,
        "reasons": link.reasons,
        "found_at": link.found_at,
    }


def _own(one: ReturnedAccount) -> dict[str, Any]:
    own_ban = one.banned_platform_id == one.platform_id
    return {
        "account_id": one.account_id,
        "operator_id": None,
        "banned": True,
        "banned_account_id": one.banned_account_id if own_ban else None,
        "banned_at": one.banned_at if own_ban else None,
        "came_back": one.came_back,
        "score": one.score,
        "reasons": one.reasons,
        "found_at": one.found_at,
    }
