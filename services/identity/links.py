"""Hidden links between operators: who shares what with whom as files come, and who of them was banned.

One transaction at a time does this, in all processes: of two that share a value, one sees the other (ADR 14).
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import link_store as store
from services.identity.attributes import Attributes, Value, attributes
from services.identity.blind import BlindIndex
from services.identity.link_surroundings import Said, around
from services.identity.linking import Link
from services.identity.network import Change, Holder, LinkChanged, Network, Pair, Return
from services.identity.registrations import Step
from services.identity.rule_values import RuleValues
from services.identity.writing import in_turns
from shared.database import Executes, driver
from shared.events.base import Event
from shared.events.identity import LinkFound, LinkLost, LinkReason, OperatorCleared, OperatorReturned
from shared.events.platform import OperatorDeregistered
from shared.identifiers import derived_id
from shared.received import Received

K = TypeVar("K")
V = TypeVar("V")

_ALONE = "SELECT pg_advisory_xact_lock(hashtext('identity.links'))"


@dataclass
class _Found:
    """Which links and returns a batch finds, and when."""

    links: dict[Pair, datetime] = field(default_factory=dict)
    returns: dict[UUID, datetime] = field(default_factory=dict)


async def take_turn(session: AsyncSession) -> None:
    """Wait until no other transaction looks for links. It comes first: later, it could wait for what waits for it."""
    await (await driver(session)).execute(_ALONE)


def stated(blind: BlindIndex, received: Sequence[Received]) -> list[Attributes | None]:
    """Return what files say that others may say too; nothing of ends of accounts. It takes no turn to know that."""
    return [None if isinstance(one.event, OperatorDeregistered) else attributes(blind, one.event) for one in received]


async def read(
    session: AsyncSession, values: RuleValues, batch: Sequence[Step], statements: Sequence[Attributes | None]
) -> Network:
    """Return what is known around a batch; `statements` is what `stated()` of its files."""
    said = [
        Said(step.account_id, step.entity.id, says)
        for step, says in zip(batch, statements, strict=True)
        if step.entity is not None and says is not None
    ]
    return await around(await driver(session), cache(values.link_policy), batch, said)


async def record(
    connection: Executes,
    network: Network,
    batch: Sequence[Step],
    statements: Sequence[Attributes | None],
) -> list[list[Event]]:
    """Take in files and ends of accounts, in order; return for each what is to be published of links and returns."""
    links_before, returns_before = dict(network.links), dict(network.returns)
    links_known, returns_known = set(links_before), set(returns_before)
    # Most files are of operators that nothing else in the batch is about: what they hold is known before the links are.
    begun = _begun(network, batch, statements)
    await store.hold(connection, begun)
    held = _held(network, batch, begun)
    found = _Found()
    events: list[list[Event]] = []
    touched: set[UUID] = set()
    async for step, says in in_turns(zip(batch, statements, strict=True)):
        before = network.accounts.get(step.account_id)
        after = _after(step, says, before)
        if after is None or after == before:
            events.append([])
            continue
        touched.add(after.account_id)
        changes = network.put(after)
        _note_found(found.links, links_known, network.links, network.changed_links, step.at)
        _note_found(found.returns, returns_known, network.returns, network.changed_returns, step.at)
        events.append([_event(change, step.at) for change in changes])
    await store.put_accounts(connection, [network.accounts[account] for account in sorted(touched)])
    await _move(connection, network, held)
    await _write(connection, network, found, links_before, returns_before)
    return events


def _after(step: Step, says: Attributes | None, before: Holder | None) -> Holder | None:
    """Return an account after an event. An account that its platform opens again is no longer banned."""
    if step.entity is not None and says is not None:
        return Holder(
            account_id=step.account_id,
            platform_id=step.platform_id,
            operator_ref=step.event.operator_ref,
            operator_id=step.entity.id,
            opened_at=before.opened_at if before is not None else step.at,
            stated_at=step.at,
            attributes=says,
        )
    if before is None:
        return None
    return replace(before, banned_at=step.at if step.event.reason == "banned" else None)


async def _move(connection: Executes, network: Network, held: Mapping[UUID, frozenset[Value]]) -> None:
    """Store what operators hold now and did not before, and what they no longer do."""
    now = {operator: network.side(operator).all for operator in held}
    await store.let_go(connection, {one: gone for one, before in held.items() if (gone := before - now[one])})
    await store.hold(connection, {one: new for one, before in held.items() if (new := now[one] - before)})


async def _write(
    connection: Executes,
    network: Network,
    found: _Found,
    links_before: Mapping[Pair, Link],
    returns_before: Mapping[UUID, Return],
) -> None:
    links = _changed(links_before, network.links)
    # Of a link that only weighs something else, the moment it was found stays; one that was lost is found anew.
    links |= {pair: network.links[pair] for pair in found.links if pair in network.links}
    await store.put_links(connection, links, found.links)
    returns = _changed(returns_before, network.returns)
    returns |= {one: network.returns[one] for one in found.returns if one in network.returns}
    accounts = {account: (network.accounts[account], own) for account, own in returns.items()}
    await store.put_returns(connection, accounts, found.returns)


def _changed(before: Mapping[K, V], after: Mapping[K, V]) -> dict[K, V | None]:
    keys = before.keys() | after.keys()
    return {key: after.get(key) for key in keys if before.get(key) != after.get(key)}


def _note_found(
    found: dict[K, datetime], known: set[K], now: Mapping[K, V], changed: Iterable[K], at: datetime
) -> None:
    """Note which of what changed was not there before, be it that it was lost before in the same batch."""
    for key in changed:
        if key not in now:
            known.discard(key)
        elif key not in known:
            known.add(key)
            found[key] = at


def _begun(
    network: Network, batch: Sequence[Step], statements: Sequence[Attributes | None]
) -> dict[UUID, frozenset[Value]]:
    """Return what operators hold that are new and that one event of a batch is about."""
    events = Counter(step.account_id for step in batch)
    named = Counter(step.entity.id for step in batch if step.entity is not None)
    return {
        step.entity.id: says.all()
        for step, says in zip(batch, statements, strict=True)
        if says is not None
        and step.entity is not None
        and named[step.entity.id] == events[step.account_id] == 1
        and step.account_id not in network.accounts
        and not network.is_known(step.entity.id)
    }


def _held(network: Network, batch: Sequence[Step], begun: Collection[UUID]) -> dict[UUID, frozenset[Value]]:
    """Return what operators hold that a batch may change, but for those whose values are on their way already."""
    accounts = (network.accounts.get(step.account_id) for step in batch)
    operators = {step.entity.id for step in batch if step.entity is not None}
    operators |= {account.operator_id for account in accounts if account is not None}
    return {operator: network.side(operator).all for operator in sorted(operators.difference(begun))}


def _event(change: Change, at: datetime) -> Event:
    if isinstance(change, LinkChanged):
        return _link_event(change, at)
    account, found = change.account, change.found
    about: dict[str, Any] = {
        "occurred_at": at,
        "account_id": account.account_id,
        "operator_id": account.operator_id,
        "platform_id": account.platform_id,
        "operator_ref": account.operator_ref,
        "opened_at": account.opened_at,
    }
    if found is None:
        return OperatorCleared(**about)
    return OperatorReturned(
        **about,
        banned_account_id=found.banned.account_id,
        banned_operator_id=found.banned.operator_id,
        banned_platform_id=found.banned.platform_id,
        banned_at=found.banned.banned_at,
        came_back=found.came_back,
        score=found.link.score,
        reasons=_reasons(found.link),
    )


def _link_event(change: LinkChanged, at: datetime) -> Event:
    a, b = change.pair
    link_id = derived_id("link", a, b)
    if change.link is None:
        return LinkLost(occurred_at=at, link_id=link_id, operator_id=a, other_operator_id=b)
    return LinkFound(
        occurred_at=at,
        link_id=link_id,
        operator_id=a,
        other_operator_id=b,
        score=change.link.score,
        reasons=_reasons(change.link),
    )


def _reasons(found: Link) -> list[LinkReason]:
    return [LinkReason(kind=r.kind, weight=r.weight, holders=r.holders) for r in found.reasons]
