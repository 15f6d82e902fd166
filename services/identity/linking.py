"""What speaks for two legal entities being one behind the scenes, as a sum of log-odds. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from services.identity.attributes import Attributes, Kind, Sketch, Value

_DIGITS = 3
# Whole values first: of a name that is the same, it says nothing more that it is also alike.
_WHOLE: tuple[tuple[Kind, str], ...] = (
    (Kind.BANK_ACCOUNT, "bank_account"),
    (Kind.DEVICE, "device"),
    (Kind.PHONE, "phone"),
    (Kind.EMAIL, "email"),
    (Kind.REPRESENTATIVE, "representative"),
    (Kind.ADDRESS, "address"),
    (Kind.PLACE, "place"),
    (Kind.NAME, "name"),
)
NAMES: Mapping[int, str] = {int(kind): name for kind, name in _WHOLE}
REASONS = (*NAMES.values(), "name_near", "address_near", "registration")

HoldersOf = Callable[[Value], int]


class Reason(NamedTuple):
    """An agreement: of what kind, what it adds to the score, and how many operators hold the value."""

    kind: str
    weight: float
    holders: int


@dataclass(frozen=True)
class Policy:
    """How agreements are weighed on a day.

    `agreement` is m, the share of linked pairs that agree on a kind; `chance` the least u, the share of unlinked ones
    that do. A value held by `common_at` operators says nothing, one held by more than `most_holders` brings nobody
    together.
    """

    agreement: Mapping[str, float]
    chance: Mapping[str, float]
    common_at: float
    threshold: float
    most_holders: int
    most_in_band: int
    near_name: float
    near_address: float

    def weight(self, kind: str, holders: int) -> float:
        """Return log2(m/u) of an agreement on a value that so many operators hold; never less than nothing."""
        if holders > self.most_holders:
            return 0.0
        u = max(self.chance.get(kind, 0.0), holders / self.common_at)
        return max(0.0, math.log2(self.agreement[kind] / u))

    def most(self, value: Value) -> int:
        """Return how many operators may hold a value that brings operators together."""
        return self.most_in_band if value.kind == Kind.BAND else self.most_holders

    def brings_together(self, value: Value) -> bool:
        """Tell whether those who hold a value, while they are few, are compared. Persons share names by chance."""
        return value.kind != Kind.REPRESENTATIVE

    def weighs_otherwise(self, value: Value, before: int, now: int) -> bool:
        """Tell whether it makes a difference to those who share a value that another number of operators holds it."""
        if value.kind == Kind.BAND:
            return (before <= self.most_in_band) != (now <= self.most_in_band)
        return min(before, now) <= self.most_holders

    def may_link(self, value: Value, fewest: int, most: int) -> bool:
        """Tell whether two who hold a value may be linked by it when fewer hold it, and were not before."""
        if value.kind == Kind.REPRESENTATIVE:
            return self.weight("representative", fewest) > self.weight("representative", most)
        return fewest <= self.most(value)


class Link(NamedTuple):
    """What two operators agree on, and what it comes to."""

    score: float
    reasons: tuple[Reason, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """Return what the operators agree on, without how much."""
        return tuple(reason.kind for reason in self.reasons)


class Side(NamedTuple):
    """Everything the files of one operator's accounts say."""

    values: frozenset[Value]
    bands: frozenset[Value]
    names: frozenset[Sketch]
    addresses: frozenset[Sketch]


def side(files: Iterable[Attributes]) -> Side:
    """Unite what several files of one operator say."""
    all_files = list(files)
    return Side(
        frozenset().union(*(file.values for file in all_files)),
        frozenset().union(*(file.bands for file in all_files)),
        frozenset(file.name for file in all_files if file.name is not None),
        frozenset(file.address for file in all_files if file.address is not None),
    )


def link(a: Side, b: Side, holders: HoldersOf, policy: Policy) -> Link:
    """Return what speaks for two operators being linked.

    Values that differ say nothing against it: who hides changes what can be changed.
    """
    reasons = [
        Reason(name, policy.weight(name, count), count)
        for kind, name in _WHOLE
        if (count := _fewest(a.values & b.values, kind, holders)) is not None
    ]
    whole = {reason.kind for reason in reasons}
    if "name" not in whole:
        reasons += _near("name_near", _alike(a.names, b.names, policy.near_name, holders), policy)
    if not whole & {"address", "place"}:
        reasons += _near("address_near", _alike(a.addresses, b.addresses, policy.near_address, holders), policy)
    counted = [Reason(r.kind, round(r.weight, _DIGITS), r.holders) for r in reasons if r.weight > 0]
    return Link(round(sum(reason.weight for reason in counted), _DIGITS), tuple(counted))


def same_entity(policy: Policy) -> Link:
    """Return what speaks for two accounts of one registration number: the number itself."""
    weight = round(policy.weight("registration", 1), _DIGITS)
    return Link(weight, (Reason("registration", weight, 1),))


def similarity(a: frozenset[int], b: frozenset[int]) -> float:
    """Return the share of pieces that two texts have in common (Dice)."""
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def _fewest(shared: frozenset[Value], kind: Kind, holders: HoldersOf) -> int | None:
    """Return by how few operators a shared value of a kind is held; several accounts in one bank are no two reasons."""
    return min((holders(value) for value in shared if value.kind == kind), default=None)


def _alike(a: frozenset[Sketch], b: frozenset[Sketch], least: float, holders: HoldersOf) -> int | None:
    """Return how many hold the more common of two alike texts, the rarest of all such pairs.

    Numbers are the same or they are not: houses of one street differ in nothing else.
    """
    counts = (
        holders(one.value) + holders(other.value)
        for one in a
        for other in b
        if one.value != other.value
        and one.numbers == other.numbers
        and one.value.kind == other.value.kind
        and similarity(one.pieces, other.pieces) >= least
    )
    return min(counts, default=None)


def _near(kind: str, holders: int | None, policy: Policy) -> list[Reason]:
    return [] if holders is None else [Reason(kind, policy.weight(kind, holders), holders)]
