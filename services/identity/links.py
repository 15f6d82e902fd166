"""Hidden links between operators: who shares what with whom as files come, and who of them was banned.

One transaction at a time does this, in all processes: of two that share a value, one sees the other (ADR 14).
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import link_store as store
from services.identity.attributes import SKETCHED, Attributes, Value, attributes
from services.identity.blind import BlindIndex
from services.identity.link_store import Connection
from services.identity.linking import Link, Policy
from services.identity.network import Change, Holder, LinkChanged, Network, Pair, Return
from services.identity.registrations import Step
from services.identity.rule_values import PolicyOn, RuleValues
from shared.database import driver, kept
from shared.events.base import Event
from shared.events.identity import LinkFound, LinkLost, LinkReason, OperatorCleared, OperatorReturned
from shared.events.platform import OperatorDeregistered
from shared.identifiers import derived_id
from shared.received import Received

K = TypeVar("K")
V = TypeVar("V")

_ALONE = "SELECT pg_advisory_xact_lock(hashtext('identity.links'))"
# Links of those who hold a value, of whoever is linked to them, and the bans behind those.
_RINGS = 2


class _Said(NamedTuple):
    """Of which account and legal entity a file is, and what it says that others may say too."""

    account_id: UUID
    operator_id: UUID
    attributes: Attributes


@dataclass
class _Written:
    """What a batch changes: values that end and begin, and which links and returns were found when."""

    closed: list[tuple[UUID, int, bytes, datetime]] = field(default_factory=list)
    opened: dict[tuple[UUID, Value, datetime], tuple[Holder, datetime | None]] = field(default_factory=dict)
    open_since: dict[tuple[UUID, Value], datetime] = field(default_factory=dict)
    links_found: dict[Pair, datetime] = field(default_factory=dict)
    returns_found: dict[UUID, datetime] = field(default_factory=dict)


async def take_turn(session: AsyncSession) -> None:
    """Wait until no other transaction looks for links. It comes first: later, it could wait for what waits for it."""
    await (await driver(session)).execute(_ALONE)


def stated(blind: BlindIndex, received: Sequence[Received]) -> list[Attributes | None]:
    """Return what files say that others may say too; nothing of ends of accounts. It takes no turn to know that."""
    return [None if isinstance(one.event, OperatorDeregistered) else attributes(blind, one.event) for one in received]


async def record(
    session: AsyncSession,
    batch: Sequence[Step],
    owners: Sequence[UUID],
    statements: Sequence[Attributes | None],
) -> list[list[Event]]:
    """Take in files and ends of accounts, in order; return for each what is to be published of links and returns.

    `owners` are the legal entities of the accounts after each event, `statements` what `stated()` of the files.
    """
    connection = await driver(session)
    values = kept(session, RuleValues)
    await values.refresh(session)
    policy_on = cache(values.link_policy)
    said = [
        _Said(step.account_id, owner, says) if says is not None else None
        for step, owner, says in zip(batch, owners, statements, strict=True)
    ]
    network = await _around(connection, policy_on, batch, said)
    links_before, returns_before = dict(network.links), dict(network.returns)
    links_known, returns_known = set(links_before), set(returns_before)
    written = _Written()
    events: list[list[Event]] = []
    touched: set[UUID] = set()
    for step, file in zip(batch, said, strict=True):
        before = network.accounts.get(step.account_id)
        after = _after(step, file, before)
        if after is None or after == before:
            events.append([])
            continue
        _note_values(written, before, after, step.at)
        touched.add(after.account_id)
        changes = network.put(after)
        _note_found(written.links_found, links_known, network.links, network.changed_links, step.at)
        _note_found(written.returns_found, returns_known, network.returns, network.changed_returns, step.at)
        events.append([_event(change, step.at) for change in changes])
    await store.put_accounts(connection, [network.accounts[account] for account in sorted(touched)])
    await _write(connection, network, written, links_before, returns_before)
    return events


def _after(step: Step, said: _Said | None, before: Holder | None) -> Holder | None:
    """Return an account after an event. An account that its platform opens again is no longer banned."""
    if said is not None:
        return Holder(
            account_id=step.account_id,
            platform_id=step.platform_id,
            operator_ref=step.event.operator_ref,
            operator_id=said.operator_id,
            opened_at=before.opened_at if before is not None else step.at,
            stated_at=step.at,
            attributes=said.attributes,
        )
    if before is None:
        return None
    return replace(before, banned_at=step.at if step.event.reason == "banned" else None)


async def _around(
    connection: Connection, policy_on: PolicyOn, batch: Sequence[Step], said: Sequence[_Said | None]
) -> Network:
    """Read what a batch may touch: a few questions, however many files are in it."""
    stated = [file for file in said if file is not None]
    own = {step.account_id for step in batch}
    before = await store.read_accounts(connection, store.ACCOUNTS_BY_ID, own)
    operators = {file.operator_id for file in stated} | {holder.operator_id for holder in before}
    members = await store.read_accounts(connection, store.ACCOUNTS_BY_OPERATOR, operators)
    leaving = _leaving(before, stated)
    known = [file.attributes for file in stated] + [holder.attributes for holder in members]
    values = {value for attributes_of in known for value in attributes_of.all()}
    policy = policy_on(max(step.at for step in batch).date())
    reading = _Reading(connection, policy, leaving)
    await reading.read(values)
    near, weighed = reading.concerned(values)
    alike = await reading.read_around(value for value in leaving if value.kind in SKETCHED)
    network = Network(policy_on)
    await _read_rings(connection, network, operators | near | alike, weighed)
    await reading.read(_compared(network))
    network.holders.update(reading.holders)
    return network


def _leaving(before: Iterable[Holder], stated: Iterable[_Said]) -> Counter[Value]:
    """Return how many accounts of a batch let go of each value; all that it held, where one gets another operator."""
    held = {holder.account_id: (holder.operator_id, holder.attributes.all()) for holder in before}
    gone: set[tuple[UUID, Value]] = set()
    for one in stated:
        operator, values = held.get(one.account_id, (one.operator_id, frozenset()))
        now = one.attributes.all()
        gone.update((one.account_id, value) for value in (values - now if operator == one.operator_id else values))
        held[one.account_id] = (one.operator_id, now)
    return Counter(value for _, value in gone)


@dataclass
class _Reading:
    """Who holds which value, as far as it was asked."""

    connection: Connection
    policy: Policy
    leaving: Counter[Value]
    holders: dict[Value, set[UUID]] = field(default_factory=dict)

    async def read(self, values: Iterable[Value]) -> None:
        """Ask who holds values: of one that too many hold, as many more as may let go of it."""
        asked = {v: self.policy.most(v) + 1 + self.leaving[v] for v in values if v not in self.holders}
        self.holders |= await store.read_holders(self.connection, asked)

    def concerned(self, values: Iterable[Value]) -> tuple[set[UUID], set[UUID]]:
        """Return who may be linked by some values, and who is touched only if it is linked already."""
        near, weighed = set[UUID](), set[UUID]()
        for value in values:
            now = len(self.holders[value])
            fewest = now - self.leaving[value]
            if fewest <= self.policy.most(value):
                (near if self.policy.may_link(value, fewest, now) else weighed).update(self.holders[value])
        return near, weighed - near

    async def read_around(self, values: Iterable[Value]) -> set[UUID]:
        """Return whoever may be linked by anything to those who hold some values: what is alike weighs otherwise."""
        holding, _ = self.concerned(values)
        accounts = await store.read_accounts(self.connection, store.ACCOUNTS_BY_OPERATOR, holding)
        theirs = {value for account in accounts for value in account.attributes.all()}
        await self.read(theirs)
        return self.concerned(theirs)[0]


async def _read_rings(connection: Connection, network: Network, operators: set[UUID], weighed: set[UUID]) -> None:
    """Read operators, whom they are linked to, and whom those are linked to: who of them was banned, matters too.

    Of those who only weigh otherwise, the linked ones are read.
    """
    known, frontier = set(operators), operators | weighed
    links: dict[Pair, Link] = {}
    for _ in range(_RINGS):
        found = await store.read_links(connection, frontier)
        links |= found
        frontier = {operator for pair in found for operator in pair} - known - frontier
        known |= {operator for pair in found for operator in pair}
    accounts = await store.read_accounts(connection, store.ACCOUNTS_BY_OPERATOR, known)
    network.know(accounts, links, await store.read_returns(connection, known))


def _compared(network: Network) -> set[Value]:
    """Return the values whose holders are counted when two of the network's operators are compared."""
    said = [(holder.operator_id, holder.attributes) for holder in network.accounts.values()]
    holding = Counter(value for _, value in {(operator, value) for operator, file in said for value in file.all()})
    shared = {value for value, operators in holding.items() if operators > 1}
    near = {sketch.value for _, file in said for sketch in (file.name, file.address) if sketch is not None}
    return shared | near


async def _write(
    connection: Connection,
    network: Network,
    written: _Written,
    links_before: Mapping[Pair, Link],
    returns_before: Mapping[UUID, Return],
) -> None:
    await store.close_values(connection, written.closed)
    rows = [
        (account, *value, since, until, holder.operator_id, holder.platform_id)
        for (account, value, since), (holder, until) in written.opened.items()
    ]
    await store.open_values(connection, rows)
    links = _changed(links_before, network.links)
    # Of a link that only weighs something else, the moment it was found stays; one that was lost is found anew.
    links |= {pair: network.links[pair] for pair in written.links_found if pair in network.links}
    await store.put_links(connection, links, written.links_found)
    returns = _changed(returns_before, network.returns)
    returns |= {one: network.returns[one] for one in written.returns_found if one in network.returns}
    accounts = {account: (network.accounts[account], found) for account, found in returns.items()}
    await store.put_returns(connection, accounts, written.returns_found)


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


def _note_values(written: _Written, before: Holder | None, after: Holder, at: datetime) -> None:
    """Let values begin and end that an account's new version has and has not; all of them with another operator."""
    held = before.attributes.all() if before is not None else frozenset()
    holds = after.attributes.all()
    moved = before is not None and before.operator_id != after.operator_id
    for value in sorted(held if moved else held - holds):
        key = (after.account_id, value)
        if (since := written.open_since.pop(key, None)) is not None:
            written.opened[*key, since] = (written.opened[*key, since][0], at)
        else:
            written.closed.append((after.account_id, *value, at))
    for value in sorted(holds if moved else holds - held):
        written.open_since[after.account_id, value] = at
        written.opened[after.account_id, value, at] = (after, None)


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
