"""Answers about operators and their accounts, as of any instant."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.dialects.postgresql import distinct_on
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import (
    disclosure_requests,
    page_questions,
    registry,
    remedies,
    removal_questions,
    reverification,
    shops,
)
from services.identity.badge_tables import BadgeDay, IssuedBadge
from services.identity.consent_tables import SentMessage
from services.identity.link_tables import OperatorLink, ReturnedAccount
from services.identity.models import Account, AccountLink, Operator, RegistrationFile
from services.identity.personal import HIDDEN
from services.identity.rule_values import RuleValues
from shared.database import kept
from shared.errors import NotFound
from shared.ingest_store import counts

_WORST_FIRST = ("rejected", "unverified", "verified")
_MOST_SHOPS = 500
_REASONS = text("SELECT reason, count(*) FROM accounts, unnest(reasons) AS reason GROUP BY reason ORDER BY reason")


class OperatorNotFound(NotFound):
    """No such operator, or none the caller may know of."""


async def operator(session: AsyncSession, operator_id: UUID, as_of: datetime) -> dict[str, Any]:
    """Return an operator with the accounts it held at an instant. Raises OperatorNotFound."""
    found = await session.get(Operator, operator_id)
    held = select(AccountLink.account_id).where(
        AccountLink.operator_id == operator_id,
        AccountLink.linked_from <= as_of,
        AccountLink.linked_to.is_(None) | (AccountLink.linked_to > as_of),
    )
    versions = (
        select(RegistrationFile)
        .where(RegistrationFile.account_id.in_(held), RegistrationFile.stated_at <= as_of)
        .ext(distinct_on(RegistrationFile.account_id))
        .order_by(RegistrationFile.account_id, RegistrationFile.version.desc())
    )
    files = list((await session.execute(versions)).scalars())
    if found is None or not files:
        raise OperatorNotFound(f"no operator {operator_id} at that time")
    registered, values = None, kept(session, RuleValues)
    await values.refresh(session)
    if found.scheme is not None and found.number is not None:
        registered = await registry.entry(session, found.jurisdiction, found.scheme, found.number, as_of.date())
    due = await reverification.due_on(session, [file.account_id for file in files])
    newest = max(files, key=lambda file: (file.stated_at, file.account_id))
    return {
        "id": found.id,
        "jurisdiction": found.jurisdiction,
        "scheme": found.scheme,
        "number": found.number,
        # What the register says goes before what platforms do.
        "name": registered.name if registered is not None else newest.content.get("legal_name"),
        "registered": registered,
        "accounts": [
            _account(file, values, found.jurisdiction) | {"verification_due_on": due.get(file.account_id)}
            for file in files
        ],
    }


def _account(file: RegistrationFile, values: RuleValues, jurisdiction: str) -> dict[str, Any]:
    refusals = remedies.explained(file.reasons, values, on=file.stated_at.date(), jurisdiction=jurisdiction)
    return {
        "refusals": [one._asdict() for one in refusals],
        "account_id": file.account_id,
        "platform_id": file.platform_id,
        "operator_ref": file.content.get("operator_ref", ""),
        **{name: getattr(file, name) for name in ("version", "state", "verdict", "reasons")},
        "content": {name: value for name, value in file.content.items() if name != "sealed"},
        "sealed": sorted(file.content.get("sealed", ())),
        "stated_at": file.stated_at,
    }


async def operators(session: AsyncSession, *, after: UUID | None, limit: int) -> tuple[list[Operator], UUID | None]:
    """Return a page of the operators that hold an account the caller may see."""
    visible = select(Account.operator_id)
    statement = select(Operator).where(Operator.id.in_(visible)).order_by(Operator.id).limit(limit + 1)
    if after is not None:
        statement = statement.where(Operator.id > after)
    found = list((await session.execute(statement)).scalars())
    return found[:limit], found[limit - 1].id if len(found) > limit else None


async def lookup(
    session: AsyncSession, *, account: UUID | None = None, number: str | None = None, url: str | None = None
) -> UUID:
    """Return the operator behind an account, a registration number or a page of a shop. Raises OperatorNotFound."""
    if url is not None:
        shop = await shops.shop_at(session, url)
        if shop is None:
            raise OperatorNotFound("no operator has a shop there")
        return shop.operator_id
    if account is not None:
        statement = select(Account.operator_id).where(Account.id == account)
    else:
        statement = select(Operator.id).where(Operator.number == number).order_by(Operator.id).limit(1)
    found = (await session.execute(statement)).scalar_one_or_none()
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
            (RegistrationFile.account_id == Account.id) & (RegistrationFile.version == Account.version),
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
        "displays": await page_questions.counts(session),
    }
