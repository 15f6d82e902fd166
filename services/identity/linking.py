"""What speaks for two legal entities being one behind the scenes, as a sum of log-odds. Pure."""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from services.identity.attributes import Attributes, Kind, Sketch, Value, kind_of

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
_PLACES = frozenset({int(Kind.ADDRESS), int(Kind.PLACE)})
# Weights are rounded one by one, each up by half of this at the most.
_ROUNDED = 10 * 10**-_DIGITS
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
        return self.most_in_band if kind_of(value) == Kind.BAND else self.most_holders

    def brings_together(self, value: Value) -> bool:
        """Tell whether those who hold a value, while they are few, are compared. Persons share names by chance."""
        return kind_of(value) != Kind.REPRESENTATIVE

    def weighs_otherwise(self, value: Value, before: int, now: int) -> bool:
        """Tell whether it makes a difference to those who share a value that another number of operators holds it."""
        if kind_of(value) == Kind.BAND:
            return (before <= self.most_in_band) != (now <= self.most_in_band)
        return min(before, now) <= self.most_holders

    def may_link(self, value: Value, fewest: int, most: int) -> bool:
        """Tell whether two who hold a value may be linked by it when fewer hold it, and were not before."""
        if kind_of(value) == Kind.REPRESENTATIVE:
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
    """Everything the files of one operator's accounts say; `all` is whole values and bands."""

    values: frozenset[Value]
    bands: frozenset[Value]
    all: frozenset[Value]
    names: frozenset[Sketch]
    addresses: frozenset[Sketch]


class Possible(NamedTuple):
    """What two operators can come to at the most: by what they share, by names and by addresses that are alike."""

    whole: float
    name: float
    address: float


def side(files: Iterable[Attributes]) -> Side:
    """Unite what several files of one operator say."""
    all_files = list(files)
    if len(all_files) == 1:
        (file,) = all_files
        return Side(file.values, file.bands, file.all(), _one(file.name), _one(file.address))
    return Side(
        frozenset().union(*(file.values for file in all_files)),
        frozenset().union(*(file.bands for file in all_files)),
        frozenset().union(*(file.all() for file in all_files)),
        frozenset().union(*(_one(file.name) for file in all_files)),
        frozenset().union(*(_one(file.address) for file in all_files)),
    )


def link(a: Side, b: Side, holders: HoldersOf, policy: Policy) -> Link:
    """Return what speaks for two operators being linked.

    Values that differ say nothing against it: who hides changes what can be changed.
    """
    fewest = _fewest(a.values & b.values, holders)
    reasons = [Reason(name, policy.weight(name, fewest[kind]), fewest[kind]) for kind, name in _WHOLE if kind in fewest]
    if Kind.NAME not in fewest:
        reasons += _near("name_near", _alike(a.names, b.names, policy.near_name, holders), policy)
    if not fewest.keys() & _PLACES:
        reasons += _near("address_near", _alike(a.addresses, b.addresses, policy.near_address, holders), policy)
    counted = [Reason(r.kind, round(r.weight, _DIGITS), r.holders) for r in reasons if r.weight > 0]
    return Link(round(sum(reason.weight for reason in counted), _DIGITS), tuple(counted))


def most_possible(policy: Policy, fewest: Mapping[int, int]) -> Possible:
    """Return what two operators can come to that share values of some kinds, each held by so few at the least.

    More holders than that only weigh less. What is alike and not the same is held by two at the least, one each.
    """
    whole = 0.0
    for kind, count in fewest.items():
        if kind in NAMES:
            whole += policy.weight(NAMES[kind], count)
    name = 0.0 if Kind.NAME in fewest else policy.weight("name_near", 2)
    address = 0.0 if fewest.keys() & _PLACES else policy.weight("address_near", 2)
    return Possible(whole + _ROUNDED, name, address)


def same_entity(policy: Policy) -> Link:
    """Return what speaks for two accounts of one registration number: the number itself."""
    weight = round(policy.weight("registration", 1), _DIGITS)
    return Link(weight, (Reason("registration", weight, 1),))


def similarity(a: frozenset[int], b: frozenset[int]) -> float:
    """Return the share of pieces that two texts have in common (Dice)."""
    return 2 * len(a & b) / (len(a) + len(b)) if a and b else 0.0


def alike(one: Sketch, other: Sketch, least: float) -> bool:
    """Tell whether two texts are alike and not the same.

    Numbers are the same or they are not: houses of one street differ in nothing else.
    """
    return (
        one.value != other.value
        and one.numbers == other.numbers
        and kind_of(one.value) == kind_of(other.value)
        and similarity(one.pieces, other.pieces) >= least
    )


def _one(sketch: Sketch | None) -> frozenset[Sketch]:
    return frozenset() if sketch is None else frozenset((sketch,))


def _fewest(shared: Iterable[Value], holders: HoldersOf) -> dict[int, int]:
    """Return by how few operators a shared value of each kind is held; several accounts in one bank are no reasons."""
    found: dict[int, int] = {}
    for value in shared:
        kind, count = kind_of(value), holders(value)
        if count < found.get(kind, count + 1):
            found[kind] = count
    return found


def _alike(a: frozenset[Sketch], b: frozenset[Sketch], least: float, holders: HoldersOf) -> int | None:
    """Return how many hold the more common of two alike texts, the rarest of all such pairs."""
    counts = (holders(one.value) + holders(other.value) for one in a for other in b if alike(one, other, least))
    return min(counts, default=None)


def _near(kind: str, holders: int | None, policy: Policy) -> list[Reason]:
    return [] if holders is None else [Reason(kind, policy.weight(kind, holders), holders)]
