"""Habits in the stream: nothing without a model, learnt from the acts that were kept, told where they are broken."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from structlog.testing import capture_logs

from services.risk import habit_training
from services.risk.habit_training import Known, TooFewActs
from services.risk.models import Model
from shared.consumer import Consumer
from shared.database import kept
from shared.database import transaction as in_transaction
from shared.events.listings import TransactionEvent
from tests.services.doors import OpenService, Service
from tests.services.inbox import consumer_of, handle, outbox_records
from tests.services.listings.trade import PLACED, trade, transaction

NOW = datetime(2026, 4, 1, tzinfo=UTC)
SIGHTINGS = "risk.sightings"


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    service = await open_service("risk")
    await service.rows("UPDATE rule_values SET value = 300 WHERE name = 'habits.least_acts'")
    return service


class Market:
    """Orders of a few hundred buyers, each near a sum of its own, seen by both stages."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.orders = 0
        self.passed = 0
        self._second: Consumer | None = None

    async def trades(self, count: int, *, scale: float = 1.0) -> None:
        draw = Random(self.orders)
        numbers = range(self.orders + 1, self.orders + count + 1)
        await self.sees([self.order(round(scale * 2_000 * (n % 7 + 1) * draw.uniform(0.7, 1.3))) for n in numbers])

    def order(self, goods_minor: int, buyer: int | None = None) -> TransactionEvent:
        self.orders += 1
        number = self.orders
        return transaction(
            order_ref=f"o{number}",
            buyer_ref=f"b{number % 350 if buyer is None else buyer}",
            trade=trade(operator_ref=f"shop-{number % 40}", goods_minor=goods_minor),
            placed_at=PLACED + timedelta(minutes=number),
        )

    async def sees(self, orders: list[TransactionEvent]) -> None:
        await handle(self.service, orders)
        sent = (await outbox_records(self.service))[SIGHTINGS]
        self._second = self._second or await consumer_of(self.service)
        await self._second.apply({TopicPartition(SIGHTINGS, 0): sent[self.passed :]})
        self.passed = len(sent)

    async def broken(self) -> list[dict[str, Any]]:
        items = (await self.service.get("/v1/alerts?rule=habit_broken")).json()["items"]
        return [one for one in items if one["state"] == "open"]


async def learn(service: Service, *, now: datetime = NOW) -> Model:
    model = await habit_training.challenge(service.sessions, now=now)
    async with in_transaction(service.sessions) as session:
        kept(session, Known)._until = 0.0
    return model


class TestHabits:
    async def test_say_nothing_until_there_is_a_model(self, risk: Service) -> None:
        market = Market(risk)
        await market.trades(50)

        await market.sees([market.order(900_000_000)])

        assert await market.broken() == []

    async def test_that_are_broken_are_told_once_they_are_learnt(self, risk: Service) -> None:
        # With a few thousand acts one in ten thousand cannot be told.
        await risk.rows(
            "UPDATE rules SET expression = 'habit_improbability >= 2 AND value_minor > 0' WHERE code = 'habit_broken'"
        )
        market = Market(risk)
        await market.trades(3_000)
        model = await learn(risk)

        await market.trades(40)
        usual = await market.broken()
        await market.sees([market.order(900_000_000, buyer=7)])

        assert (model.kind, model.state, model.card["incumbent"]) == ("habits", "champion", "nothing")
        assert usual == []
        broken = await market.broken()
        found = {one["evidence"][0].partition(":")[0] for one in broken}
        assert "buyer" in found
        assert found <= {"account", "buyer"}
        values = {v["feature"]: v["value"] for one in broken for v in one["contributions"]}
        assert values["habit_improbability"] >= 2

    async def test_are_refused_from_too_few_acts(self, risk: Service) -> None:
        await Market(risk).trades(20)

        with pytest.raises(TooFewActs, match="acts with a value are kept, 300 are needed"):
            await learn(risk)

    async def test_that_do_not_come_true_are_not_adopted(self, risk: Service) -> None:
        market = Market(risk)
        await market.trades(3_000)
        await market.trades(1_000, scale=50.0)

        model = await learn(risk)

        assert model.state == "candidate"
        assert model.card["error"] > 0.5
        assert max(model.card["drift"].values()) > 0.25

    async def test_give_way_to_such_that_come_truer(self, risk: Service) -> None:
        market = Market(risk)
        await market.trades(2_000)
        await learn(risk)
        await market.trades(3_000, scale=3.0)
        await market.trades(3_000, scale=3.0)

        second = await learn(risk, now=NOW + timedelta(days=1))

        assert (second.state, second.card["incumbent"]) == ("champion", "habits/1")
        assert second.card["error"] < second.card["incumbent_error"]
        states = await risk.rows("SELECT version, state FROM models WHERE kind = 'habits' ORDER BY version")
        assert [tuple(row) for row in states] == [(1, "retired"), (2, "champion")]

    async def test_are_learnt_once_a_day(self, risk: Service) -> None:
        await Market(risk).trades(3_000)
        first = await habit_training.retrain(risk.sessions, now=NOW)

        again = await habit_training.retrain(risk.sessions, now=NOW + timedelta(hours=23))
        next_day = await habit_training.retrain(risk.sessions, now=NOW + timedelta(days=1))

        assert first is not None
        assert again is None
        assert next_day is not None

    async def test_that_cannot_be_read_are_refused_once_and_stop_nothing(self, risk: Service) -> None:
        market = Market(risk)
        await market.trades(3_000)
        await learn(risk)
        await risk.rows("UPDATE models SET trees = 'x' WHERE kind = 'habits'")

        with capture_logs() as said:
            await market.trades(10)
            await market.trades(10)

        assert [one["event"] for one in said if one["log_level"] == "error"] == ["model_refused"]
