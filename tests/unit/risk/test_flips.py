"""Flags set for many orders at once: improbable by what is usual elsewhere, and by what was usual before."""

from datetime import date, timedelta
from uuid import UUID

import pytest

from services.risk.flips import FlagDay, Seen, judge

TODAY = date(2026, 3, 20)
SHOPS = [UUID(int=number) for number in range(11)]
SIZES = {("north", shop): 100 for shop in SHOPS}


def flagged(shop: int, flips: int, *, days_ago: int = 0) -> FlagDay:
    return FlagDay("north", SHOPS[shop], TODAY - timedelta(days=days_ago), "cancelled", flips)


def shop_day(found: list[Seen], shop: int) -> Seen:
    (one,) = [one for one in found if one.account_id == SHOPS[shop]]
    return one


class TestJudge:
    def test_finds_a_shop_that_does_what_no_other_does(self) -> None:
        found = judge([flagged(0, 40), flagged(1, 2), flagged(2, 1)], SIZES, since=TODAY)

        assert shop_day(found, 0).features["usual_share"] == pytest.approx(0.003)
        # 40 of 100 at a chance of 0.3 %: 100 (0.4 ln(0.4 / 0.003) + 0.6 ln(0.6 / 0.997)) / ln 10.
        assert shop_day(found, 0).features["flip_improbability"] == pytest.approx(71.75, abs=0.1)
        assert shop_day(found, 2).features["flip_improbability"] == 0

    def test_finds_nothing_in_what_happens_everywhere(self) -> None:
        found = judge([flagged(shop, 40) for shop in range(11)], SIZES, since=TODAY)

        assert {one.features["flip_improbability"] for one in found} == {0.0}

    def test_finds_a_platform_whose_day_is_unlike_those_before(self) -> None:
        before = [flagged(0, 5, days_ago=days) for days in range(1, 9)]

        found = judge([*before, *(flagged(shop, 40) for shop in range(11))], SIZES, since=TODAY)

        (platform,) = [one for one in found if one.account_id is None]
        assert platform.features["flips"] == 440
        assert platform.features["usual_share"] == pytest.approx(5 / 1_100)
        assert platform.features["flip_improbability"] > 100

    def test_says_nothing_of_a_platform_whose_days_are_too_few(self) -> None:
        before = [flagged(0, 5, days_ago=days) for days in range(1, 7)]

        found = judge([*before, *(flagged(shop, 40) for shop in range(11))], SIZES, since=TODAY)

        assert [one for one in found if one.account_id is None] == []

    def test_looks_at_new_days_only(self) -> None:
        assert judge([flagged(0, 40, days_ago=1)], SIZES, since=TODAY) == []

    def test_takes_more_flags_than_orders_for_all(self) -> None:
        features = shop_day(judge([flagged(0, 120)], SIZES, since=TODAY), 0).features

        assert features["flip_share"] == 1.0
        assert features["flip_improbability"] == pytest.approx(300.0)
