"""Days of operators: bounded, and the same whatever the order in which a day's events came."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from services.risk.days import MAX_KEYS, MAX_MEMBERS, Day


class Placed(NamedTuple):
    """An order as a day counts it."""

    hour: int
    buyer: str | None
    device: str | None
    address: str | None


few = st.sampled_from([None, "a", "b", "c"])
orders = st.lists(st.builds(Placed, st.integers(0, 23), few, few, few), max_size=12)


def day_of(placed: list[Placed]) -> Day:
    day = Day()
    for one in placed:
        day.add_order(datetime(2026, 3, 1, one.hour, tzinfo=UTC), 100, one.buyer, (one.device, one.address))
    return day


@given(st.data())
def test_a_day_does_not_depend_on_the_order_of_its_events(data: st.DataObject) -> None:
    placed = data.draw(orders)
    shuffled = data.draw(st.permutations(placed))

    one, other = day_of(placed), day_of(shuffled)

    for ref in ("a", "b", "c", None):
        assert one.orders_of(ref) == other.orders_of(ref)
        assert one.buyers_on_device(ref) == other.buyers_on_device(ref)
        assert one.buyers_at_address(ref) == other.buyers_at_address(ref)
    assert (one.orders, one.goods_minor, one.by_hour) == (other.orders, other.goods_minor, other.by_hour)


@given(orders)
def test_a_day_counts_what_happened(placed: list[Placed]) -> None:
    day = day_of(placed)

    assert day.orders == len(placed)
    assert day.orders_of("a") == sum(one.buyer == "a" for one in placed)
    on_device = {one.buyer for one in placed if one.device == "a" and one.buyer is not None}
    assert day.buyers_on_device("a") == len(on_device)


@given(orders)
def test_a_day_survives_storage(placed: list[Placed]) -> None:
    day = day_of(placed)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(day), type=Day) == day


def test_a_day_stays_small_whatever_happens() -> None:
    day = day_of([Placed(n % 24, f"buyer-{n}", f"device-{n}", "everyone") for n in range(3 * MAX_KEYS)])

    assert day.orders == 3 * MAX_KEYS
    assert day.buyers_at_address("everyone") == MAX_MEMBERS
    assert len(msgspec.msgpack.encode(day)) < 100_000


def test_reviews_are_counted_by_text_and_stars() -> None:
    day = Day()

    for rating, text in ((5, "same"), (5, "same"), (1, None)):
        day.add_review(rating, text)

    assert (day.reviews, day.five_stars, day.times_text("same"), day.times_text(None)) == (3, 2, 2, 0)
