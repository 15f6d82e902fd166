"""Answers about hidden links: all of them for supervision, for a platform what concerns its own accounts."""

import asyncio
from collections import defaultdict
from typing import Any
from uuid import UUID

from sqlalchemy import func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.link_drawing import MOST_OTHERS, Line, Node, Web, picture
from services.identity.link_tables import OperatorLink, ReturnedAccount, Sketched
from services.identity.models import Account, Operator
from services.identity.questions import OperatorNotFound
from services.identity.search_tables import SearchedAccount
from shared.database import among

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


async def drawn(session: AsyncSession, operator_id: UUID) -> bytes:
    """Return the links of an operator as SVG. Raises OperatorNotFound."""
    if await session.get(Operator, operator_id) is None:
        raise OperatorNotFound(f"no operator {operator_id}")
    a, b = OperatorLink.operator_id, OperatorLink.other_operator_id
    own = or_(a == operator_id, b == operator_id)
    strongest = select(OperatorLink).where(own).order_by(OperatorLink.score.desc(), a, b).limit(MOST_OTHERS)
    links = list((await session.execute(strongest)).scalars())
    linked = (await session.execute(select(func.count()).where(own))).scalar_one()
    others = [link.other_operator_id if link.operator_id == operator_id else link.operator_id for link in links]
    between = select(OperatorLink).where(among(a, others), among(b, others)).order_by(OperatorLink.score.desc(), a, b)
    lines = [_line(link) for link in (*links, *(await session.execute(between)).scalars())]
    banned, returns = await _bans(session, [operator_id, *others]), await _returns(session, operator_id)
    named = await _named(session, [operator_id, *others])
    centre, *nodes = (
        _node(one, named.get(one, []), banned.get(one), came_back=one in returns) for one in (operator_id, *others)
    )
    return await asyncio.to_thread(picture, Web(centre, nodes, linked, lines))


async def _named(session: AsyncSession, operators: list[UUID]) -> dict[UUID, list[tuple[str | None, str]]]:
    """Return of each operator the names of its accounts, None where they are a person's, and their platforms."""
    found: dict[UUID, list[tuple[str | None, str]]] = defaultdict(list)
    columns = (SearchedAccount.operator_id, SearchedAccount.name, SearchedAccount.platform_id)
    asked = select(*columns).where(among(SearchedAccount.operator_id, operators))
    for row in await session.execute(asked.order_by(SearchedAccount.registered_at, SearchedAccount.account_id)):
        found[row.operator_id].append((row.name, row.platform_id))
    return found


def _line(link: OperatorLink) -> Line:
    kinds = [reason["kind"].replace("_", " ") for reason in sorted(link.reasons, key=lambda one: -one["weight"])]
    return Line(link.operator_id, link.other_operator_id, link.score, kinds)


def _node(operator: UUID, accounts: list[tuple[str | None, str]], ban: Sketched | None, *, came_back: bool) -> Node:
    names = [name for name, _ in accounts if name is not None]
    # A person's name is sealed; the id stands for it.
    said = [" and ".join(sorted({platform for _, platform in accounts}))]
    if ban is not None:
        said.append(f"banned {ban.banned_at:%Y-%m-%d}")
    if came_back:
        said.append("came back from that")
    return Node(operator, names[-1] if names else str(operator), ", ".join(filter(None, said)), ban is not None)
