"""Assessments and alerts: raised once, withdrawn when a document clears them, whatever the order of arrival."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from aiokafka import ConsumerRecord, TopicPartition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.risk.days import Day
from services.risk.handlers import HANDLERS
from shared.consumer import PositionLost
from shared.events.identity import OperatorDeregistered, OperatorRejected, OperatorVerified
from shared.events.listings import TransactionEvent
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id, new_id
from shared.messaging import sequence
from tests.services.doors import OpenService, Service
from tests.services.inbox import consumer_of, handle, record
from tests.services.listings.trade import PLACED, later, review, trade, transaction

SHOP = account_id("north", "shop")


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def sent(event: TransactionEvent, number: int) -> ConsumerRecord:
    """Return a transaction as Kafka brings it."""
    headers = [("ce_type", event.type.encode()), ("ce_id", str(new_id()).encode()), ("ce_source", b"/services/x")]
    place = ("ce_sequence", sequence(7, number + 1, 0))
    return record(msgspec.json.encode(event), [*headers, place], topic=event.topic, offset=number)


async def alerts(service: Service, platform_id: str = "north", state: str = "open") -> Counter[str]:
    """Count the alerts of a platform by rule."""
    rows = await service.rows("SELECT rule FROM alerts WHERE platform_id = $1 AND state = $2", platform_id, state)
    return Counter(row["rule"] for row in rows)


class TestTransactions:
    async def test_are_all_assessed_by_each_operator_in_them(self, risk: Service) -> None:
        first = transaction(parts=2, part=0)
        second = transaction(parts=2, part=1, trade=trade(operator_ref="stall"))

        await handle(risk, [first, second, transaction(order_ref="other", match="amount_mismatch")])

        answer = await risk.get("/v1/assessments/north/order")
        mismatched = await risk.get("/v1/assessments/north/other")
        assert [part["score"] for part in answer.json()["parts"]] == [0, 0]
        assert (mismatched.json()["score"], mismatched.json()["hits"]) == (40, ["amount_mismatch"])

    async def test_raise_an_alert_once(self, risk: Service) -> None:
        mismatched = transaction(match="amount_mismatch")

        await handle(risk, [mismatched])
        await handle(risk, [later(mismatched)])
        await handle(risk, [later(later(mismatched))])

        assert await alerts(risk) == {"amount_mismatch": 1}
        assert len(await risk.published(AlertRaised)) == 1

    async def test_withdraw_it_when_a_later_document_clears_it(self, risk: Service) -> None:
        underpaid = transaction(match="amount_mismatch")
        await handle(risk, [underpaid])

        await handle(risk, [later(underpaid, match="matched")])

        assert await alerts(risk) == {}
        assert await alerts(risk, state="withdrawn") == {"amount_mismatch": 1}
        assert len(await risk.published(AlertWithdrawn)) == 1

    async def test_raise_it_again_when_it_comes_back(self, risk: Service) -> None:
        underpaid = transaction(match="amount_mismatch")
        cleared = later(underpaid, match="matched")
        back = later(cleared, match="amount_mismatch")

        for revision in (underpaid, cleared, back):
            await handle(risk, [revision])

        assert await alerts(risk) == {"amount_mismatch": 1}
        assert len(await risk.published(AlertRaised)) == 2

    async def test_clear_within_one_batch_what_was_never_told(self, risk: Service) -> None:
        underpaid = transaction(match="amount_mismatch")

        await handle(risk, [underpaid, later(underpaid, match="matched")])

        assert await risk.published(AlertRaised, AlertWithdrawn) == []

    async def test_move_an_alert_to_the_operator_when_the_order_becomes_known(self, risk: Service) -> None:
        paid = transaction(match="payment_without_lines", trade=None, placed_at=None, buyer_ref=None, payments=5)
        await handle(risk, [paid])

        await handle(risk, [later(paid, match="matched", trade=trade(), placed_at=PLACED, buyer_ref="buyer")])

        assert await alerts(risk) == {"split_payments": 1}
        (still,) = await risk.rows("SELECT account_id FROM alerts WHERE state = 'open'")
        assert still["account_id"] == SHOP

    async def test_explain_an_alert_by_its_features(self, risk: Service) -> None:
        await handle(risk, [transaction(weight_g=5, trade=trade(goods_minor=5_000))])

        (item,) = (await risk.get("/v1/alerts?rule=light_parcel")).json()["items"]

        assert item["contributions"] == [
            {"feature": "goods_minor", "value": 5_000.0, "points": 20.0},
            {"feature": "weight_g", "value": 5.0, "points": 20.0},
        ]
        assert (item["severity"], item["score"], item["order_ref"]) == ("high", 40.0, "order")


class TestDays:
    async def test_count_an_order_once_however_many_revisions_it_has(self, risk: Service) -> None:
        orders = [transaction(order_ref=f"order-{n}") for n in range(4)]
        await handle(risk, orders)

        await handle(risk, [later(order) for order in orders])
        before = await alerts(risk)
        await handle(risk, [transaction(order_ref="the fifth")])

        assert before == {}
        assert await alerts(risk) == {"buyer_repeats_day": 1}

    async def test_keep_what_they_have_shown(self, risk: Service) -> None:
        orders = [transaction(order_ref=f"order-{n}") for n in range(5)]
        await handle(risk, orders)

        await handle(risk, [later(order, cancelled=True) for order in orders])

        assert await alerts(risk) == {"buyer_repeats_day": 1}

    async def test_end_at_midnight(self, risk: Service) -> None:
        days = [datetime(2026, 3, 1, 23, 59, tzinfo=UTC), datetime(2026, 3, 2, 0, 1, tzinfo=UTC)]
        orders = [transaction(order_ref=f"{n}", placed_at=days[n % 2]) for n in range(8)]

        await handle(risk, orders)

        assert await alerts(risk) == {}

    @settings(
        max_examples=25,
        deadline=None,
        derandomize=True,
        suppress_health_check=[HealthCheck.function_scoped_fixture],
    )
    @given(st.data())
    async def test_raise_the_same_alerts_in_any_order_of_arrival(self, risk: Service, data: st.DataObject) -> None:
        one, other = f"p-{new_id()}", f"p-{new_id()}"
        few = st.sampled_from("abcdef")
        placed = data.draw(st.lists(st.tuples(few, few, few, st.integers(0, 30)), min_size=1, max_size=12))

        def orders(platform_id: str) -> list[TransactionEvent]:
            return [
                transaction(
                    platform_id=platform_id,
                    order_ref=str(number),
                    buyer_ref=buyer,
                    device_ref=f"device-{ord(device) % 2}",
                    address_ref=f"address-{ord(address) % 2}",
                    placed_at=PLACED + timedelta(hours=hours),
                )
                for number, (buyer, device, address, hours) in enumerate(placed)
            ]

        shuffled = data.draw(st.permutations(orders(other)))
        cut = data.draw(st.integers(0, len(placed)))

        await handle(risk, orders(one))
        for part in (shuffled[:cut], shuffled[cut:]):
            if part:
                await handle(risk, part)

        assert await alerts(risk, one) == await alerts(risk, other)


class TestReviews:
    async def test_that_say_the_same_raise_an_alert(self, risk: Service) -> None:
        same = [review(n, text_hash="same", text_length=20) for n in range(3)]

        await handle(risk, same)

        assert await alerts(risk) == {"review_text_repeated": 1}

    async def test_of_five_stars_in_a_burst_raise_an_alert(self, risk: Service) -> None:
        await handle(risk, [review(n) for n in range(14)])
        before = await alerts(risk)

        await handle(risk, [review(14)])

        assert before == {}
        assert await alerts(risk) == {"five_star_burst": 1}


class TestOperators:
    async def test_raise_what_identity_found(self, risk: Service) -> None:
        about: dict[str, Any] = {
            "occurred_at": PLACED,
            "account_id": SHOP,
            "operator_id": new_id(),
            "platform_id": "north",
            "operator_ref": "shop",
        }
        checked = {**about, "jurisdiction": "CN", "entity_type": "company"}

        await handle(
            risk,
            [
                OperatorVerified(**checked, version=1),
                OperatorRejected(**checked, version=2, reasons=["licence_expired", "number_wrong_length"]),
                OperatorDeregistered(**about, version=3, reason="banned"),
            ],
        )

        assert await alerts(risk) == {
            "unlicensed_operator": 1,
            "false_registration": 1,
            "banned_operator": 1,
        }
        shown = (await risk.get(f"/v1/operators/{SHOP}")).json()
        assert (shown["highest_severity"], shown["alerts_open"]) == ("critical", 3)
        assert shown["verdicts"] == ["deregistered"]


def test_every_kind_of_trade_has_a_handler() -> None:
    names = {kind.__name__ for kind in HANDLERS}

    assert {"TransactionRecorded", "TransactionMatched", "TransactionMismatched", "ReviewRecorded"} <= names


class TestRollback:
    async def test_of_a_batch_leaves_nothing_counted_twice(self, risk: Service) -> None:
        consumer = await consumer_of(risk)
        place = TopicPartition("listings.transactions", 0)
        orders = [transaction(order_ref=f"order-{n}") for n in range(3)]
        # More than the column of a rule holds: the whole batch fails on it, after the days were counted.
        poison = transaction(order_ref="poison", due_minor=2**63)

        await consumer.apply({place: [sent(one, n) for n, one in enumerate([*orders, poison])]})

        (day,) = await risk.rows("SELECT content FROM day_features")
        assert msgspec.msgpack.decode(day["content"], type=Day).orders == 3
        assert await alerts(risk) == {}
        assert len(await risk.rows("SELECT 1 FROM quarantine")) == 1

    async def test_by_another_owner_leaves_nothing_counted_twice(self, risk: Service) -> None:
        consumer = await consumer_of(risk)
        place = TopicPartition("listings.transactions", 0)
        orders = [sent(transaction(order_ref=f"order-{n}"), n) for n in range(3)]
        await risk.rows("UPDATE stream_offsets SET next = 5 WHERE topic = $1", place.topic)
        with pytest.raises(PositionLost):
            await consumer.apply({place: orders})

        await risk.rows("UPDATE stream_offsets SET next = 0 WHERE topic = $1", place.topic)
        await consumer.apply({place: orders})

        (day,) = await risk.rows("SELECT content FROM day_features")
        assert msgspec.msgpack.decode(day["content"], type=Day).orders == 3

    async def test_of_a_savepoint_harms_no_event_behind_it(self, risk: Service) -> None:
        consumer = await consumer_of(risk)
        place = TopicPartition("listings.transactions", 0)
        # Counted on its day, then refused by the column of the assessment: only a savepoint is rolled back.
        poison = transaction(order_ref="poison", revision=2**31)
        orders = [transaction(order_ref=f"order-{n}") for n in range(3)]

        await consumer.apply({place: [sent(one, n) for n, one in enumerate([orders[0], poison, *orders[1:]])]})

        (day,) = await risk.rows("SELECT content FROM day_features")
        assert msgspec.msgpack.decode(day["content"], type=Day).orders == 3
        assert len(await risk.rows("SELECT 1 FROM quarantine")) == 1
        assert len(await risk.rows("SELECT 1 FROM assessments")) == 3
