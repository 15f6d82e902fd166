"""Answers about operators and their accounts, as of any instant."""

from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import disclosure_requests, offers, page_questions, removal_questions, sharing, shops
from services.identity.badge_tables import BadgeDay, IssuedBadge
from services.identity.consent_tables import SentMessage
from services.identity.link_tables import OperatorLink, ReturnedAccount
from services.identity.models import NEWEST_FILE, Account, Operator, RegistrationFile
from services.identity.personal import HIDDEN
from shared.errors import NotFound
from shared.ingest_store import counts

_WORST_FIRST = ("rejected", "unverified", "verified")
_MOST_SHOPS = 500
_REASONS = text("SELECT reason, count(*) FROM accounts, unnest(reasons) AS reason GROUP BY reason ORDER BY reason")


class OperatorNotFound(NotFound):
    """No such operator, or none the caller may know of."""


async def behind(session: AsyncSession, *, account: UUID | None = None, url: str | None = None) -> UUID:
    """Return the operator behind an account or a page of a shop. Raises OperatorNotFound."""
    if url is not None:
        shop = await shops.shop_at(session, url)
        if shop is None:
            raise OperatorNotFound("no operator has a shop there")
        return shop.operator_id
    found = (await session.execute(select(Account.operator_id).where(Account.id == account))).scalar_one_or_none()
    if found is None:
        raise OperatorNotFound("no operator with this account or number")
    return found


async def public(session: AsyncSession, operator_id: UUID) -> dict[str, Any]:
    """Return what everybody may know of an operator: a firm's name and number, its shops. Raises OperatorNotFound."""
    found = await session.get(Operator, operator_id)
    newest = (
        select(Account, RegistrationFile.content["legal_name"].astext)
        .join(
            RegistrationFile,
            NEWEST_FILE,
        )
        .where(Account.operator_id == operator_id, Account.state == "active")
        .order_by(Account.updated_at.desc(), Account.id)
    )
    accounts = (await session.execute(newest)).all()
    if found is None or not accounts:
        raise OperatorNotFound(f"no operator {operator_id}")
    name = accounts[0][1]
    verdicts = {account.verdict for account, _ in accounts}
    return {
        "operator_id": found.id,
        "name": None if name == HIDDEN else name,
        **{field: getattr(found, field) for field in ("jurisdiction", "scheme", "number")},
        "verdict": next((verdict for verdict in _WORST_FIRST if verdict in verdicts), "unverified"),
        "shops": await shops.shops_of(session, operator_id, limit=_MOST_SHOPS),
    }


async def summary(session: AsyncSession) -> dict[str, Any]:
    """Count accounts and what checking them found, as far as the caller may see."""
    accounts = select(func.count()).select_from(Account)
    verdicts = select(Account.verdict, func.count()).group_by(Account.verdict)
    intake = await counts(session)
    states = select(Account.state, func.count()).group_by(Account.state)
    issued = select(func.count()).select_from(IssuedBadge)
    looked_at = select(BadgeDay.status, func.sum(BadgeDay.checks)).group_by(BadgeDay.status)
    unconsented = select(func.count()).where(SentMessage.reason.is_not(None))
    links = select(func.count()).select_from(OperatorLink)
    returned = select(func.count()).where(ReturnedAccount.came_back)
    return {
        "accepted": {"operators": (await session.execute(accounts)).scalar_one()},
        "by_type": intake.accepted,
        "duplicate": intake.duplicate,
        "rejected": intake.rejected,
        "verdicts": {verdict: n for verdict, n in (await session.execute(verdicts)).all()},
        "reasons": {reason: n for reason, n in (await session.execute(_REASONS)).all()},
        "states": {state: n for state, n in (await session.execute(states)).all()},
        "badges": (await session.execute(issued)).scalar_one(),
        "badge_checks": {status: int(n) for status, n in (await session.execute(looked_at)).all()},
        "consent_violations": (await session.execute(unconsented)).scalar_one(),
        "links": (await session.execute(links)).scalar_one(),
        "returned": (await session.execute(returned)).scalar_one(),
        "removals": await removal_questions.counts(session),
        "disclosures": await disclosure_requests.counts(session),
        "shared": await sharing.counts(session),
        "offers_refused": await offers.refused(session),
        "displays": await page_questions.counts(session),
    }
