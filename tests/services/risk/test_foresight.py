"""Forecasts of single operators: a model that beats the class is adopted; warnings come once a rise and are checked."""

import math
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import msgspec
import pytest
import pytest_asyncio

from services.risk import standings
from services.risk.bookkeeping import update_books
from services.risk.foresight import FEATURES
from services.risk.foresight_training import challenge, retrain
from services.risk.learning import TooFewOutcomes
from services.risk.patrol import go_round
from services.risk.rule_values import RuleValues
from shared.auth import Role
from shared.clock import utc_now
from shared.database import kept
from shared.database import transaction as in_transaction
from shared.events.disputes import ComplaintFiled
from shared.events.identity import OperatorVerified
from shared.events.risk import OperatorWarned
from shared.identifiers import account_id, derived_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED, later, review, trade, transaction

NOW = datetime(2030, 1, 1, tzinfo=UTC)
SHOPS = 16
WEEKS = 26


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def let(service: Service, **values: float) -> None:
    """Set numbers that are policy."""
    for name, value in values.items():
        await service.rows("UPDATE rule_values SET value = $2 WHERE name = replace($1, '__', '.')", name, value)
    async with in_transaction(service.sessions) as session:
        kept(session, RuleValues)._until = 0.0


async def assess(service: Service, days: float) -> None:
    async with in_transaction(service.sessions) as session:
        await standings.assess(session, at=PLACED + timedelta(days=days))


def severe(shop: int, number: int, days: float) -> Any:
    """Return an order of a shop whose parcel moved too early, some days on."""
    at = PLACED + timedelta(days=days)
    return transaction(
        order_ref=f"{shop}-{number}-{days}",
        match="time_order",
        buyer_ref=f"b{shop}-{number}-{days}",
        trade=trade(operator_ref=f"shop{shop}"),
        placed_at=at,
        occurred_at=at,
    )


def verified(shop: str, owner: UUID) -> OperatorVerified:
    return OperatorVerified(
        occurred_at=PLACED,
        account_id=account_id("north", shop),
        operator_id=owner,
        platform_id="north",
        operator_ref=shop,
        version=1,
        jurisdiction="CN",
        entity_type="company",
    )


async def operator(service: Service, shop: int) -> dict[str, Any]:
    answer: dict[str, Any] = (await service.get(f"/v1/operators/{account_id('north', f'shop{shop}')}")).json()
    return answer


async def warned(service: Service) -> list[OperatorWarned]:
    return [msgspec.json.decode(one.data, type=OperatorWarned) for one in await service.published(OperatorWarned)]


async def half_goes_on(service: Service) -> None:
    """Let all shops begin alike, in the worst class for good; every other one goes on, week by week, the rest stops."""
    await let(service, standing__half_life=3_000, forecast__least_outcomes=200, forecast__least_violated=5)
    await handle(service, [severe(shop, n, 0) for shop in range(SHOPS) for n in range(7)])
    for week in range(WEEKS):
        await handle(service, [severe(shop, 0, week * 7 + 0.5) for shop in range(0, SHOPS, 2)])
        await assess(service, week * 7 + 1)


async def let_the_class_be_right(service: Service) -> None:
    """Let what came be what the class had said: nothing is left to be found."""
    await service.rows(
        "UPDATE forecast_inputs i SET by_class = f.violated::int FROM forecasts f "
        "WHERE (f.operator_id, f.made_on) = (i.operator_id, i.made_on) AND f.violated IS NOT NULL"
    )


class TestPast:
    async def test_is_of_orders_reviews_complaints_returns_and_alerts(self, risk: Service) -> None:
        now = utc_now()
        orders = [
            transaction(
                order_ref=f"o{n}",
                buyer_ref=f"b{n}",
                placed_at=now - timedelta(days=20 if n > 1 else 0, minutes=-10),
                match="amount_mismatch" if n == 0 else "matched",
            )
            for n in range(5)
        ]
        grumbles = [
            ComplaintFiled(
                occurred_at=now - timedelta(days=days),
                complaint_id=derived_id("complaint", days),
                account_id=account_id("north", "shop"),
                platform_id="north",
                category="not_as_described",
                order_ref=None,
            )
            for days in (2, 40)
        ]
        ratings = [
            review(n, occurred_at=now - timedelta(days=1), rating=rating) for n, rating in enumerate((1, 2, 5, 5))
        ]
        await handle(risk, orders)
        await handle(risk, [later(orders[2], returned=True), *grumbles, *ratings])
        await update_books(risk.sessions)

        await go_round(risk.sessions)
        await go_round(risk.sessions)

        (row,) = await risk.rows("SELECT features, by_class, forecast_by FROM forecast_inputs")
        known = dict(zip(FEATURES, row["features"], strict=True))
        assert row["forecast_by"] == "class"
        counted = {name: round(math.expm1(known[name])) for name in FEATURES if name.endswith(("0d", "7d"))}
        assert {name: n for name, n in counted.items() if n and name != "low_ratings_30d"} == {
            **dict.fromkeys(("severe_7d", "severe_30d", "severe_180d", "alerts_180d"), 1),
            **dict.fromkeys(("trade_30d", "mismatches_30d", "complaints_30d", "returns_30d"), 1),
            "orders_30d": 5,
        }
        assert known["low_ratings_30d"] == 0.5
        assert known["orders_trend"] == pytest.approx(math.log((2 * 30 / 7 + 1) / 6))
        assert known["severe_freshness"] == pytest.approx(1, abs=0.01)

    async def test_is_of_all_accounts_of_an_operator(self, risk: Service) -> None:
        owner = derived_id("owner", 1)
        await handle(risk, [verified(shop, owner) for shop in ("shop1", "shop2")])
        await handle(risk, [severe(shop, n, 0) for shop in (1, 2, 3) for n in range(2)])

        await go_round(risk.sessions)

        rows = await risk.rows("SELECT operator_id, features FROM forecast_inputs")
        known = {row["operator_id"]: dict(zip(FEATURES, row["features"], strict=True)) for row in rows}
        assert known.keys() == {owner, account_id("north", "shop3")}
        shown = ("severe_30d", "orders_30d", "accounts")
        assert [round(math.expm1(known[owner][name])) for name in shown] == [4, 4, 2]


class TestModel:
    async def test_is_adopted_where_it_forecasts_better_than_the_class(self, risk: Service) -> None:
        await half_goes_on(risk)
        before = await operator(risk, 1)

        model = await retrain(risk.sessions, now=NOW)
        await assess(risk, WEEKS * 7)

        assert model is not None
        assert (model.kind, model.version, model.state) == ("operators", 1, "champion")
        assert model.card["brier"] < 0.05 < model.card["brier_by_class"]
        assert model.card["log_loss"] < model.card["log_loss_by_class"]
        assert model.card["trained"]["to"] < model.card["calibrated"]["from"] < model.card["held_back"]["from"]
        going_on, stopped = await operator(risk, 0), await operator(risk, 1)
        assert (before["risk_class"], before["forecast_by"]) == ("D", "class")
        assert (stopped["risk_class"], stopped["forecast_by"]) == ("D", "operators/1")
        assert stopped["probability"] < 0.1 < before["probability"]
        assert going_on["probability"] > 0.9
        (shown,) = (await risk.get("/v1/models")).json()
        assert shown["card"]["calibration"]
        assert (shown["kind"], shown["state"]) == ("operators", "champion")

        # A model that cannot be read is refused, and the class forecasts on.
        await risk.rows("UPDATE models SET trees = 'x'")
        await assess(risk, WEEKS * 7 + 1)
        assert (await operator(risk, 1))["forecast_by"] == "class"

        # What comes again the same day is not learnt from again.
        assert await retrain(risk.sessions, now=NOW + timedelta(hours=1)) is None
        assert await retrain(risk.sessions, now=NOW + timedelta(days=2)) is None

    async def test_is_kept_as_a_candidate_where_the_class_forecasts_as_well(self, risk: Service) -> None:
        await half_goes_on(risk)
        await let_the_class_be_right(risk)

        model = await challenge(risk.sessions, now=NOW)
        await assess(risk, WEEKS * 7)

        assert (model.state, model.adopted_at) == ("candidate", None)
        assert (await operator(risk, 0))["forecast_by"] == "class"

    async def test_goes_where_it_forecasts_no_better_than_the_class_any_more(self, risk: Service) -> None:
        await half_goes_on(risk)
        adopted = await challenge(risk.sessions, now=NOW)
        await let_the_class_be_right(risk)

        again = await challenge(risk.sessions, now=NOW)
        await assess(risk, WEEKS * 7)

        assert (adopted.state, again.state, again.card["incumbent"]) == ("champion", "candidate", "operators/1")
        shown = (await risk.get("/v1/models")).json()
        assert [(one["version"], one["state"]) for one in shown] == [(2, "candidate"), (1, "retired")]
        assert (await operator(risk, 0))["forecast_by"] == "class"

    async def test_is_refused_where_there_is_too_little_to_learn_from(self, risk: Service) -> None:
        await handle(risk, [severe(1, 1, 0)])
        await assess(risk, 1)
        await assess(risk, 40)

        with pytest.raises(TooFewOutcomes, match="1 forecasts came to an end"):
            await challenge(risk.sessions, now=NOW)
        assert await retrain(risk.sessions, now=NOW) is None


class TestWarning:
    async def test_comes_once_a_rise(self, risk: Service) -> None:
        await handle(risk, [severe(1, n, 0) for n in range(9)])
        await assess(risk, 1)
        await assess(risk, 2)
        first = await warned(risk)

        await assess(risk, 300)
        fallen = await warned(risk)
        await handle(risk, [severe(1, n, 300) for n in range(9)])
        await assess(risk, 301)

        assert [
            (one.operator_id, one.probability, one.threshold, one.risk_class, one.forecast_by) for one in first
        ] == [(account_id("north", "shop1"), 0.6, 0.5, "D", "class")]
        assert first[0].until == (PLACED + timedelta(days=31)).date()
        assert len(fallen) == 1
        assert len(await warned(risk)) == 2
        listed = (await risk.get("/v1/warnings")).json()["items"]
        assert [(one["ended_at"] is None, one["came_true"]) for one in listed] == [(True, None), (False, False)]

    async def test_does_not_end_between_the_thresholds(self, risk: Service) -> None:
        await handle(risk, [severe(1, n, 0) for n in range(9)])
        await assess(risk, 1)

        await let(risk, warning__begins=0.7, warning__ends=0.3)
        await assess(risk, 2)
        await let(risk, warning__begins=0.5)
        await assess(risk, 3)

        assert len(await warned(risk)) == 1

    async def test_is_held_against_what_happened(self, risk: Service) -> None:
        await handle(risk, [severe(shop, n, 0) for shop in (1, 2) for n in range(9)])
        await assess(risk, 1)
        await handle(risk, [severe(2, 20, 15)])

        await assess(risk, 31)
        early = (await risk.get("/v1/forecasts/accuracy")).json()["warnings"]
        await assess(risk, 32)

        late = (await risk.get("/v1/forecasts/accuracy")).json()
        assert (early["warnings"], early["ended_thirty_days"], early["share"]) == (2, 0, None)
        assert (late["warnings"]["ended_thirty_days"], late["warnings"]["came_true"]) == (2, 1)
        assert late["warnings"]["share"] == 0.5
        (table,) = late["forecasts"]
        assert (table["forecast_by"], table["forecasts"], table["violated"]) == ("class", 2, 1)
        assert table["brier"] == table["brier_by_class"] == pytest.approx((0.4**2 + 0.6**2) / 2)
        assert table["calibration"] == [{"from": 0.6, "to": 0.7, "forecasts": 2, "expected": 0.6, "observed": 0.5}]

    async def test_is_listed_by_pages_and_by_operator(self, risk: Service) -> None:
        await handle(risk, [severe(shop, n, 0) for shop in range(3) for n in range(9)])
        await assess(risk, 1)

        first = (await risk.get("/v1/warnings?limit=2")).json()
        second = (await risk.get(f"/v1/warnings?limit=2&cursor={first['next']}")).json()
        own = (await risk.get(f"/v1/warnings?operator_id={account_id('north', 'shop1')}")).json()

        pages = [*first["items"], *second["items"]]
        assert {one["operator_id"] for one in pages} == {str(account_id("north", f"shop{n}")) for n in range(3)}
        assert (len(pages), second["next"]) == (3, None)
        assert [one["operator_id"] for one in own["items"]] == [str(account_id("north", "shop1"))]

    async def test_is_not_for_platforms_and_a_cursor_must_be_ours(self, risk: Service) -> None:
        assert (await risk.get("/v1/warnings", Role.PLATFORM, platform_id="north")).status_code == 403
        assert (await risk.get("/v1/forecasts/accuracy", Role.PLATFORM, platform_id="north")).status_code == 403
        assert (await risk.get("/v1/warnings?cursor=x")).status_code in (400, 422)
