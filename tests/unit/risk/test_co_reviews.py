"""Crowds and companions beyond chance."""

from random import Random

import numpy as np
import pytest
from scipy import stats

from services.risk.co_reviews import DAY, Lockstep, crowding, lockstep, surprise

Review = tuple[int, int, float]
GROUP = range(1000, 1006)


def market(seed: int, *, reviewers: int = 300, products: int = 40, reviews: int = 2000) -> list[Review]:
    """Return reviews of a year, at random."""
    random = Random(seed)
    return [
        (random.randrange(reviewers), random.randrange(products), random.uniform(0, 365 * DAY)) for _ in range(reviews)
    ]


def group(products: int, *, spread: float = 2 * DAY) -> list[Review]:
    """Return reviews of the same products by all of GROUP, each product at a time of its own."""
    random = Random(7)
    starts = [random.uniform(0, 360 * DAY) for _ in range(products)]
    return [(member, at, start + random.uniform(0, spread)) for at, start in enumerate(starts) for member in GROUP]


def found(reviews: list[Review]) -> Lockstep:
    reviewer, product, time = (np.array(column) for column in zip(*reviews, strict=True))
    return lockstep(reviewer.astype(np.int64), product.astype(np.int64), time.astype(np.float64))


class TestSurprise:
    @pytest.mark.parametrize(("count", "expected"), [(1, 0.1), (5, 2.0), (3, 30.0), (80, 20.0)])
    def test_is_the_tail_of_a_poisson_distribution(self, count: int, expected: float) -> None:
        nats = surprise(np.array([float(count)]), np.array([expected]))

        assert nats[0] == pytest.approx(-stats.poisson.logsf(count - 1, expected))

    def test_is_nothing_where_nothing_came_and_finite_where_far_too_much_did(self) -> None:
        nothing, much = surprise(np.array([0.0, 5000.0]), np.array([3.0, 0.001]))

        assert nothing == 0
        assert 500 < much < np.inf


class TestCrowding:
    def test_counts_the_others_of_a_key_near_by(self) -> None:
        key, time = np.array([0, 0, 0, 1, 0]), np.array([0.0, DAY, 2 * DAY, DAY, 9 * DAY])

        assert crowding(key, time)[0].tolist() == [2, 2, 2, 0, 0]

    def test_expects_what_the_pace_outside_of_the_window_gives(self) -> None:
        time = np.arange(0, 400) * DAY
        steady, burst = np.zeros(400, dtype=np.int64), np.full(20, 1)
        at = np.full(20, 200 * DAY)

        near, expected = crowding(np.concatenate([steady, burst]), np.concatenate([time, at]))

        assert near[200] == 6
        assert 5 < expected[50] < 9
        assert near[-1] == 19
        assert expected[-1] < 0.1

    def test_takes_a_busy_time_of_all_for_no_burst_of_one(self) -> None:
        random = Random(3)
        key = np.array([n % 20 for n in range(4000)])
        time = np.array([random.uniform(0, 360) if n < 2000 else random.uniform(100, 103) for n in range(4000)]) * DAY

        near, expected = crowding(key, time)

        sale = (time > 101 * DAY) & (time < 102 * DAY)
        assert near[sale].mean() > 50
        assert surprise(near, expected)[sale].mean() < 2

    def test_is_content_without_reviews(self) -> None:
        nothing = np.empty(0, dtype=np.int64)

        assert [len(part) for part in crowding(nothing, np.empty(0))] == [0, 0]


class TestLockstep:
    def test_finds_a_group_and_whom_each_of_its_reviews_meets(self) -> None:
        honest = market(1)

        lock = found([*honest, *group(5)])

        members = set(lock.pairs["a"]) | set(lock.pairs["b"])
        assert members == set(GROUP)
        assert lock.partners[len(honest) :].tolist() == [5] * 30
        assert lock.partners[: len(honest)].sum() == 0

    @pytest.mark.parametrize("seed", range(5))
    def test_finds_none_where_all_is_chance(self, seed: int) -> None:
        assert found(market(seed, reviewers=60, products=20)).pairs.is_empty()

    def test_does_not_blame_those_who_review_the_same_at_other_times(self) -> None:
        assert found([*market(2), *group(5, spread=300 * DAY)]).pairs.is_empty()

    def test_does_not_count_one_product_many_times(self) -> None:
        again = [(member, 3, 100 * DAY + member % 5) for member in GROUP for _ in range(6)]

        assert found([*market(3), *again]).pairs.is_empty()

    def test_is_content_without_reviews(self) -> None:
        nothing = np.empty(0, dtype=np.int64)

        assert lockstep(nothing, nothing, np.empty(0)).pairs.is_empty()
