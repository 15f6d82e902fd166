"""The sum of log-odds, and that what is linked in the end does not depend on what came first."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import combinations
from random import Random
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.hidden_links import house_policy
from services.identity.attributes import Attributes, Kind, Sketch, Value, value_of
from services.identity.linking import Policy, Side, link, side, similarity
from services.identity.network import Holder, LinkChanged, Network, pair_of
from services.identity.rule_values import policy
from shared.rule_values import NoSuchRule

POLICY = house_policy()
KINDS = (
    Kind.BANK_ACCOUNT,
    Kind.DEVICE,
    Kind.PHONE,
    Kind.EMAIL,
    Kind.REPRESENTATIVE,
    Kind.ADDRESS,
    Kind.PLACE,
    Kind.NAME,
)
VALUES = st.builds(value_of, st.sampled_from([int(kind) for kind in KINDS]), st.sampled_from([1 << 4, 2 << 4, -3 << 4]))
START = datetime(2026, 1, 1, tzinfo=UTC)


def saying(*values: Value, name: Sketch | None = None, address: Sketch | None = None) -> Attributes:
    own = [sketch.value for sketch in (name, address) if sketch is not None]
    return Attributes(frozenset([*values, *own]), frozenset(), name, address)


def as_number(pieces: Iterable[int]) -> int:
    """Return another number for every set of small pieces."""
    return sum(1 << 4 + piece for piece in pieces)


def one_side(*values: Value) -> Side:
    return side([saying(*values)])


@st.composite
def files(draw: st.DrawFn) -> Attributes:
    values = draw(st.frozensets(VALUES, max_size=2))
    pieces = draw(st.frozensets(st.integers(0, 5), min_size=1, max_size=5))
    name = Sketch(value_of(Kind.NAME, as_number(pieces)), 0, pieces)
    there = draw(st.frozensets(st.integers(0, 5), min_size=1, max_size=5))
    address = Sketch(value_of(Kind.ADDRESS, as_number(there)), 5, there)
    bands = [value_of(Kind.BAND, as_number([piece])) for piece in there]
    return saying(*values, name=name, address=address)._replace(bands=frozenset(bands))


class TestWeight:
    @given(st.sampled_from(["phone", "representative", "address"]), st.integers(1, 2_000), st.integers(0, 500))
    def test_never_grows_with_those_who_hold_a_value(self, kind: str, holders: int, more: int) -> None:
        assert POLICY.weight(kind, holders) >= POLICY.weight(kind, holders + more) >= 0

    def test_of_a_value_that_a_thousand_hold_is_nothing(self) -> None:
        assert all(POLICY.weight(kind, 1_000) == 0 for kind in POLICY.agreement)

    def test_of_one_shared_value_is_enough_or_not(self) -> None:
        enough = {kind for kind in POLICY.agreement if POLICY.weight(kind, 2) >= POLICY.threshold}

        assert enough == {"registration", "bank_account", "device", "phone", "email", "address"}


class TestLink:
    @given(st.frozensets(VALUES, max_size=8), st.frozensets(VALUES, max_size=8), st.integers(2, 150))
    def test_has_no_direction(self, one: frozenset[Value], other: frozenset[Value], holders: int) -> None:
        a, b = one_side(*one), one_side(*other)

        assert link(a, b, lambda _: holders, POLICY) == link(b, a, lambda _: holders, POLICY)

    @given(st.frozensets(VALUES, max_size=8), st.frozensets(VALUES, max_size=8), VALUES)
    def test_is_never_weaker_for_one_more_agreement(
        self, one: frozenset[Value], other: frozenset[Value], more: Value
    ) -> None:
        before = link(one_side(*one), one_side(*other), lambda _: 2, POLICY)
        after = link(one_side(*one, more), one_side(*other, more), lambda _: 2, POLICY)

        assert after.score >= before.score

    def test_counts_a_kind_once_and_by_its_rarest_value(self) -> None:
        common, rare = value_of(Kind.PHONE, 1 << 4), value_of(Kind.PHONE, 2 << 4)
        both = one_side(common, rare)

        found = link(both, both, lambda value: 50 if value == common else 2, POLICY)

        assert [(reason.kind, reason.holders) for reason in found.reasons] == [("phone", 2)]

    def test_of_addresses_that_are_alike_needs_the_same_numbers(self) -> None:
        def at(number: int, *pieces: int) -> Side:
            there = Sketch(value_of(Kind.ADDRESS, as_number(pieces)), number, frozenset(pieces))
            return side([saying(address=there)])

        same = link(at(5, 1, 2, 3, 4), at(5, 1, 2, 3, 9), lambda _: 1, POLICY)
        other = link(at(5, 1, 2, 3, 4), at(6, 1, 2, 3, 9), lambda _: 1, POLICY)

        assert [reason.kind for reason in same.reasons] == ["address_near"]
        assert same.score < POLICY.threshold
        assert other.reasons == ()

    @given(st.frozensets(st.integers(0, 9)), st.frozensets(st.integers(0, 9)))
    def test_by_likeness_is_of_both_alike(self, a: frozenset[int], b: frozenset[int]) -> None:
        assert similarity(a, b) == similarity(b, a) <= 1
        assert similarity(a, a) == (1 if a else 0)


@st.composite
def histories(draw: st.DrawFn) -> list[list[Holder]]:
    """Return the versions of some accounts, each account's in their order."""
    accounts = []
    for number in range(draw(st.integers(2, 5))):
        versions = []
        for version in range(draw(st.integers(1, 3))):
            at = START + timedelta(days=7 * number + version)
            versions.append(
                Holder(
                    account_id=UUID(int=number + 1),
                    platform_id="north",
                    operator_ref=str(number),
                    operator_id=UUID(int=100 + draw(st.sampled_from([number, number // 2]))),
                    opened_at=START + timedelta(days=7 * number),
                    stated_at=at,
                    banned_at=draw(st.sampled_from([None, None, at])),
                    attributes=draw(files()),
                )
            )
        accounts.append(versions)
    return accounts


class TestNetwork:
    @settings(max_examples=150, deadline=None)
    @given(histories(), st.randoms(use_true_random=False), st.sampled_from([1, 2, 3, 100]))
    def test_is_in_the_end_what_the_last_versions_make_it(
        self, accounts: list[list[Holder]], draw: Random, most: int
    ) -> None:
        weighed = _with(most)
        told = Network(lambda _: weighed)
        left = [list(versions) for versions in accounts]
        while queue := [versions for versions in left if versions]:
            told.put(draw.choice(queue).pop(0))
        fresh = Network(lambda _: weighed)
        for versions in accounts:
            fresh.put(versions[-1])

        assert told.links == fresh.links == _by_hand(accounts, weighed)
        assert told.returns == fresh.returns

    @settings(max_examples=60, deadline=None)
    @given(histories())
    def test_says_what_it_changed_and_nothing_else(self, accounts: list[list[Holder]]) -> None:
        network = Network(lambda _: POLICY)
        linked: set[object] = set()
        for versions in accounts:
            for version in versions:
                for change in network.put(version):
                    if isinstance(change, LinkChanged):
                        (linked.discard if change.link is None else linked.add)(change.pair)
                assert network.put(version) == []

        assert linked == network.links.keys()


def _with(most: int) -> Policy:
    return Policy(**{**POLICY.__dict__, "most_holders": most, "most_in_band": most, "threshold": 5.0})


def _by_hand(accounts: list[list[Holder]], weighed: Policy) -> dict[object, object]:
    """Compare everybody with everybody, where a band or a value brings them together."""
    sides: dict[UUID, list[Attributes]] = {}
    for versions in accounts:
        sides.setdefault(versions[-1].operator_id, []).append(versions[-1].attributes)
    united = {operator: side(of) for operator, of in sides.items()}

    def holders(value: Value) -> int:
        return sum(value in one.values | one.bands for one in united.values())

    found: dict[object, object] = {}
    for a, b in combinations(sorted(united), 2):
        shared = (united[a].values | united[a].bands) & (united[b].values | united[b].bands)
        if not any(weighed.brings_together(value) and holders(value) <= weighed.most(value) for value in shared):
            continue
        scored = link(united[a], united[b], holders, weighed)
        if scored.score >= weighed.threshold:
            found[pair_of(a, b)] = scored
    return found


def test_a_policy_needs_every_value() -> None:
    with pytest.raises(NoSuchRule, match=r"links\.m\."):
        policy({"links.threshold": 8.0})
