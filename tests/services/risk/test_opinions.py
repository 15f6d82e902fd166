"""Reviews of weeks: crowds of praise, companions who review together, and copied texts, found by the patrol."""

from datetime import timedelta
from random import Random
from uuid import UUID

import pytest_asyncio
from msgspec import structs

from services.listings.sketches import sketched
from services.risk.patrol import go_round
from shared.events.listings import ReviewRecorded
from shared.identifiers import account_id, derived_id, transaction_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED, trade, transaction

_DAYS = 28


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def opinion(
    ref: str, shop: int | str, reviewer: str, *, day: float, rating: int = 5, text: str | None = None
) -> ReviewRecorded:
    return ReviewRecorded(
        occurred_at=PLACED + timedelta(days=day),
        review_id=derived_id("review", "north", ref),
        transaction_id=transaction_id("north", ref),
        account_id=account_id("north", f"s{shop}"),
        platform_id="north",
        review_ref=ref,
        order_ref=ref,
        rating=rating,
        buyer_ref=reviewer,
        text_hash=text or ref,
        text_length=40,
    )


def ordinary(reviews: int = 900, *, seed: int = 1) -> list[ReviewRecorded]:
    """Return reviews of 30 shops over four weeks; one in three says the same as many others."""
    random = Random(seed)
    return [
        opinion(
            f"r{n}",
            random.randrange(30),
            f"b{random.randrange(700)}",
            day=_DAYS * random.random(),
            rating=random.choice((5, 5, 5, 4, 3, 1)),
            text=f"good {random.randrange(5)}" if random.random() < 0.3 else None,
        )
        for n in range(reviews)
    ]


async def looked_over(service: Service, reviews: list[ReviewRecorded]) -> set[tuple[str, UUID]]:
    """Let the patrol look over reviews; return the open alerts about them."""
    await handle(service, [transaction(trade=trade(operator_ref="s0"), placed_at=PLACED + timedelta(days=_DAYS))])
    await handle(service, reviews)
    await go_round(service.sessions)
    rows = await service.rows("SELECT rule, account_id FROM alerts WHERE rule LIKE 'review\\_c%' AND state = 'open'")
    return {(row["rule"], row["account_id"]) for row in rows}


class TestReputations:
    async def test_are_sound_in_an_ordinary_market(self, risk: Service) -> None:
        assert await looked_over(risk, ordinary()) == set()

    async def test_show_a_crowd_of_praise(self, risk: Service) -> None:
        crowd = [opinion(f"c{n}", 7, f"c{n}", day=12 + n / 30) for n in range(40)]

        found = await looked_over(risk, ordinary() + crowd)

        assert found == {("review_crowd", account_id("north", "s7"))}
        [alert] = (await risk.get("/v1/alerts?rule=review_crowd")).json()["items"]
        assert set(alert["evidence"]) <= {f"review:c{n}" for n in range(40)} | {f"review:r{n}" for n in range(900)}
        assert sum(ref.startswith("review:c") for ref in alert["evidence"]) > 10

    async def test_show_companions_who_go_from_shop_to_shop(self, risk: Service) -> None:
        together = [
            opinion(f"t{shop}-{n}", f"t{shop}", f"t{n}", day=3 * shop + n / 20) for shop in range(6) for n in range(6)
        ]

        found = await looked_over(risk, ordinary() + together)

        assert {account for rule, account in found if rule == "review_companions"} == {
            account_id("north", f"st{shop}") for shop in range(6)
        }

    async def test_show_texts_that_stand_at_one_shop_only(self, risk: Service) -> None:
        copies = [opinion(f"k{n}", 9, f"k{n}", day=_DAYS * n / 40, text=f"lovely {n % 3}") for n in range(40)]

        found = await looked_over(risk, ordinary() + copies)

        assert ("review_copies", account_id("north", "s9")) in found
        assert {account for _, account in found} == {account_id("north", "s9")}

    async def test_show_texts_that_nearly_repeat(self, risk: Service) -> None:
        words = "this kettle heats up fast is quiet and looks great on the counter i would buy it again any day"
        said = sketched([words.replace(" ", "") + "abcdefghij"[n % 10] * (n // 10 + 1) for n in range(40)])
        near = [
            structs.replace(opinion(f"n{n}", 9, f"n{n}", day=_DAYS * n / 40), text_sketch=said[n]) for n in range(40)
        ]

        found = await looked_over(risk, ordinary() + near)

        assert found == {("review_copies", account_id("north", "s9"))}

    async def test_are_sound_where_everybody_says_nearly_the_same(self, risk: Service) -> None:
        words = "the seller packed it with care and the parcel was here within three days many thanks for that"
        said = sketched([words.replace(" ", "") + "abcdefghij"[n % 10] * (n // 10 + 1) for n in range(90)])
        near = [
            structs.replace(opinion(f"n{n}", n % 30, f"n{n}", day=_DAYS * n / 90), text_sketch=said[n])
            for n in range(90)
        ]

        assert await looked_over(risk, ordinary() + near) == set()
