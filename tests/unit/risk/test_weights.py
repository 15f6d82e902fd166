"""Parcels that are too light: for their category, by what other shops send, however much they send."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.risk.weights import OF_LIGHTEST, USUAL_SHARE, WEIGHED, improbability, judge, leasts

AT = datetime(2026, 3, 1, tzinfo=UTC)
Parcel = tuple[int, str, float]


def weighed(*parcels: Parcel, platform: str = "north") -> pl.DataFrame:
    """Return parcels of shops, which are numbers, with an offer and its grams."""
    rows = [
        (platform, UUID(int=shop).bytes, listing, f"o{place}", grams, AT)
        for place, (shop, listing, grams) in enumerate(parcels)
    ]
    return pl.DataFrame(rows, schema={"platform_id": pl.String, **WEIGHED}, orient="row")


def category(name: str = "toys", *, shops: int = 6, parcels: int = 20, grams: float = 300.0) -> list[Parcel]:
    return [(shop, name, grams + shop) for shop in range(shops) for _ in range(parcels)]


def features(frame: pl.DataFrame, *names: str) -> dict[int, dict[str, Any]]:
    found = judge(frame, {("north", name): name for name in names or ("toys",)})
    return {subject.account_id.int: own for subject, own in found.get("north", []) if subject.account_id is not None}


class TestJudge:
    def test_finds_a_shop_whose_parcels_are_empty(self) -> None:
        found = features(weighed(*category(), *[(9, "toys", 20.0)] * 30))

        assert found[9]["light_parcels"] == found[9]["weighed_parcels"] == 30
        assert found[9]["light_improbability"] > 50
        assert {own["light_parcels"] for shop, own in found.items() if shop != 9} == {0}

    def test_finds_it_though_it_sends_most_of_all_parcels(self) -> None:
        found = features(weighed(*category(parcels=5), *[(9, "toys", 20.0)] * 2_000))

        assert found[9]["light_parcels"] == 2_000

    def test_finds_two_that_send_most_of_all_parcels(self) -> None:
        crowd = category(shops=250, parcels=2)

        found = features(weighed(*crowd, *[(901, "toys", 20.0)] * 500, *[(902, "toys", 20.0)] * 500))

        assert (found[901]["light_parcels"], found[902]["light_parcels"]) == (500, 500)

    def test_takes_the_lightest_goods_of_a_category_for_goods(self) -> None:
        found = features(weighed(*category(), *[(9, "toys", 110.0)] * 30))

        assert found[9]["light_parcels"] == 0

    def test_compares_within_the_category_only(self) -> None:
        found = features(weighed(*category(), *category("rings", grams=15.0)), "toys", "rings")

        assert all(own["light_parcels"] == 0 for own in found.values())
        assert found[0]["weighed_parcels"] == 40

    def test_says_nothing_of_a_category_of_few_shops(self) -> None:
        assert features(weighed(*category(shops=3), (9, "toys", 1.0))) == {}

    def test_says_nothing_of_offers_without_a_category(self) -> None:
        assert judge(weighed(*category()), {}) == {}

    def test_of_nothing_is_nothing(self) -> None:
        assert judge(weighed(), {}) == {}

    def test_names_the_lightest_orders_and_what_was_expected(self) -> None:
        found = judge(weighed(*category(), (9, "toys", 30.0), (9, "toys", 20.0)), {("north", "toys"): "toys"})
        evidence = {s.account_id.int: s.evidence for s, _ in found["north"] if s.account_id is not None}

        assert evidence[9] == ["weight:20 g of toys, at least 100 g expected", "order:o121", "order:o120"]
        assert evidence[0] == []


class TestLeasts:
    @given(st.lists(st.tuples(st.integers(0, 6), st.floats(1, 1_000)), min_size=1, max_size=60), st.integers(0, 6))
    def test_are_what_the_others_alone_would_say(self, sent: list[tuple[int, float]], asked: int) -> None:
        ordered = sorted((grams, shop) for shop, grams in sent)
        shops = sorted({shop for shop, _ in sent})
        if len(shops) < 2 or asked not in shops:
            return
        grams = np.array([one for one, _ in ordered])
        shop = np.array([shops.index(one) for _, one in ordered])
        sizes = np.bincount(shop)

        found = leasts(grams, shop, sizes)[shops.index(asked)]

        others = [(own, 1 / int(sizes[at])) for own, at in zip(grams, shop, strict=True) if shops[at] != asked]
        total, wanted = 0.0, others[-1][0]
        for own, share in others:
            total += share
            if total >= USUAL_SHARE * (len(shops) - 1) - 1e-12:
                wanted = own
                break
        assert found == pytest.approx(wanted * OF_LIGHTEST)


class TestImprobability:
    def test_grows_with_light_ones_and_shrinks_with_parcels(self) -> None:
        assert improbability(0, 50) == 0
        assert improbability(5, 50) > improbability(2, 50) > improbability(2, 500)
        assert improbability(1, 100) < 1
