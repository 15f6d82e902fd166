"""Orders: planted bursts, repeats and rings in an ordinary market."""

from random import Random

import polars as pl
import pytest

from services.risk.orders import Judged, rank, read

Order = tuple[str, str, float]
_DAY, _HOUR = 86_400.0, 3_600.0


def market(seed: int = 1, orders: int = 6_000) -> list[Order]:
    """Return ordinary orders of 3,000 buyers at 400 shops in thirty days, some shops far busier than others."""
    random = Random(seed)
    return [
        (f"s{int(400 * random.random() ** 2.5)}", f"b{random.randrange(3_000)}", random.uniform(0, 30 * _DAY))
        for _ in range(orders)
    ]


def judge(orders: list[Order]) -> Judged:
    raw = pl.DataFrame(
        {
            "orderid": [f"o{n}" for n in range(len(orders))],
            "shopid": [shop for shop, _, _ in orders],
            "userid": [buyer for _, buyer, _ in orders],
            "event_time": [str(time) for _, _, time in orders],
        },
        schema=dict.fromkeys(["orderid", "shopid", "userid", "event_time"], pl.String),
    )
    frame, problems = read(raw, {})
    assert problems == []
    return rank(frame)


def ring(seed: int, *, span: float) -> list[Order]:
    """Return orders of twelve buyers who buy together at eight shops, and as much at any other."""
    random = Random(seed)
    together = [
        (f"s{300 + shop}", f"b{buyer}", random.uniform(0, span))
        for shop in range(8)
        for buyer in range(12)
        if random.random() < 0.7
    ]
    elsewhere = [(f"s{random.randrange(400)}", buyer, random.uniform(0, 30 * _DAY)) for _, buyer, _ in together]
    return together + elsewhere


class TestRank:
    def test_puts_a_shop_first_that_few_people_order_at_within_an_hour(self) -> None:
        start = 12 * _DAY
        burst = [("s350", f"b{turn % 2}", start + turn * 300) for turn in range(10)]

        judged = judge(market() + burst)

        assert max(judged.shops, key=lambda shop: judged.shops[shop].score) == "s350"
        assert judged.shops["s350"].reasons[0].startswith("10 orders by 2 buyers within an hour")
        assert min(judged.orders[f"o{6_000 + turn}"].score for turn in range(10)) > 0.99

    def test_finds_buyers_that_come_back_for_weeks(self) -> None:
        loyal = [("s380", f"b{turn % 3}", turn * 1.4 * _DAY) for turn in range(18)]

        judged = judge(market() + loyal)

        assert judged.shops["s380"].score > 0.99
        assert "orders of this buyer at this shop" in judged.orders["o6000"].reasons[0]

    @pytest.mark.parametrize("span", [_DAY, 30 * _DAY])
    def test_names_the_members_of_a_ring_though_they_buy_elsewhere_too(self, span: float) -> None:
        judged = judge(market() + ring(2, span=span))

        [(buyers, shops)] = judged.rings
        assert set(shops) == {f"s{300 + n}" for n in range(8)}
        assert set(buyers) <= {f"b{n}" for n in range(12)}
        assert len(buyers) >= 10
        assert min(judged.shops[shop].score for shop in shops) > 0.97

    def test_sees_no_ring_in_an_ordinary_market(self) -> None:
        assert judge(market(3)).rings == []

    def test_does_not_depend_on_the_order_of_rows(self) -> None:
        orders = market(4, 500)
        backwards = judge(orders[::-1])

        forwards = judge(orders)

        assert [forwards.orders[f"o{n}"].score for n in range(500)] == pytest.approx(
            [backwards.orders[f"o{499 - n}"].score for n in range(500)]
        )
        assert {shop: one.score for shop, one in forwards.shops.items()} == pytest.approx(
            {shop: one.score for shop, one in backwards.shops.items()}
        )

    def test_counts_the_lines_of_an_order_once(self) -> None:
        lines = pl.DataFrame(
            {"order_ref": ["o"] * 9, "shop_ref": ["s"] * 9, "buyer_ref": ["b"] * 9, "time": ["2024-05-01 10:00:00"] * 9}
        )

        judged = rank(read(lines, {})[0])

        assert judged.orders["o"].reasons == []

    @pytest.mark.parametrize("rows", [0, 1])
    def test_bears_almost_nothing(self, rows: int) -> None:
        judged = judge(market(5, rows))

        assert len(judged.orders) == len(judged.shops) == rows

    def test_scores_the_rest_where_one_cannot_be_read(self) -> None:
        raw = pl.DataFrame(
            {
                "order_ref": ["o1", "o2", "o3"],
                "shop_ref": ["s", "s", "s"],
                "buyer_ref": ["b", None, "c"],
                "time": ["2024-05-01 10:00:00", "2024-05-01 10:00:00", "soon"],
            }
        )

        frame, problems = read(raw, {})
        judged = rank(frame)

        assert [(one.row, one.column) for one in problems] == [(2, "time")]
        assert list(judged.orders) == ["o1", "o2", "o3"]
        assert judged.orders["o2"].reasons == judged.orders["o3"].reasons == ["could not be read"]
        assert judged.orders["o1"].score > judged.orders["o2"].score
