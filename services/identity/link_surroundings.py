"""What of the network a batch may touch: read in a few questions, however many files are in it.

Most of those who share something with a file cannot be linked to it whatever else is known of them: a house in one
street, a common name. They are told apart by what is shared and by their sketches, before all else about them is read.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from datetime import date
from typing import NamedTuple
from uuid import UUID

from services.identity import link_store as store
from services.identity.attributes import SKETCHED, Attributes, Kind, Value, kind_of
from services.identity.link_store import Connection, Sketches
from services.identity.linking import Link, Policy, Possible, Side, most_possible, side
from services.identity.network import Holder, Network, Pair
from services.identity.registrations import Step
from services.identity.rule_values import PolicyOn

# Links of those who hold a value, of whoever is linked to them, and the bans behind those.
_RINGS = 2


class Said(NamedTuple):
    """Of which account and legal entity a file is, and what it says that others may say too."""

    account_id: UUID
    operator_id: UUID
    attributes: Attributes


async def around(connection: Connection, policy_on: PolicyOn, batch: Sequence[Step], stated: Sequence[Said]) -> Network:
    """Read what a batch may touch."""
    own = {step.account_id for step in batch}
    before = await store.read_accounts(connection, store.ACCOUNTS_BY_ID, own)
    operators = {file.operator_id for file in stated} | {holder.operator_id for holder in before}
    members = await store.read_accounts(connection, store.ACCOUNTS_BY_OPERATOR, operators)
    leaving = _leaving(before, stated)
    days = {step.at.date() for step in batch}
    reading = _Reading(connection, policy_on(max(days)), leaving)
    sides = _sides(members, stated)
    values = {value for one in sides.values() for value in one.all}
    await reading.read(values)
    near, weighed = reading.concerned(values)
    alike_ones = await reading.read_around({value for value in leaving if kind_of(value) in SKETCHED})
    # Where one lets go of a value, all others who hold it may be linked to one another.
    certain = operators | alike_ones | reading.concerned(leaving.keys())[0]
    # A pair is weighed as on the day of its newest file, which need not be one of the batch.
    days |= {day for day in (holder.stated_at.date() for holder in members) if day > min(days)}
    reached = await _reached(reading, policy_on, days, sides, near - certain)
    network = Network(policy_on)
    await _read_rings(connection, network, certain | reached, (weighed | near) - certain - reached)
    await reading.read(_compared(network))
    network.holders.update(reading.holders)
    return network


def _sides(members: Iterable[Holder], stated: Iterable[Said]) -> dict[UUID, Side]:
    """Return what operators of a batch say before it, within it or after it."""
    files: dict[UUID, list[Attributes]] = defaultdict(list)
    for one in members:
        files[one.operator_id].append(one.attributes)
    for file in stated:
        files[file.operator_id].append(file.attributes)
    return {operator: side(own) for operator, own in files.items()}


def _leaving(before: Iterable[Holder], stated: Iterable[Said]) -> Counter[Value]:
    """Return how many accounts of a batch let go of each value; all that it held, where one gets another operator."""
    held = {holder.account_id: (holder.operator_id, holder.attributes.all()) for holder in before}
    gone: set[tuple[UUID, Value]] = set()
    for one in stated:
        now = one.attributes.all()
        operator, values = held.get(one.account_id, (one.operator_id, frozenset()))
        gone.update((one.account_id, value) for value in (values - now if operator == one.operator_id else values))
        held[one.account_id] = (one.operator_id, now)
    return Counter(value for _, value in gone)


@dataclass
class _Reading:
    """Who holds which value, as far as it was asked; of a value that nobody holds nothing."""

    connection: Connection
    policy: Policy
    leaving: Counter[Value]
    asked: set[Value] = field(default_factory=set)
    holders: dict[Value, set[UUID]] = field(default_factory=dict)

    async def read(self, values: Set[Value]) -> None:
        """Ask who holds values: of one that too many hold, as many more as may let go of it."""
        # In order, so that neighbours in the index are read one after the other.
        fresh = sorted(values - self.asked)
        self.asked.update(fresh)
        most = [self.policy.most(value) + 1 for value in fresh]
        if self.leaving:
            most = [count + self.leaving[value] for value, count in zip(fresh, most, strict=True)]
        self.holders |= await store.read_holders(self.connection, fresh, most)

    def concerned(self, values: Set[Value]) -> tuple[set[UUID], set[UUID]]:
        """Return who may be linked by some values, and who is touched only if it is linked already."""
        near, weighed = set[UUID](), set[UUID]()
        for value in self.holders.keys() & values:
            holders = self.holders[value]
            now = len(holders)
            fewest = now - self.leaving[value] if self.leaving else now
            if fewest <= self.policy.most(value):
                (near if self.policy.may_link(value, fewest, now) else weighed).update(holders)
        return near, weighed - near

    async def read_around(self, values: Set[Value]) -> set[UUID]:
        """Return whoever may be linked by anything to those who hold some values: what is alike weighs otherwise."""
        holding, _ = self.concerned(values)
        accounts = await store.read_accounts(self.connection, store.ACCOUNTS_BY_OPERATOR, holding)
        theirs = {value for account in accounts for value in account.attributes.all()}
        await self.read(theirs)
        return self.concerned(theirs)[0]

    def shared(self, sides: dict[UUID, Side], others: Collection[UUID]) -> Iterator[tuple[Pair, Value, int]]:
        """Yield what operators of a batch share with others: both, the value, and how few may hold it by then."""
        mine: dict[Value, list[UUID]] = defaultdict(list)
        for operator, own in sides.items():
            for value in self.holders.keys() & own.all:
                mine[value].append(operator)
        for value, operators in mine.items():
            holders = self.holders[value]
            fewest = len(holders) - self.leaving[value]
            if fewest <= self.policy.most(value) and (known := holders.intersection(others)):
                yield from (((a, b), value, max(2, fewest)) for a in operators for b in known if a != b)


async def _reached(
    reading: _Reading, policy_on: PolicyOn, days: Set[date], sides: dict[UUID, Side], others: set[UUID]
) -> set[UUID]:
    """Return which of others may be linked to an operator of a batch at all; of the rest nothing else is read."""
    shared: dict[Pair, dict[int, int]] = defaultdict(dict)
    for pair, value, fewest in reading.shared(sides, others):
        kinds = shared[pair]
        # A band weighs nothing by itself.
        if (kind := kind_of(value)) != Kind.BAND:
            kinds[kind] = min(fewest, kinds.get(kind, fewest))
    sketches = await store.read_sketches(reading.connection, {b for _, b in shared})
    theirs = {one.stated_at.date() for own in sketches.values() for one in own}
    policies = _policies(policy_on, {*days, *(day for day in theirs if day > min(days))})
    reached: set[UUID] = set()
    for policy in policies:
        alone = most_possible(policy, {})
        for (a, b), kinds in shared.items():
            if b not in reached:
                found = most_possible(policy, kinds) if kinds else alone
                if _may_reach(policy, found, sides[a], sketches[b]):
                    reached.add(b)
    return reached


def _policies(policy_on: PolicyOn, days: Iterable[date]) -> list[Policy]:
    """Return how links were weighed on some days, each way once."""
    found: list[Policy] = []
    for policy in map(policy_on, sorted(days)):
        if policy not in found:
            found.append(policy)
    return found


def _may_reach(policy: Policy, found: Possible, own: Side, others: Sequence[Sketches]) -> bool:
    """Tell whether what two share, and what may be alike of them, can come to a link."""
    whole, name, address, least = *found, policy.threshold
    if whole + name + address < least:
        return False
    # First what is rarer: names are alike less often than houses.
    if whole + address < least or whole + name >= least:
        whole += name if name and any(one.has_like_name(own.names, policy.near_name) for one in others) else 0.0
    elif whole >= least:
        return True
    if whole >= least or whole + address < least:
        return whole >= least
    return any(one.has_like_address(own.addresses, policy.near_address) for one in others)


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
