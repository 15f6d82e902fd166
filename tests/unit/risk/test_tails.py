"""Signals combined by how seldom they are so high."""

import polars as pl
import pytest
from scipy import stats

from services.risk.tails import combine

SAID = {"a": lambda value: f"a is {value}", "b": lambda value: f"b is {value}"}


class TestCombine:
    def test_ranks_by_the_tail_probabilities_together(self) -> None:
        signals = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [10.0, 40.0, 20.0, 30.0]})

        ranked = combine(signals, SAID)

        tails = [(4 / 5, 4 / 5), (3 / 5, 1 / 5), (2 / 5, 3 / 5), (1 / 5, 2 / 5)]
        fisher = [stats.combine_pvalues(pair).statistic for pair in tails]
        assert sorted(range(4), key=lambda row: ranked[row].score) == sorted(range(4), key=fisher.__getitem__)
        assert [one.score for one in ranked] == [0.125, 0.625, 0.375, 0.875]

    def test_does_not_care_for_the_scale_of_a_signal(self) -> None:
        small = combine(pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [3.0, 1.0, 2.0]}), SAID)
        large = combine(pl.DataFrame({"a": [1.0, 20.0, 3e9], "b": [3.0, 1.0, 2.0]}), SAID)

        assert [one.score for one in small] == [one.score for one in large]

    def test_gives_reasons_that_are_above_the_median_the_strongest_first(self) -> None:
        signals = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0, 5.0], "b": [1.0, 2.0, 5.0, 3.0, 4.0]})

        ranked = combine(signals, SAID)

        assert ranked[0].reasons == []
        assert ranked[4].reasons == ["a is 5.0 (one in 6)", "b is 4.0 (one in 3)"]

    def test_takes_an_unknown_signal_for_an_ordinary_one(self) -> None:
        signals = pl.DataFrame({"a": [1.0, 2.0, 3.0], "b": [1.0, None, 3.0]})

        low, unknown, high = combine(signals, SAID)

        assert low.score < unknown.score < high.score
        assert unknown.reasons == []

    def test_adds_how_improbable_it_is_to_be_sound_where_somebody_states_a_probability(self) -> None:
        signals = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [0.9, 0.0, 0.2, 0.0]})

        first, *_, last = combine(signals, SAID, stated=["b"])

        assert first.reasons == ["b is 0.9 (one in 10)"]
        assert first.score > last.score

    def test_counts_a_signal_as_often_as_its_weight_says(self) -> None:
        signals = pl.DataFrame({"a": [1.0, 2.0, 3.0, 4.0], "b": [4.0, 3.0, 2.0, 1.0]})

        light, heavy = (combine(signals, SAID, weights={"a": weight}) for weight in (0.1, 3.0))

        assert [one.score for one in light] == [0.875, 0.625, 0.375, 0.125]
        assert [one.score for one in heavy] == [0.125, 0.375, 0.625, 0.875]

    @pytest.mark.parametrize("rows", [0, 1])
    def test_is_content_with_few_rows(self, rows: int) -> None:
        signals = pl.DataFrame({"a": [1.0] * rows, "b": [None] * rows}, schema={"a": pl.Float64, "b": pl.Float64})

        assert [one.score for one in combine(signals, SAID)] == [0.5] * rows
