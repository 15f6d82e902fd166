"""Habits: tails that state too much rather than too little, and chances that come true."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk import habits
from services.risk.boosting import Floats
from services.risk.habits import Acts, Tail
from services.risk.tails import surprise

AMOUNTS = st.lists(st.floats(0, 1e9), min_size=1, max_size=200).map(np.array)


def buyers(values: Floats, usual: float | Floats = float("nan")) -> Acts:
    return Acts(["buyer"] * len(values), values.astype(float), np.broadcast_to(usual, values.shape).astype(float))


class TestTail:
    @given(AMOUNTS, AMOUNTS)
    def test_is_the_share_of_the_past_that_was_as_high(self, past: Floats, values: Floats) -> None:
        exactly = surprise(values, past)
        between = ~np.isin(values, past) & (values < past.max())

        found = Tail.of(past).surprise(values)

        np.testing.assert_allclose(found[~between], exactly[~between])
        assert (found[between] <= exactly[between] + 1e-9).all(), "never more surprising than it was"

    def test_of_many_values_states_too_much_rather_than_too_little(self) -> None:
        past, values = np.random.default_rng(1).lognormal(8, 1, 50_000), np.linspace(1, 60_000, 500)

        found, exactly = Tail.of(past).surprise(values), surprise(values, past)

        assert (found <= exactly + 1e-9).all()
        assert np.abs(found - exactly).max() < 0.05
        assert len(Tail.of(past).values) < 2_600

    def test_says_nothing_of_what_is_not_known(self) -> None:
        assert Tail.of(np.array([1.0, 2.0])).surprise(np.array([np.nan])).tolist() == [0.0]


class TestImprobability:
    def test_grows_with_the_amount_and_with_the_distance_from_what_is_usual(self) -> None:
        draw = np.random.default_rng(2)
        known = habits.learnt(buyers(draw.lognormal(8, 0.5, 20_000), draw.lognormal(8, 0.5, 20_000)))

        high = habits.improbability(known, buyers(np.array([3e3, 9e3, 3e6]), 3e3))
        far = habits.improbability(known, buyers(np.full(3, 3e3), np.array([3e3, 5e2, 3e1])))

        assert (np.diff(high) > 0).all()
        assert (np.diff(far) > 0).all()

    def test_is_unknown_for_other_kinds_and_without_a_value(self) -> None:
        known = habits.learnt(buyers(np.array([1.0, 2.0, 3.0])))

        found = habits.improbability(known, Acts(["device", "buyer"], np.array([2.0, np.nan]), np.array([1.0, 1.0])))

        assert np.isnan(found).all()

    @pytest.mark.parametrize("seed", [1, 2, 3])
    def test_comes_true_on_later_acts_of_the_same_kind(self, seed: int) -> None:
        draw = np.random.default_rng(seed)
        before, after = (
            buyers(draw.lognormal(8, 1, 60_000), draw.lognormal(8, 0.3, 60_000)) for _ in ("before", "after")
        )

        found = habits.checked(habits.learnt(before), after)

        assert found.observed["0.01"] == pytest.approx(0.01, rel=0.15)
        assert found.error < 0.1

    def test_does_not_when_amounts_have_moved(self) -> None:
        draw = np.random.default_rng(4)
        known = habits.learnt(buyers(draw.lognormal(8, 1, 20_000)))

        assert habits.checked(known, buyers(draw.lognormal(10, 1, 20_000))).error > 0.5


def test_acts_are_read_from_what_is_kept() -> None:
    frame = pl.DataFrame({"kind": ["buyer"], "value_minor": [None], "usual_value_minor": [5.0]})

    acts = habits.acts_of(frame.cast({"value_minor": pl.Int64}))

    assert (acts.kinds, acts.usual.tolist()) == (["buyer"], [5.0])
    assert np.isnan(acts.values).all()
