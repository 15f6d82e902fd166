"""Windows of keys, against a count of everything; bounded, and the same after they were stored."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.cells import EVENTS, USUAL, Floats
from services.risk.windows import FEATURES, HOUR_MS, WIDTHS_MS, Mismatch, Windows, key_of

SHOP, STALL = key_of("account", "north", "shop"), key_of("account", "north", "stall")
WINDOWS = ("1h", "24h", "7d", "30d")


def folded(windows: Windows, events: Sequence[tuple[Any, ...]]) -> list[dict[str, float]]:
    """Add events (key, time, value, partner, mark) and return the features of each by name."""
    key, at, value, partner, mark = (list(column) for column in zip(*events, strict=True))
    marks = np.array(mark, np.uint32)
    partners = np.array(partner, np.uint32)
    found = windows.fold(np.array(key, np.int64), np.array(at, np.int64), np.array(value, float), partners, marks)
    return [dict(zip(FEATURES, map(float, row), strict=True)) for row in found]


def counted(events: Sequence[tuple[int, int]], at: int, width: int) -> tuple[int, int]:
    """Return the most events, and different partners, of a window that holds `at`, by trying every one."""
    starts = [at - width, *(time for time, _ in events if at - width <= time <= at)]
    within = [[partner for time, partner in events if start <= time <= start + width] for start in starts]
    return max(map(len, within)), max(len(set(partners)) for partners in within)


MOMENTS = st.lists(st.tuples(st.integers(0, 40 * 24), st.integers(1, 4)), min_size=1, max_size=EVENTS)


class TestWindows:
    @given(moments=MOMENTS)
    @settings(max_examples=200, deadline=None)
    def test_of_few_events_are_exact_in_any_order_of_arrival(self, moments: list[tuple[int, int]]) -> None:
        events = [(hour * HOUR_MS // 2, partner) for hour, partner in moments]

        found = folded(Windows(), [(SHOP, at, 100, partner, 0) for at, partner in events])

        for n, (at, _) in enumerate(events):
            for window, width in zip(WINDOWS, WIDTHS_MS, strict=True):
                orders, partners = counted(events[: n + 1], at, width)
                assert found[n][f"orders_{window}"] == orders
                assert found[n][f"value_{window}_minor"] == 100 * orders
                assert found[n][f"partners_{window}"] == partners

    def test_the_last_of_a_crowd_sees_all_of_it_whenever_it_was(self) -> None:
        late = [(SHOP, 10 * HOUR_MS, 1, 1, 0), (SHOP, 3, 1, 2, 0), (SHOP, 1, 1, 3, 0), (SHOP, 2, 1, 4, 0)]

        last = folded(Windows(), late)[-1]

        assert (last["orders_1h"], last["partners_1h"], last["orders_24h"]) == (3, 3, 4)

    @pytest.mark.parametrize("pace_ms", [1_000, 60_000, 1_200_000])
    def test_of_many_events_are_right_nearly_right(self, pace_ms: int) -> None:
        draw = np.random.default_rng(7)
        times = np.cumsum(draw.exponential(pace_ms, 20_000)).astype(np.int64)
        order = np.argsort(times + draw.normal(0, 3 * pace_ms, len(times)), kind="stable")
        events = [(SHOP, int(at), 10, 1, 0) for at in times[order]]

        found = folded(Windows(), events)

        for n in range(100, len(events), 617):
            at, known = times[order][n], times[order][: n + 1]
            for window, width in zip(WINDOWS, WIDTHS_MS, strict=True):
                exact = np.count_nonzero((known >= at - width) & (known <= max(at, known.max())))
                assert abs(found[n][f"orders_{window}"] - exact) <= 0.2 * exact + 12
                assert abs(found[n][f"value_{window}_minor"] - 10 * exact) <= 2 * exact + 120

    def test_let_go_of_what_is_older_than_the_longest(self) -> None:
        events = [(SHOP, day * 24 * HOUR_MS, 1, day + 1, 0) for day in range(200)]

        last = folded(Windows(), events)[-1]

        assert last["orders_30d"] == 31
        assert last["seen"] == 199

    def test_keep_keys_apart(self) -> None:
        found = folded(Windows(), [(SHOP, 0, 5, 1, 0), (STALL, 0, 7, 1, 0), (SHOP, 1, 5, 2, 0)])

        assert [one["orders_1h"] for one in found] == [1, 1, 2]


class TestUsual:
    def test_is_what_was_before_and_fades(self) -> None:
        day = 24 * HOUR_MS
        events = [(SHOP, 0, 100, 1, 9), (SHOP, day, 300, 1, 9), (SHOP, day, 500, 1, 8)]

        first, second, third = folded(Windows(), events)

        assert first["usual_acts"] == 0
        assert np.isnan(first["usual_value_minor"])
        assert np.isnan(first["since_last_s"])
        assert (second["usual_acts"], second["usual_value_minor"], second["since_last_s"]) == (0.5, 100, 86_400)
        assert third["usual_value_minor"] == pytest.approx((50 + 300) / 1.5)
        assert third["usual_spread_minor"] == pytest.approx(np.sqrt((0.5 * 100**2 + 300**2) / 1.5 - (350 / 1.5) ** 2))
        assert [one["same_device"] for one in (first, second, third)] == [0, 1, 0]

    def test_does_not_know_of_values_that_are_not_known(self) -> None:
        found = folded(Windows(), [(SHOP, 0, np.nan, 1, 0), (SHOP, 1, 40, 1, 0), (SHOP, 2, 40, 1, 0)])

        assert [one["orders_1h"] for one in found] == [1, 2, 3]
        assert found[-1]["value_1h_minor"] == 80
        assert found[-1]["usual_value_minor"] == 40


class TestAsOf:
    @given(moments=MOMENTS, wait=st.integers(0, 20 * 24))
    @settings(max_examples=200, deadline=None)
    def test_counts_what_lies_before_a_moment(self, moments: list[tuple[int, int]], wait: int) -> None:
        events = [(hour * HOUR_MS // 2, partner) for hour, partner in moments]
        windows = Windows()
        folded(windows, [(SHOP, at, 100, partner, 7) for at, partner in events])
        moment = max(at for at, _ in events) + wait * HOUR_MS // 2

        found = dict(zip(FEATURES, windows.as_of(SHOP, moment), strict=True))  # type: ignore[arg-type]

        for window, width in zip(WINDOWS, WIDTHS_MS, strict=True):
            within = [partner for at, partner in events if at >= moment - width]
            assert found[f"orders_{window}"] == len(within)
            assert found[f"value_{window}_minor"] == 100 * len(within)
            assert found[f"partners_{window}"] == len(set(within))

    @pytest.mark.parametrize("count", [1, 8, 9, 40, 3_000])
    def test_is_what_another_event_would_see_before_itself(self, count: int) -> None:
        draw = np.random.default_rng(count)
        times = np.cumsum(draw.integers(1, HOUR_MS, count))
        events = [(SHOP, int(at), float(draw.integers(1, 900)), int(draw.integers(1, 9)), 3) for at in times]
        windows, moment = Windows(), int(times[-1]) + HOUR_MS // 3
        folded(windows, [*events, (STALL, moment, 5, 1, 0)])

        found = windows.as_of(SHOP, moment)
        (then,) = folded(windows, [(SHOP, moment, np.nan, 0, 0)])

        assert found is not None
        for name, value in zip(FEATURES, found.tolist(), strict=True):
            own = 1 if name.startswith("orders_") else 0
            assert value == pytest.approx(then[name] - own, nan_ok=True), name

    def test_changes_nothing(self) -> None:
        windows, untouched = Windows(), Windows()
        for one in (windows, untouched):
            one.fold(*crowd(3_000, 1))

        for key in range(1, 50):
            windows.as_of(7_919 * key, 9 * HOUR_MS)

        assert windows.pack() == untouched.pack()

    def test_knows_nothing_of_a_key_that_was_never_seen(self) -> None:
        windows = Windows()
        folded(windows, [(SHOP, 0, 1, 1, 0)])

        assert (windows.as_of(STALL, 1), windows.span_of(STALL)) == (None, None)

    def test_says_what_is_kept_of_its_time_and_how_exactly(self) -> None:
        few, many, long = Windows(), Windows(), Windows()
        folded(few, [(SHOP, at, 1, 1, 0) for at in (5, 3, 9)])
        folded(many, [(SHOP, at, 1, 1, 0) for at in range(500)])
        folded(long, [(SHOP, 24 * HOUR_MS * day, 1, 1, 0) for day in range(0, 400, 5)])

        assert few.span_of(SHOP) == (3, 9, True, True, True)
        assert many.span_of(SHOP) == (0, 499, True, False, False)
        first, last, is_first, is_exact, has_all_partners = long.span_of(SHOP)  # type: ignore[misc]
        assert (last, is_first, is_exact, has_all_partners) == (395 * 24 * HOUR_MS, False, True, True)
        assert first > 0


def crowd(count: int, seed: int) -> tuple[Any, ...]:
    """Return events of many keys, a few of them busy."""
    draw = np.random.default_rng(seed)
    keys = np.minimum(draw.zipf(1.4, count), 5_000).astype(np.int64) * 7_919
    return (
        keys,
        seed * HOUR_MS + np.sort(draw.integers(0, HOUR_MS, count)),
        np.where(draw.random(count) < 0.1, np.nan, draw.integers(1, 10_000, count)),
        draw.integers(0, 50, count).astype(np.uint32),
        draw.integers(0, 3, count).astype(np.uint32),
    )


class TestState:
    def test_goes_on_the_same_after_it_was_stored(self) -> None:
        kept, restored = Windows(), Windows()
        for seed in range(5):
            kept.fold(*crowd(3_000, seed))

        restored.restore(kept.pack())

        for seed in range(5, 8):
            assert np.array_equal(restored.fold(*crowd(3_000, seed)), kept.fold(*crowd(3_000, seed)), equal_nan=True)

    def test_of_one_key_is_taken_over_alone(self) -> None:
        kept, one = Windows(), Windows()
        kept.fold(*crowd(3_000, 1))
        key = 2 * 7_919

        newest = one.restore_one(kept.pack(), key)

        assert (newest, one.known) == (kept.newest, 1)
        assert np.array_equal(one.as_of(key, 9 * HOUR_MS), kept.as_of(key, 9 * HOUR_MS), equal_nan=True)  # type: ignore[arg-type]

    def test_is_the_same_however_events_were_batched(self) -> None:
        at_once, by_parts = Windows(), Windows()
        events = crowd(2_000, 1)

        whole = at_once.fold(*events)
        parts = [by_parts.fold(*(column[at : at + 37] for column in events)) for at in range(0, 2_000, 37)]

        assert np.array_equal(whole, np.concatenate(parts), equal_nan=True)

    def test_is_bounded_and_says_what_it_forgot(self) -> None:
        windows = Windows(most=1_000)

        for seed in range(40):
            keys = np.arange(100, dtype=np.int64) + 100 * seed
            windows.fold(keys, np.full(100, seed), np.ones(100), np.ones(100, np.uint32), np.ones(100, np.uint32))

        assert windows.known <= 1_000
        assert windows.evicted == 4_000 - windows.known
        newest: Floats = windows.fold(*(np.array([one]) for one in (3_999, 41, 1.0, np.uint32(1), np.uint32(1))))
        oldest: Floats = windows.fold(*(np.array([one]) for one in (0, 41, 1.0, np.uint32(1), np.uint32(1))))
        assert (newest[0, USUAL], oldest[0, USUAL]) == (1, 0)

    def test_keys_that_are_over_make_room_before_others_are_forgotten(self) -> None:
        windows = Windows(most=1_000)
        month = WIDTHS_MS[-1]

        for turn in range(8):
            keys = np.arange(400, dtype=np.int64) + 400 * turn
            at = np.full(400, 2 * month * turn)
            windows.fold(keys, at, np.ones(400), np.ones(400, np.uint32), np.ones(400, np.uint32))

        assert windows.evicted == 0

    def test_of_another_form_is_refused(self) -> None:
        strange = zstandard.compress(msgspec.msgpack.encode({"known": 3, "celled": 0, "evicted": 0}))

        with pytest.raises(Mismatch, match="other parts"):
            Windows().restore(strange)
