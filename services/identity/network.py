"""Accounts, who holds which value, and what follows for links and returns, one change after the other. Pure.

A change gives the same result whether it comes alone or among others, and the last state does not depend on the order
in which files came: links and returns are functions of who holds what now.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import chain
from typing import NamedTuple, TypeAlias
from uuid import UUID

from services.identity.attributes import SKETCHED, Attributes, Value, kind_of
from services.identity.linking import Link, Policy, Side, link, most_possible, same_entity, side

Pair: TypeAlias = tuple[UUID, UUID]


@dataclass(frozen=True, kw_only=True)
class Holder:
    """An account, whose it is, and what its file says; `banned_at` while the platform's ban stands."""

    account_id: UUID
    platform_id: str
    operator_ref: str
    operator_id: UUID
    opened_at: datetime
    stated_at: datetime
    banned_at: datetime | None = None
    attributes: Attributes


class Banned(NamedTuple):
    """An account that its platform banned."""

    account_id: UUID
    platform_id: str
    operator_id: UUID
    banned_at: datetime


class Return(NamedTuple):
    """An account that is linked to a banned one; it `came_back` if it was opened after the ban."""

    banned: Banned
    came_back: bool
    link: Link


class LinkChanged(NamedTuple):
    """Two operators are linked, for other reasons than before or newly; or no longer, where `link` is None."""

    pair: Pair
    link: Link | None


class ReturnChanged(NamedTuple):
    """An account is linked to a banned one, or to another than before; or no longer, where `found` is None."""

    account: Holder
    found: Return | None


Change: TypeAlias = LinkChanged | ReturnChanged


def pair_of(a: UUID, b: UUID) -> Pair:
    """Return two operators in their order: a link has no direction."""
    return (a, b) if a < b else (b, a)


@dataclass
class Network:
    """What is known around some accounts.

    `holders` says of values which operators hold them, of one held by too many at least so many that it shows. What a
    batch may touch has to be here: accounts of its operators, of whoever shares a value with them, and of whoever is
    linked to those.
    """

    policy_on: Callable[[date], Policy]
    accounts: dict[UUID, Holder] = field(default_factory=dict)
    holders: dict[Value, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    links: dict[Pair, Link] = field(default_factory=dict)
    returns: dict[UUID, Return] = field(default_factory=dict)
    # Of what anything changed in the last step, be it only a weight.
    changed_links: list[Pair] = field(default_factory=list)
    changed_returns: list[UUID] = field(default_factory=list)
    _members: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))
    _sides: dict[UUID, Side] = field(default_factory=dict)
    _linked: dict[UUID, set[UUID]] = field(default_factory=lambda: defaultdict(set))

    def know(self, accounts: Iterable[Holder], links: Mapping[Pair, Link], returns: Mapping[UUID, Return]) -> None:
        """Take in what is stored."""
        for account in accounts:
            self.accounts[account.account_id] = account
            self._members[account.operator_id].add(account.account_id)
        for pair, known in links.items():
            self._set_link(pair, known)
        self.returns.update(returns)

    def put(self, account: Holder) -> list[Change]:
        """Replace or add an account; return what follows for links and returns, in one order."""
        self.changed_links.clear()
        self.changed_returns.clear()
        before = self.accounts.get(account.account_id)
        policy = self.policy_on(account.stated_at.date())
        counts = self._replace(before, account)
        operators = {account.operator_id} | ({before.operator_id} if before is not None else set())
        pairs = self._meetings(operators, policy) | self._touched(counts, policy)
        changes: list[Change] = []
        affected = set(operators)
        for pair in sorted(pairs):
            if self._rescore(pair, changes):
                affected.update(pair)
        affected.update(*(self._linked_to(operator) for operator in operators))
        for other in sorted(set(chain.from_iterable(self._members[operator] for operator in affected))):
            self._review(self.accounts[other], changes)
        return changes

    def is_known(self, operator: UUID) -> bool:
        """Tell whether an operator has an account."""
        return bool(self._members.get(operator))

    def side(self, operator: UUID) -> Side:
        """Return everything the files of an operator say."""
        if operator not in self._sides:
            self._sides[operator] = side(self.accounts[one].attributes for one in sorted(self._members[operator]))
        return self._sides[operator]

    def _replace(self, before: Holder | None, account: Holder) -> dict[Value, int]:
        """Put an account in its place; return of every shared value whose count changed how many held it before."""
        if before is None and not self.is_known(account.operator_id):
            return self._add(account)
        operators = {account.operator_id} if before is None else {account.operator_id, before.operator_id}
        held = {operator: self.side(operator).all for operator in operators}
        if before is not None:
            self._members[before.operator_id].discard(before.account_id)
        self.accounts[account.account_id] = account
        self._members[account.operator_id].add(account.account_id)
        counts: dict[Value, int] = {}
        for operator in operators:
            self._sides.pop(operator, None)
            now = self.side(operator).all
            for value in now ^ held[operator]:
                holders = self.holders[value]
                count = len(holders)
                (holders.add if value in now else holders.discard)(operator)
                # To whoever holds it alone now, or was the only one, it makes no difference.
                if count + len(holders) > 1:
                    counts.setdefault(value, count)
        return {value: count for value, count in counts.items() if len(self.holders[value]) != count}

    def _add(self, account: Holder) -> dict[Value, int]:
        """Put the first account of an operator in its place, and return as `_replace()` does."""
        operator = account.operator_id
        self.accounts[account.account_id] = account
        self._members[operator].add(account.account_id)
        own = self._sides[operator] = side((account.attributes,))
        counts: dict[Value, int] = {}
        for value in own.all:
            if not (holders := self.holders.get(value)):
                self.holders[value] = {operator}
            elif operator not in holders:
                counts[value] = len(holders)
                holders.add(operator)
        return counts

    def _meetings(self, operators: Iterable[UUID], policy: Policy) -> set[Pair]:
        """Return the pairs of operators with whoever shares something rare with them, and whom they are linked to."""
        found: set[Pair] = set()
        for operator in operators:
            linked = self._linked_to(operator)
            others = set(linked)
            for value in self.side(operator).all:
                if 1 < len(holders := self.holders[value]) <= policy.most(value) and policy.brings_together(value):
                    others |= holders
            # Of whom nothing is known but that they hold a value, nothing is linked to what was read around it.
            found.update(
                pair_of(operator, other)
                for other in others
                if other != operator and (other in self._members or other in linked)
            )
        return found

    def _touched(self, counts: Mapping[Value, int], policy: Policy) -> set[Pair]:
        """Return the pairs of others whose agreement on a value weighs something else now."""
        found: set[Pair] = set()
        for value, before in counts.items():
            holders = self.holders[value]
            if not policy.weighs_otherwise(value, before, len(holders)):
                continue
            # One holder more only takes from links that are; one less may make links that were not.
            new_ones = len(holders) < before and policy.may_link(value, len(holders), before)
            # Of many who hold a person's name, hardly any are linked.
            for holder in holders if new_ones else holders & self._linked.keys():
                others = self._linked_to(holder) | holders if new_ones else self._linked[holder]
                found.update(pair_of(holder, other) for other in others if other != holder)
            if new_ones and kind_of(value) in SKETCHED:
                # What is alike weighs more too, with whomever they meet.
                found |= self._meetings(holders, policy)
        return found

    def _rescore(self, pair: Pair, changes: list[Change]) -> bool:
        """Score a pair again; tell whether anything changed."""
        before = self.links.get(pair)
        a, b = pair
        if not self._members[a] or not self._members[b]:
            now = None
        else:
            now = self._scored(a, b, self.policy_on(self._newest(pair)))
        if now == before:
            return False
        self._set_link(pair, now)
        self.changed_links.append(pair)
        if before is None or now is None or before.kinds != now.kinds:
            changes.append(LinkChanged(pair, now))
        return True

    def _scored(self, a: UUID, b: UUID, policy: Policy) -> Link | None:
        one, other = self.side(a), self.side(b)
        shared = one.all & other.all
        if not any(len(self.holders[v]) <= policy.most(v) and policy.brings_together(v) for v in shared):
            return None
        fewest = dict.fromkeys(map(kind_of, shared), 2)
        if sum(most_possible(policy, fewest)) < policy.threshold:
            return None
        scored = link(one, other, lambda value: len(self.holders[value]), policy)
        return scored if scored.score >= policy.threshold else None

    def _set_link(self, pair: Pair, known: Link | None) -> None:
        a, b = pair
        if known is None:
            self.links.pop(pair, None)
            for one, other in (pair, (b, a)):
                self._linked[one].discard(other)
                if not self._linked[one]:
                    del self._linked[one]
        else:
            self.links[pair] = known
            self._linked[a].add(b)
            self._linked[b].add(a)

    def _linked_to(self, operator: UUID) -> Set[UUID]:
        return self._linked.get(operator, frozenset())

    def _newest(self, operators: Iterable[UUID]) -> date:
        return max(self.accounts[one].stated_at for operator in operators for one in self._members[operator]).date()

    def _review(self, account: Holder, changes: list[Change]) -> None:
        """See whether an account is linked to a banned one."""
        found = min(self._banned_around(account), key=_by_weight, default=None)
        if found == self.returns.get(account.account_id):
            return
        if found is None:
            del self.returns[account.account_id]
        else:
            self.returns[account.account_id] = found
        self.changed_returns.append(account.account_id)
        changes.append(ReturnChanged(account, found))

    def _banned_around(self, account: Holder) -> Iterable[Return]:
        own = account.operator_id
        for operator in {own, *self._linked_to(own)}:
            for one in self._members[operator]:
                banned = self.accounts[one]
                if banned.banned_at is None or one == account.account_id:
                    continue
                known = self.links[pair_of(own, operator)] if operator != own else self._one_entity(own)
                plain = Banned(one, banned.platform_id, operator, banned.banned_at)
                yield Return(plain, account.opened_at > banned.banned_at, known)

    def _one_entity(self, operator: UUID) -> Link:
        return same_entity(self.policy_on(self._newest([operator])))


def _by_weight(found: Return) -> tuple[bool, float, datetime, UUID]:
    """Order what an account may be the return of: the surest first."""
    return (not found.came_back, -found.link.score, found.banned.banned_at, found.banned.account_id)
