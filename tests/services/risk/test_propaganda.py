"""False propaganda: claims of offers beside complaints, from the events to the alert and back."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from services.risk.patrol import go_round
from services.risk.propaganda import improbability, usual
from shared.events.disputes import ComplaintFiled, ComplaintResolved, Outcome
from shared.events.listings import ClaimFound, ClaimPlace, ListingRecorded, TransactionEvent
from shared.identifiers import account_id, derived_id, listing_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED, trade, transaction

SHOPS = ("liar", "boaster", "grumbled", "healer", "plain")


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def orders(shop: str, count: int = 40) -> list[TransactionEvent]:
    return [
        transaction(
            order_ref=f"{shop}-{n}",
            trade=trade(operator_ref=shop),
            buyer_ref=f"{shop}-{n}",
            placed_at=PLACED + timedelta(hours=n),
            parcels=1,
        )
        for n in range(count)
    ]


def market() -> list[TransactionEvent]:
    return [order for shop in SHOPS for order in orders(shop)]


def version(shop: str, number: int = 1, *, offer: str = "lamp", withdrawn: bool = False) -> ListingRecorded:
    return ListingRecorded(
        occurred_at=PLACED + timedelta(days=number),
        listing_id=listing_id("north", f"{shop}-{offer}"),
        account_id=account_id("north", shop),
        platform_id="north",
        listing_ref=f"{shop}-{offer}",
        version=number,
        state="withdrawn" if withdrawn else "published",
    )


def claim(shop: str, code: str = "superlative", number: int = 1, *, offer: str = "lamp") -> ClaimFound:
    return ClaimFound(
        occurred_at=PLACED + timedelta(days=number),
        listing_id=listing_id("north", f"{shop}-{offer}"),
        account_id=account_id("north", shop),
        platform_id="north",
        listing_ref=f"{shop}-{offer}",
        version=number,
        code=code,
        articles=["art. 9(3)"],
        places=[ClaimPlace(field="title", start=0, end=2, phrase="最佳")],
    )


def complaints(shop: str, count: int) -> list[ComplaintFiled]:
    return [
        ComplaintFiled(
            occurred_at=PLACED + timedelta(days=5, hours=n),
            complaint_id=derived_id("complaint", shop, n),
            account_id=account_id("north", shop),
            platform_id="north",
            order_ref=f"{shop}-{n}",
            category="not_as_described",
        )
        for n in range(count)
    ]


def resolved(filed: ComplaintFiled, outcome: Outcome) -> ComplaintResolved:
    return ComplaintResolved(
        occurred_at=filed.occurred_at + timedelta(days=1),
        complaint_id=filed.complaint_id,
        account_id=filed.account_id,
        platform_id=filed.platform_id,
        order_ref=filed.order_ref,
        category=filed.category,
        outcome=outcome,
        filed_at=filed.occurred_at,
    )


async def alerted(service: Service, state: str = "open") -> set[tuple[str, UUID]]:
    statement = "SELECT rule, account_id FROM alerts WHERE rule IN ('false_propaganda', 'cure_claimed') AND state = $1"
    return {(row["rule"], row["account_id"]) for row in await service.rows(statement, state)}


def shops(rule: str, *names: str) -> set[tuple[str, UUID]]:
    return {(rule, account_id("north", name)) for name in names}


async def seen(service: Service, events: Sequence[object]) -> None:
    await handle(service, events)  # type: ignore[arg-type]
    await go_round(service.sessions)


class TestShops:
    async def test_are_alerted_for_claims_beside_improbable_complaints_only(self, risk: Service) -> None:
        claims = [claim("liar"), claim("liar", offer="torch"), claim("boaster"), claim("healer", "medical_cure")]

        await seen(risk, [*market(), *claims, *complaints("liar", 12), *complaints("grumbled", 9)])

        assert await alerted(risk) == shops("false_propaganda", "liar") | shops("cure_claimed", "healer")
        [alert] = (await risk.get("/v1/alerts?rule=false_propaganda")).json()["items"]
        assert alert["severity"] == "high"
        assert alert["evidence"][:5] == [
            "claim:superlative", "listing:liar-lamp", "listing:liar-torch", "complaints:12 of 40 orders",
            "usual_rate:0.83%",
        ]  # fmt: skip
        assert alert["evidence"][-1] == f"complaint:{complaints('liar', 12)[-1].complaint_id}"

    async def test_are_the_same_when_all_is_told_one_by_one_and_again(self, risk: Service) -> None:
        events = [*complaints("liar", 12), claim("liar"), claim("healer", "medical_cure"), *market()]
        for event in events:
            await handle(risk, [event])
        await seen(risk, events[:14])

        assert await alerted(risk) == shops("false_propaganda", "liar") | shops("cure_claimed", "healer")
        assert len(await risk.rows("SELECT FROM grievances")) == 12

    @pytest.mark.parametrize("claimed_days_before", [0, 45])
    async def test_are_cleared_where_complaints_turn_out_groundless(
        self, risk: Service, claimed_days_before: int
    ) -> None:
        filed = complaints("liar", 12)
        claimed = msgspec.structs.replace(claim("liar"), occurred_at=PLACED - timedelta(days=claimed_days_before))
        await seen(risk, [*market(), claimed, *filed])
        assert await alerted(risk) == shops("false_propaganda", "liar")

        # The news that one ended may come before the news that it was filed.
        await seen(
            risk,
            [*(resolved(one, "dismissed") for one in filed[:6]), *(resolved(one, "withdrawn") for one in filed[6:])],
        )
        await seen(risk, [*filed, *orders("late", 60)])

        assert await alerted(risk) == set()
        assert await alerted(risk, "withdrawn") == shops("false_propaganda", "liar")


class TestClaims:
    async def standing(self, service: Service) -> dict[str, tuple[int, bool]]:
        rows = await service.rows("SELECT code, version, ended_at FROM claims")
        return {row["code"]: (row["version"], row["ended_at"] is None) for row in rows}

    @pytest.mark.parametrize("at_once", [True, False])
    async def test_end_with_the_version_that_no_longer_makes_them(self, risk: Service, at_once: bool) -> None:  # noqa: FBT001
        told = [
            version("liar"), claim("liar"), claim("liar", "medical_cure"),
            version("liar", 2), claim("liar", "superlative", 2),
            version("liar", 3), claim("liar", "superlative", 3),
        ]  # fmt: skip
        for batch in [told] if at_once else [[one] for one in told]:
            await handle(risk, batch)

        rows = {row["code"]: row for row in await risk.rows("SELECT code, found_at, ended_at FROM claims")}
        assert rows["superlative"]["ended_at"] is None
        assert rows["superlative"]["found_at"] == PLACED + timedelta(days=1)
        assert rows["medical_cure"]["ended_at"] == PLACED + timedelta(days=2)

        await handle(risk, [version("liar", 4, withdrawn=True)])

        assert await self.standing(risk) == {"superlative": (3, False), "medical_cure": (1, False)}

    async def test_that_stand_for_long_still_count(self, risk: Service) -> None:
        """A claim of months ago that nobody took down stands today; one that was taken down then does not count."""
        old = [version("healer"), claim("healer", "medical_cure"), version("plain"), claim("plain", "medical_cure")]
        await handle(risk, [*old, version("plain", 2, withdrawn=True)])
        late = transaction(
            order_ref="late", trade=trade(operator_ref="grumbled"), placed_at=PLACED + timedelta(days=50)
        )

        await seen(risk, [late])

        assert await alerted(risk) == shops("cure_claimed", "healer")


class TestUsual:
    def test_is_the_rate_of_the_other_ordinary_shops(self) -> None:
        shops = {("north", UUID(int=n)): 100 for n in range(10)}
        complaints = dict.fromkeys(shops, 2)

        found = usual(complaints, {**shops, ("south", UUID(int=0)): 50})

        assert found["north"].without(("north", UUID(int=0))) == pytest.approx(0.02)
        assert found["north"].without(("north", UUID(int=99))) == pytest.approx(0.02)
        # Alone there is nothing to be compared with.
        assert found["south"].without(("south", UUID(int=0))) is None

    def test_is_not_made_by_shops_that_are_far_out_together(self) -> None:
        honest = {("north", UUID(int=n)): (1, 100) for n in range(10)}
        huge, small = ("north", UUID(int=90)), ("north", UUID(int=91))
        counts = {**honest, huge: (300, 1_000), small: (8, 40)}

        found = usual({s: c for s, (c, _) in counts.items()}, {s: o for s, (_, o) in counts.items()})["north"]

        assert set(found.shops) == set(honest)
        assert found.without(small) == found.without(huge) == pytest.approx(0.01)


class TestImprobability:
    @pytest.mark.parametrize(
        ("complaints", "orders", "usual", "expected"),
        [
            (0, 100, 0.02, 0.0),
            (1, 1, 0.01, 2.0),
            (2, 2, 0.1, 2.0),
            # More than there are orders: each of them complained of.
            (3, 0, 0.1, 3.0),
            (40, 40, 1e-9, 300.0),
        ],
    )
    def test_is_the_tail_of_the_binomial_in_powers_of_ten(
        self, complaints: int, orders: int, usual: float, expected: float
    ) -> None:
        assert improbability(complaints, orders, usual) == pytest.approx(expected)
