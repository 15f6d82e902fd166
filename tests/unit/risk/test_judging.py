"""What a model is worth, and how far the world has moved."""

import numpy as np
import pytest

from services.risk.judging import average_precision, precision_at, stability_index

ONES = np.ones(10)


class TestPrecisionAt:
    def test_counts_violations_among_the_highest_scores(self) -> None:
        scores = np.arange(10.0)
        violated = np.array([1, 0, 0, 0, 0, 0, 0, 0, 1, 0], dtype=np.float64)

        assert precision_at(0.2, scores, violated, ONES) == pytest.approx(0.5)
        assert precision_at(1.0, scores, violated, ONES) == pytest.approx(0.2)

    def test_takes_of_a_tie_as_many_as_are_needed(self) -> None:
        violated = np.array([1.0] * 4 + [0.0] * 6)

        assert precision_at(0.1, np.zeros(10), violated, ONES) == pytest.approx(0.4)

    def test_lets_those_that_were_drawn_stand_for_others(self) -> None:
        scores, violated = np.array([3.0, 2.0, 1.0]), np.array([1.0, 0.0, 0.0])

        found = precision_at(0.5, scores, violated, np.array([1.0, 1.0, 2.0]))
        rare = precision_at(0.5, scores, violated, np.array([1.0, 3.0, 4.0]))

        assert [found, rare] == pytest.approx([0.5, 0.25])


class TestStabilityIndex:
    def test_is_nothing_where_nothing_moved(self) -> None:
        column = np.arange(1_000.0)

        assert stability_index(column, column, is_category=False) == pytest.approx(0)
        assert stability_index(column % 5, column % 5, is_category=True) == pytest.approx(0)

    def test_is_large_where_a_number_moved(self) -> None:
        column = np.arange(1_000.0)

        assert stability_index(column, column + 500, is_category=False) > 0.25

    def test_is_large_where_values_became_unknown(self) -> None:
        column = np.arange(1_000.0)
        unknown = np.where(column < 500, np.nan, column)

        assert stability_index(column, unknown, is_category=False) > 0.25

    def test_is_large_where_a_category_is_new(self) -> None:
        assert stability_index(np.zeros(100), np.ones(100), is_category=True) > 0.25


class TestAveragePrecision:
    def test_is_the_precision_at_each_that_is_right(self) -> None:
        scores, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([1.0, 0.0, 1.0, 0.0])

        assert average_precision(scores, right) == pytest.approx((1 + 2 / 3) / 2)
        assert average_precision(-scores, right) == pytest.approx((1 / 2 + 2 / 4) / 2)

    def test_of_a_score_that_says_nothing_is_how_many_are_right(self) -> None:
        right = np.array([1.0] * 3 + [0.0] * 7)

        assert average_precision(np.zeros(10), right) == pytest.approx(0.3)
        assert average_precision(np.arange(10.0), np.zeros(10)) == 0
