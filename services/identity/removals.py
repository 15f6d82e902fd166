"""Orders to platforms to remove accounts: what they rest on, by when, and what became of them.

An account has one open order at most. It rests on grounds, which come and go as alerts, credit levels and decisions do:
an order is issued when an account that is open has the first, withdrawn when it has none left, and carried out once the
platform has ended the account.
"""

from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Literal, NamedTuple
from uuid import UUID

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import periods
from services.identity.models import Account
from services.identity.periods import Extension
from services.identity.removal_tables import RemovalGround, RemovalOrder
from services.identity.rule_values import RuleValues
from shared.clock_store import About, ClockRow, Fire
from shared.database import among, driver, kept
from shared.events.base import Event
from shared.events.credit import LevelChanged
from shared.events.duties import RemovalCarriedOut, RemovalEscalated, RemovalOrdered, RemovalWithdrawn
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import derived_id, new_id
from shared.rule_values import EVERYWHERE, NoSuchRule

Hit = AlertRaised | AlertWithdrawn | LevelChanged

ACKNOWLEDGEMENT, DEADLINE = "removal.acknowledgement", "removal.deadline"
DECISION = "removal.decision"
_RULE, _LEVEL, _UNTIL_VERIFIED = "removal.rule.", "removal.level.", "removal.until_verified."
_ENDED = frozenset({"deregistered", "banned"})
# Grounds come from one topic and the ends of accounts from another: what is decided is decided by one at a time.
_TURN = text("SELECT pg_advisory_xact_lock(hashtext('identity.removals'))")


_CONCERNED = """
    SELECT account_id FROM removal_grounds WHERE account_id = ANY ($1::uuid[]) AND ended_at IS NULL
    UNION SELECT account_id FROM removal_orders WHERE account_id = ANY ($1::uuid[]) AND closed_at IS NULL
"""
_Ending = Literal["carried_out", "withdrawn"]


class _Ground(NamedTuple):
    id: UUID
    account_id: UUID
    platform_id: str
    name: str
    since: datetime


async def record(session: AsyncSession, hits: Sequence[Hit]) -> list[Event]:
    """Keep what alerts and credit levels say of accounts, and return what becomes of orders."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    await session.execute(_TURN)
    touched: dict[UUID, datetime] = {}
    for hit in hits:
        for account in await _keep(session, hit, values):
            touched[account] = max(hit.occurred_at, touched.get(account, hit.occurred_at))
    return await settle(session, touched)


async def follow(session: AsyncSession, moments: dict[UUID, datetime]) -> list[Event]:
    """Return what becomes of orders after files of accounts changed, came or ended, each at its moment."""
    await session.execute(_TURN)
    # Of nearly all accounts there is nothing.
    rows = await (await driver(session)).fetch(_CONCERNED, list(moments))
    concerned = {row["account_id"]: moments[row["account_id"]] for row in rows}
    if concerned:
        await _end_mended(session, concerned)
    return await settle(session, concerned)


async def decide(session: AsyncSession, account: Account, *, because: str, by: str, at: datetime) -> list[Event]:
    """Order by a regulator's decision that an account be removed, and return what is to be published."""
    await session.execute(_TURN)
    ground = _Ground(new_id(), account.id, account.platform_id, DECISION, at)
    await _add(session, ground, because)
    return await settle(session, {account.id: at}, by=by)


async def settle(session: AsyncSession, moments: dict[UUID, datetime], *, by: str = "rules") -> list[Event]:
    """Issue, withdraw or close the orders of accounts as their grounds and states ask for."""
    if not moments:
        return []
    found = select(Account).where(among(Account.id, moments)).order_by(Account.id)
    accounts = (await session.execute(found.execution_options(populate_existing=True))).scalars().all()
    grounds = await _grounds(session, moments)
    orders = await open_orders(session, moments)
    events: list[Event] = []
    for account in accounts:
        order, own, at = orders.get(account.id), grounds[account.id], moments[account.id]
        if order is not None and account.state in _ENDED:
            events.append(await close(session, order, "carried_out", f"the account was {account.state}", at=at))
        elif order is not None and not own:
            events.append(await close(session, order, "withdrawn", "nothing is left that it rests on", at=at))
        elif order is not None:
            order.grounds, order.sources = _said(own)
        elif own and account.state not in _ENDED:
            events += await _issue(session, account, own, by=by, at=at)
    await session.flush()
    return events


async def close(
    session: AsyncSession,
    order: RemovalOrder,
    state: Literal["carried_out", "withdrawn"],
    because: str,
    *,
    at: datetime,
) -> Event:
    """Close an order, stop its clocks, and return what is to be published."""
    order.state, order.closed_because, order.closed_at = state, because, max(at, order.ordered_at)
    await periods.stop(session, order.id, FIRING, at=order.closed_at, evidence=because)
    kind_of_event = RemovalCarriedOut if state == "carried_out" else RemovalWithdrawn
    return kind_of_event(**_about(order, order.closed_at), because=because)


async def acknowledge(session: AsyncSession, order: RemovalOrder, *, by: str, at: datetime) -> None:
    """Keep that the platform has read an order; the first time counts."""
    if order.acknowledged_at is not None:
        return
    order.acknowledged_at, order.acknowledged_by = max(at, order.ordered_at), by
    said = f"acknowledged by {by}"
    await periods.stop(session, order.id, [ACKNOWLEDGEMENT], at=order.acknowledged_at, evidence=said)


async def withdraw(session: AsyncSession, order: RemovalOrder, *, because: str, at: datetime) -> list[Event]:
    """Withdraw an order by hand, with the grounds it rests on: another one needs another ground."""
    await session.execute(_TURN)
    own = (RemovalGround.account_id == order.account_id) & RemovalGround.ended_at.is_(None)
    await session.execute(update(RemovalGround).where(own).values(ended_at=at))
    return [await close(session, order, "withdrawn", because, at=at)]


async def extend(session: AsyncSession, order: RemovalOrder, given: Extension) -> None:
    """Give a platform more time to remove. Raises ClockIsOver, WrongPeriod."""
    order.remove_by = await periods.extend(session, order.id, DEADLINE, given)


async def on_unacknowledged(session: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Tell regulators of orders that no platform has said it read."""
    return await _escalate(session, rows, "not_acknowledged")


async def on_overdue(session: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Tell regulators of accounts that were not removed in time."""
    return await _escalate(session, rows, "not_removed")


FIRING: dict[str, Fire] = {ACKNOWLEDGEMENT: on_unacknowledged, DEADLINE: on_overdue}


async def open_orders(session: AsyncSession, accounts: Collection[UUID]) -> dict[UUID, RemovalOrder]:
    """Return the open order of each account that has one."""
    found = select(RemovalOrder).where(among(RemovalOrder.account_id, accounts), RemovalOrder.closed_at.is_(None))
    rows = (await session.execute(found.execution_options(populate_existing=True))).scalars()
    return {row.account_id: row for row in rows}


async def _keep(session: AsyncSession, hit: Hit, values: RuleValues) -> list[UUID]:
    """Begin or end the grounds that an event speaks of, and return the accounts it touches."""
    if isinstance(hit, LevelChanged):
        return [account for account in hit.account_ids if await _keep_level(session, account, hit, values)]
    if hit.account_id is None:
        return []
    if isinstance(hit, AlertWithdrawn):
        return await _end(session, RemovalGround.id == hit.alert_id, at=hit.occurred_at)
    name = f"{_RULE}{hit.rule}"
    if (source := _source(values, name, hit.occurred_at)) is None:
        return []
    await _add(session, _Ground(hit.alert_id, hit.account_id, hit.platform_id, name, hit.occurred_at), source)
    return [hit.account_id]


async def _keep_level(session: AsyncSession, account_id: UUID, hit: LevelChanged, values: RuleValues) -> bool:
    account = await session.get(Account, account_id)
    if account is None:
        return False
    ended = await _end(
        session,
        (RemovalGround.account_id == account_id) & RemovalGround.name.startswith(_LEVEL),
        at=hit.occurred_at,
    )
    name = f"{_LEVEL}{hit.to_level}"
    source = _source(values, name, hit.occurred_at)
    if source is not None:
        own = derived_id("removal-level", account_id, hit.to_level, hit.occurred_at.isoformat())
        await _add(session, _Ground(own, account_id, account.platform_id, name, hit.occurred_at), source)
    return source is not None or bool(ended)


def _source(values: RuleValues, name: str, at: datetime) -> str | None:
    """Return what makes something a ground on a day; None where nothing does."""
    try:
        value = values.apply(name, on=at.date(), jurisdiction=EVERYWHERE).value
    except NoSuchRule:
        return None
    return value.source if value.value > 0 else None


async def _add(session: AsyncSession, ground: _Ground, source: str) -> None:
    await session.execute(insert(RemovalGround).values(**ground._asdict(), source=source).on_conflict_do_nothing())


async def _end(session: AsyncSession, which: Any, *, at: datetime) -> list[UUID]:  # SQLAlchemy's own kind of condition
    ended = update(RemovalGround).where(which, RemovalGround.ended_at.is_(None)).values(ended_at=at)
    return list((await session.execute(ended.returning(RemovalGround.account_id))).scalars())


async def _end_mended(session: AsyncSession, moments: dict[UUID, datetime]) -> None:
    """End grounds of accounts whose file was verified since, where that mends them."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    found = (
        select(RemovalGround, Account.updated_at)
        .join(Account, Account.id == RemovalGround.account_id)
        .where(
            among(RemovalGround.account_id, moments),
            RemovalGround.ended_at.is_(None),
            RemovalGround.since < Account.updated_at,
            Account.verdict == "verified",
        )
    )
    for ground, at in (await session.execute(found)).all():
        mends = f"{_UNTIL_VERIFIED}{ground.name.removeprefix(_RULE)}"
        if values.asks(mends, on=at.date(), jurisdiction=EVERYWHERE):
            ground.ended_at = at
    await session.flush()


async def _grounds(session: AsyncSession, accounts: Collection[UUID]) -> dict[UUID, list[RemovalGround]]:
    found = select(RemovalGround).where(among(RemovalGround.account_id, accounts), RemovalGround.ended_at.is_(None))
    ordered = found.order_by(RemovalGround.since, RemovalGround.id).execution_options(populate_existing=True)
    own: dict[UUID, list[RemovalGround]] = defaultdict(list)
    for row in (await session.execute(ordered)).scalars():
        own[row.account_id].append(row)
    return own


def _said(grounds: Sequence[RemovalGround]) -> tuple[list[str], list[str]]:
    """Return the names and the sources of grounds, each once."""
    return list(dict.fromkeys(own.name for own in grounds)), list(dict.fromkeys(own.source for own in grounds))


async def _issue(
    session: AsyncSession, account: Account, grounds: Sequence[RemovalGround], *, by: str, at: datetime
) -> list[Event]:
    identifier = new_id()
    due = {}
    try:
        for kind in (ACKNOWLEDGEMENT, DEADLINE):
            about = About(derived_id(kind, identifier), kind, identifier, account.platform_id, {})
            due[kind] = (await periods.begin(session, about, kind, at=at)).due_at
    except NoSuchRule:
        # Before its law nobody was ordered anything.
        return []
    names, sources = _said(grounds)
    order = RemovalOrder(
        id=identifier,
        account_id=account.id,
        operator_id=account.operator_id,
        platform_id=account.platform_id,
        operator_ref=account.operator_ref,
        state="open",
        grounds=names,
        sources=sources,
        ordered_by=by,
        ordered_at=at,
        acknowledge_by=due[ACKNOWLEDGEMENT],
        remove_by=due[DEADLINE],
        escalations=[],
    )
    session.add(order)
    told = {name: getattr(order, name) for name in ("grounds", "acknowledge_by", "remove_by")}
    return [RemovalOrdered(**_about(order, at), **told)]


def _about(order: RemovalOrder, at: datetime) -> dict[str, Any]:
    names = ("account_id", "operator_id", "platform_id", "operator_ref")
    return {"occurred_at": at, "order_id": order.id, **{name: getattr(order, name) for name in names}}


async def _escalate(
    session: AsyncSession, rows: Sequence[ClockRow], what: Literal["not_acknowledged", "not_removed"]
) -> list[Event]:
    events: list[Event] = []
    for row in rows:
        found = select(RemovalOrder).where(RemovalOrder.id == row.subject).with_for_update()
        order = (await session.execute(found.execution_options(populate_existing=True))).scalar_one_or_none()
        if order is None or order.closed_at is not None or row.due_at is None:
            continue
        order.escalations = [*order.escalations, what]
        events.append(RemovalEscalated(**_about(order, row.due_at), what=what))
    return events
