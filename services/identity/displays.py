"""Displays of licences: what a snapshot of a shop's page is worth, and how an account stands by its newest ones."""

from collections.abc import Collection, Sequence
from datetime import date
from functools import partial
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import badge_checks, badges
from services.identity.badge_checks import Check, Status
from services.identity.badge_tables import IssuedBadge
from services.identity.blind import BlindIndex
from services.identity.conditions import NATURAL_PERSON, entity_kind
from services.identity.display_verdicts import Expected
from services.identity.display_verdicts import judge as verdict
from services.identity.models import NEWEST_FILE, Account, Operator, RegistrationFile
from services.identity.numbers import normal_form
from services.identity.page_marks import SCHEME
from services.identity.page_tables import DisplayState, PageSnapshot
from services.identity.personal import HIDDEN, blind_number
from services.identity.rule_values import RuleValues
from services.identity.shop_pages import addresses_of
from shared.database import kept
from shared.events.base import Event
from shared.events.identity import DisplayCorrected, DisplayViolated
from shared.events.pages import PageMark
from shared.identifiers import operator_id
from shared.rule_values import NoSuchRule

_REQUIRED = "display.required"
_ENDED = frozenset({"deregistered", "banned"})
# What says something of how a display stands.
_TELLING = ("displayed", "violated", "not_required")


async def judge(session: AsyncSession, blind: BlindIndex, row: PageSnapshot, file: RegistrationFile) -> None:
    """Write down what a snapshot is worth beside the file that held on its day."""
    row.source = None
    if file.state in _ENDED and file.stated_at <= row.captured_at:
        row.finding, row.codes = "account_ended", []
        return
    jurisdiction = str(file.content.get("jurisdiction", "")).upper()
    values = kept(session, RuleValues)
    await values.refresh(session)
    try:
        rule = values.apply(_REQUIRED, on=row.captured_at.date(), jurisdiction=jurisdiction).value
    except NoSuchRule:
        row.finding, row.codes = "not_required", []
        return
    marks = [msgspec.convert(mark, PageMark) for mark in row.marks]
    looked_at = [(mark, await _badge(session, mark, row)) for mark in marks if mark.kind == "badge"]
    expected = await _expected(session, blind, file, row.captured_at.date())
    row.finding, row.codes = verdict(marks, row.issues, looked_at, expected)
    row.source = rule.source


async def settle(session: AsyncSession, accounts: Collection[UUID]) -> list[Event]:
    """Bring how accounts stand up to date with the newest snapshot of each of their shops, and return what changed."""
    newest = await _newest(session, accounts)
    known = select(DisplayState).where(DisplayState.account_id.in_(accounts)).execution_options(populate_existing=True)
    states = {state.account_id: state for state in (await session.execute(known)).scalars()}
    # One that was violated may have no snapshot left: its shop is elsewhere now, or another's.
    left = {account for account, state in states.items() if state.is_violated} | newest.keys()
    found = [
        await _settle_one(session, account, newest.get(account, []), states.get(account)) for account in sorted(left)
    ]
    return [event for event in found if event is not None]


async def _settle_one(
    session: AsyncSession, account_id: UUID, rows: Sequence[PageSnapshot], before: DisplayState | None
) -> Event | None:
    violated = [row for row in rows if row.finding == "violated"]
    codes = sorted({code for row in violated for code in row.codes})
    account = await session.get(Account, account_id)
    assert account is not None, "a snapshot is of an account that was registered"
    at = max((row.captured_at for row in rows), default=account.updated_at)
    was = before is not None and before.is_violated
    changed = was != bool(violated) or (before is not None and before.codes != codes)
    shown_by = [row.id for row in (violated or rows)]
    state = {
        "account_id": account_id,
        "operator_id": account.operator_id,
        "platform_id": account.platform_id,
        "is_violated": bool(violated),
        "codes": codes,
        "page_ids": shown_by,
        "since": before.since if before is not None and was == bool(violated) else at,
    }
    stored = insert(DisplayState).values(state)
    await session.execute(stored.on_conflict_do_update(index_elements=[DisplayState.account_id], set_=state))
    if not changed:
        return None
    about: dict[str, Any] = {
        "occurred_at": at,
        "account_id": account_id,
        "operator_id": account.operator_id,
        "platform_id": account.platform_id,
        "operator_ref": account.operator_ref,
        "page_ids": shown_by,
    }
    return (
        DisplayViolated(**about, codes=codes, source=violated[0].source or "")
        if violated
        else DisplayCorrected(**about)
    )


async def _newest(session: AsyncSession, accounts: Collection[UUID]) -> dict[UUID, list[PageSnapshot]]:
    """Return the newest snapshot that says something of each shop that accounts have by their newest file."""
    shops = await _shops(session, accounts)
    found = (
        select(PageSnapshot)
        .where(PageSnapshot.account_id.in_(accounts), PageSnapshot.finding.in_(_TELLING))
        .ext(distinct_on(PageSnapshot.account_id, PageSnapshot.shop))
        .order_by(PageSnapshot.account_id, PageSnapshot.shop, PageSnapshot.captured_at.desc(), PageSnapshot.id.desc())
    )
    newest: dict[UUID, list[PageSnapshot]] = {}
    for row in (await session.execute(found)).scalars():
        assert row.account_id is not None, "it was asked for by its account"
        if row.shop in shops.get(row.account_id, ()):
            newest.setdefault(row.account_id, []).append(row)
    return newest


async def _shops(session: AsyncSession, accounts: Collection[UUID]) -> dict[UUID, frozenset[str]]:
    """Return where accounts have shops by their newest file."""
    found = (
        select(RegistrationFile.account_id, RegistrationFile.content["shop_urls"])
        .join(Account, NEWEST_FILE)
        .where(Account.id.in_(accounts))
    )
    return {account: addresses_of(urls) for account, urls in (await session.execute(found)).all()}


async def _badge(session: AsyncSession, mark: PageMark, row: PageSnapshot) -> Status:
    """Return what a badge was worth on its page and day: one that was revoked later still held."""
    if mark.code is not None:
        return "forged"
    page = f"https://{row.url}"
    if mark.token is not None:
        found = await badges.check_token(session, mark.token, page, now=row.captured_at)
    elif mark.said:
        found = await badges.check_id(session, UUID(mark.said), page, now=row.captured_at)
    else:
        return "forged"
    return (await _as_of(session, found, row)).status


async def _as_of(session: AsyncSession, found: Check, row: PageSnapshot) -> Check:
    if found.status != "revoked" or found.badge is None:
        return found
    issued = await session.get(IssuedBadge, found.badge.id)
    if issued is None or issued.revoked_at is None or issued.revoked_at <= row.captured_at:
        return found
    return badge_checks.check(found.badge, revoked_at=None, page=f"https://{row.url}", now=row.captured_at)


async def _expected(session: AsyncSession, blind: BlindIndex, file: RegistrationFile, on: date) -> Expected:
    """Return what a page has to show by a file on a day; numbers of persons are compared by their blind form alone."""
    operator = await session.get(Operator, file.operator_id)
    licence = file.content.get("licence") or {}
    registration = file.content.get("registration") or {}
    stated = (registration.get("number"), licence.get("number"), operator.number if operator is not None else None)
    numbers = {blind_number(blind, SCHEME, normal_form(one)) for one in stated if one and one != HIDDEN}
    is_person = entity_kind(str(file.content.get("entity_type", ""))) == NATURAL_PERSON
    has_blind_number = is_person and (registration.get("scheme") or "").lower() == SCHEME
    ends = licence.get("expires_on")
    return Expected(
        fits=partial(_fits, frozenset(numbers), file if has_blind_number else None),
        is_known=bool(registration.get("number")) and (not is_person or has_blind_number),
        is_exempt=is_person and not registration,
        is_expired=ends is not None and date.fromisoformat(ends) < on,
    )


def _fits(numbers: frozenset[str], person: RegistrationFile | None, blind: str) -> bool:
    if blind in numbers:
        return True
    if person is None:
        return False
    return person.operator_id == operator_id(str(person.content["jurisdiction"]).upper(), SCHEME, blind)
