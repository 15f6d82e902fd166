"""Reviews that a platform took down: bad ones that vanish, praise it found fabricated, and what is left of the rest."""

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest_asyncio

from services.risk.patrol import go_round
from shared.events.listings import ReviewRecorded, ReviewRemoved
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED, trade, transaction
from tests.services.risk.test_opinions import opinion, ordinary

Alerts = set[tuple[str, UUID | None]]


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def removal(review: ReviewRecorded, *, days: float = 1) -> ReviewRemoved:
    return ReviewRemoved(
        occurred_at=review.occurred_at + timedelta(days=days),
        review_id=review.review_id,
        transaction_id=review.transaction_id,
        account_id=review.account_id,
        platform_id=review.platform_id,
        review_ref=review.review_ref,
        order_ref=review.order_ref,
        rating=review.rating,
        posted_at=review.occurred_at,
    )


def blind(reviews: list[ReviewRecorded], *, share: float = 0.1) -> list[ReviewRemoved]:
    """Return removals that look at no stars."""
    random = Random(2)
    return [removal(one) for one in reviews if random.random() < share]


async def looked_over(service: Service, events: list[ReviewRecorded | ReviewRemoved]) -> Alerts:
    """Let the patrol look over reviews and removals; return the open alerts of shops and of the platform."""
    await handle(service, [transaction(trade=trade(operator_ref="s0"), placed_at=PLACED + timedelta(days=28))])
    await handle(service, events)
    await go_round(service.sessions)
    return await standing(service)


async def standing(service: Service) -> Alerts:
    rows = await service.rows(
        "SELECT rule, account_id FROM alerts WHERE state = 'open' AND rule IN (SELECT code FROM rules WHERE stream = "
        "'reputations')"
    )
    return {(row["rule"], row["account_id"]) for row in rows}


class TestBadReviews:
    async def test_that_vanish_at_one_shop_are_told_of_it(self, risk: Service) -> None:
        reviews = ordinary()
        bad = [opinion(f"bad{n}", 4, f"x{n}", day=2 * n, rating=1) for n in range(12)]

        found = await looked_over(risk, [*reviews, *bad, *blind(reviews), *map(removal, bad)])

        assert found == {("bad_reviews_vanish", account_id("north", "s4"))}
        [alert] = (await risk.get("/v1/alerts?rule=bad_reviews_vanish")).json()["items"]
        assert {f"removed:bad{n}" for n in range(12)} <= set(alert["evidence"])
        assert {one["feature"] for one in alert["contributions"]} == {"low_removal_improbability", "removed_low"}

    async def test_that_vanish_everywhere_are_told_of_the_platform(self, risk: Service) -> None:
        reviews = ordinary()
        bad = [removal(one) for one in reviews if one.rating == 1]

        found = await looked_over(risk, [*reviews, *bad[:60]])

        assert found == {("bad_reviews_vanish", None)}

    async def test_may_be_removed_as_often_as_others(self, risk: Service) -> None:
        reviews = ordinary()

        assert await looked_over(risk, [*reviews, *blind(reviews, share=0.5)]) == set()

    async def test_do_not_make_praise_of_the_rest_by_going(self, risk: Service) -> None:
        shop = [opinion(f"p{n}", 40, f"p{n}", day=n / 3, rating=5 if n % 2 else 1) for n in range(40)]
        await looked_over(risk, [*ordinary(), *shop, *(removal(one) for one in shop if one.rating == 1)])

        [row] = await risk.rows("SELECT count(*) AS n FROM alerts WHERE rule = 'review_crowd'")

        assert row["n"] == 0


class TestPraise:
    async def test_that_is_removed_is_praise_no_more_and_a_signal(self, risk: Service) -> None:
        crowd = [opinion(f"c{n}", 7, f"c{n}", day=12 + n / 30) for n in range(40)]
        shop = account_id("north", "s7")
        before = await looked_over(risk, [*ordinary(), *crowd])

        await handle(risk, [*map(removal, crowd)])
        await go_round(risk.sessions)

        assert before == {("review_crowd", shop)}
        assert await standing(risk) == {("praise_removed", shop)}

    async def test_is_counted_once_in_whatever_order_its_removal_comes(self, risk: Service) -> None:
        crowd = [opinion(f"c{n}", 7, f"c{n}", day=12 + n / 30) for n in range(9)]
        removals = [*map(removal, crowd)]
        await handle(risk, [*removals, *removals])

        found = await looked_over(risk, [*ordinary(), *crowd])

        # Nine are fewer than ten, however often they are told of.
        assert found == set()

    async def test_of_arranged_orders_is_told_of(self, risk: Service) -> None:
        arranged = [opinion(f"late{n}", 50, f"l{n}", day=3 * n) for n in range(6)]
        orders = [
            transaction(
                order_ref=f"late{n}",
                trade=trade(operator_ref="s50", goods_minor=10_000),
                buyer_ref=f"l{n}",
                weight_g=5,
                parcels=1,
                payments=1,
            )
            for n in range(6)
        ]
        await handle(risk, orders)

        found = await looked_over(risk, [*ordinary(), *arranged])

        assert found == {("fictitious_reviews", account_id("north", "s50"))}
