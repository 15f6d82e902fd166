"""What keys do over all operators: sent on once, counted by their slots, alerted, and the same after a restart."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
import pytest_asyncio
from aiokafka import ConsumerRecord, TopicPartition

from services.risk import window_store
from services.risk.feature_log import is_kept
from services.risk.handlers import HANDLERS
from services.risk.sightings import SLOTS
from services.risk.window_store import Slots
from services.risk.windows import FEATURES, key_of
from shared.database import forget
from shared.database import transaction as in_transaction
from shared.events.listings import TransactionEvent
from shared.events.risk import KeysSighted
from shared.received import Received
from tests.services.doors import OpenService, Service
from tests.services.inbox import consumer_of, handle, outbox_records, received
from tests.services.listings.trade import PLACED, later, trade, transaction

SIGHTINGS = "risk.sightings"


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def sighted(service: Service) -> list[ConsumerRecord]:
    """Return what the first stage sent on, in order."""
    return (await outbox_records(service)).get(SIGHTINGS, [])


async def pass_on(service: Service, *, skip: int = 0) -> None:
    """Let the second stage take in what the first one sent on."""
    consumer = await consumer_of(service)
    await consumer.apply({TopicPartition(SIGHTINGS, 0): (await sighted(service))[skip:]})


def order(number: int, **fields: Any) -> TransactionEvent:
    """Return the order of one buyer at one shop, a minute after the one before."""
    at = PLACED + timedelta(minutes=number)
    shop = trade(operator_ref=fields.pop("shop", f"shop-{number}"))
    return transaction(
        order_ref=f"o{number}", buyer_ref=fields.pop("buyer", f"b{number}"), trade=shop, placed_at=at, **fields
    )


async def alerted(service: Service) -> dict[str, list[str]]:
    """Return the evidence of open alerts by rule."""
    page = (await service.get("/v1/alerts?limit=200")).json()["items"]
    return {one["rule"]: one["evidence"] for one in page if one["state"] == "open"}


async def counted(service: Service, *key: str) -> float:
    """Return how many acts of a key the second stage knows of in the thirty days around one more."""
    return (await known_of(service, *key))["orders_30d"] - 1


async def known_of(service: Service, *key: str) -> dict[str, float]:
    """Return the features of one more act of a key."""
    number = key_of(*key)
    async with in_transaction(service.sessions) as session:
        slots = Slots()
        await slots.take(session, [number % SLOTS])
        at, one = np.array([int(PLACED.timestamp() * 1_000)]), np.array([1], np.uint32)
        found = slots.fold(number % SLOTS, window_store.Events(np.array([number]), at, np.array([1.0]), one, one))
    return dict(zip(FEATURES, map(float, found[0]), strict=True))


class TestSightings:
    async def test_show_each_key_of_an_order_once_however_often_it_is_revised(self, risk: Service) -> None:
        first = order(1, device_ref="d", address_ref="a")
        revised = later(first, payments=1, payer_ref="p", paid_at=PLACED)
        shipped = later(revised, parcels=1, courier="c", waybill_refs=["w"], shipped_at=PLACED)

        await handle(risk, [first])
        await handle(risk, [revised, shipped])
        await handle(risk, [later(shipped, delivered_at=PLACED)])
        await pass_on(risk)

        keys = [
            ("buyer", "b1"),
            ("device", "d"),
            ("address", "a"),
            ("listing", "lamp"),
            ("account", str(first.trade.account_id)),  # type: ignore[union-attr]
            ("pair", f"{first.trade.account_id}/b1"),  # type: ignore[union-attr]
            ("payer", "p"),
            ("courier", "c"),
            ("waybill", "w"),
        ]
        assert [await counted(risk, kind, "north", ref) for kind, ref in keys] == [1] * len(keys)

    async def test_of_the_future_are_not_counted(self, risk: Service) -> None:
        await handle(risk, [order(1, device_ref="d"), order(60 * 24 * 365 * 30, device_ref="d")])
        await pass_on(risk)

        assert (await known_of(risk, "device", "north", "d"))["seen"] == 1

    async def test_of_another_platform_are_other_keys(self, risk: Service) -> None:
        await handle(risk, [order(1, device_ref="d"), order(1, device_ref="d", platform_id="south")])
        await pass_on(risk)

        assert [await counted(risk, "device", name, "d") for name in ("north", "south", "east")] == [1, 1, 0]

    async def test_of_one_key_are_in_one_slot(self, risk: Service) -> None:
        await handle(risk, [order(number, device_ref=f"d{number % 3}") for number in range(30)])

        messages = await sighted(risk)

        slots: dict[int, set[bytes | None]] = {}
        for message in messages:
            event = received_of(message)
            slots.setdefault(event.slot, set()).add(message.key)
            assert {key % SLOTS for key in event.keys} == {event.slot}
        assert all(len(keys) == 1 for keys in slots.values())


def received_of(message: ConsumerRecord) -> KeysSighted:
    """Decode what was sent on."""
    return msgspec.json.decode(message.value, type=KeysSighted)


class TestAlerts:
    async def test_name_a_device_of_many_buyers_at_many_shops(self, risk: Service) -> None:
        await handle(risk, [order(number, device_ref="shared") for number in range(5)])
        await pass_on(risk)

        found = await alerted(risk)

        assert found.keys() == {"device_buyers_week"}
        assert "device:shared" in found["device_buyers_week"]

    async def test_do_not_come_of_a_device_whose_buyers_are_weeks_apart(self, risk: Service) -> None:
        orders = [
            order(number, device_ref="shared", occurred_at=PLACED)
            for number in (0, 1, 2, 3 * 7 * 24 * 60, 4 * 7 * 24 * 60)
        ]

        await handle(risk, orders)
        await pass_on(risk)

        assert await alerted(risk) == {}

    async def test_come_of_the_last_order_whichever_that_is(self, risk: Service) -> None:
        orders = [order(number, device_ref="shared") for number in range(5)]

        for one in (orders[3], orders[0], orders[4], orders[2], orders[1]):
            await handle(risk, [one])
        await pass_on(risk)

        assert (await alerted(risk)).keys() == {"device_buyers_week"}

    async def test_name_a_payer_of_many_buyers_and_a_waybill_of_many_orders(self, risk: Service) -> None:
        paid = {"payments": 1, "payer_ref": "purse", "paid_at": PLACED}
        sent = {"parcels": 1, "courier": "c", "waybill_refs": ["w"], "shipped_at": PLACED}

        await handle(risk, [order(number, **paid, **sent) for number in range(3)])
        await pass_on(risk)

        assert (await alerted(risk)).keys() >= {"payer_of_many", "waybill_of_many"}

    async def test_about_a_pair_name_the_operator(self, risk: Service) -> None:
        await risk.rows(
            "INSERT INTO rules (code, version, stream, scope, expression, severity, points, reason, source, valid_from)"
            " VALUES ('pairs', 1, 'activity', 'key', 'kind = ''pair'' AND orders_30d >= 12', 'low', 1, 'r', 's', $1)",
            PLACED.date(),
        )
        orders = [order(3 * number, shop="shop", buyer="friend") for number in range(12)]

        await handle(risk, orders)
        await pass_on(risk)

        page = (await risk.get("/v1/alerts?limit=200")).json()["items"]
        accounts = {one["rule"]: one["account_id"] for one in page}
        assert accounts["pairs"] == str(orders[0].trade.account_id)  # type: ignore[union-attr]

    async def test_are_of_a_stream_that_a_rule_is_tried_on_by_one_key_in_eight(self, risk: Service) -> None:
        orders = [order(number, device_ref=f"d{number}") for number in range(100)]

        await handle(risk, orders)
        await pass_on(risk)

        (kept,) = await risk.rows("SELECT sum(rows) AS rows FROM feature_batches WHERE stream = 'activity'")
        devices = [key_of("device", "north", f"d{number}") for number in range(100)]
        assert 20 < kept["rows"] < 110
        assert 0 < sum(is_kept("activity", key) for key in devices) < 30


async def taken_in_by_a_batch_that_fails(service: Service, events: Sequence[Received]) -> None:
    async with in_transaction(service.sessions) as session:
        await HANDLERS[KeysSighted](session, events)
        raise RuntimeError("the batch fails after its effects")


class TestState:
    async def test_is_not_counted_twice_when_messages_come_again(self, risk: Service) -> None:
        await handle(risk, [order(1, device_ref="d")])
        await pass_on(risk)
        await pass_on(risk)

        assert await counted(risk, "device", "north", "d") == 1

    async def test_is_restored_to_the_same_after_a_crash_at_any_batch(self, risk: Service) -> None:
        for number in range(5):
            await handle(risk, [order(number, device_ref="shared")])
            async with in_transaction(risk.sessions) as session:
                forget(session)
            await pass_on(risk)

        assert await counted(risk, "device", "north", "shared") == 5
        assert (await alerted(risk)).keys() == {"device_buyers_week"}

    async def test_that_another_owner_moved_on_is_read_again(self, risk: Service) -> None:
        await handle(risk, [order(1, device_ref="d")])
        consumer = await consumer_of(risk)
        place = TopicPartition(SIGHTINGS, 0)
        await consumer.apply({place: await sighted(risk)})
        seen = len(await sighted(risk))
        await risk.rows("UPDATE window_slots SET version = version + 1")

        await handle(risk, [order(2, device_ref="d")])
        await consumer.apply({place: (await sighted(risk))[seen:]})

        assert await counted(risk, "device", "north", "d") == 2
        assert await risk.rows("SELECT 1 FROM quarantine") == []

    async def test_of_a_batch_that_failed_is_not_counted(self, risk: Service) -> None:
        await handle(risk, [order(1, device_ref="d")])
        events = [received(received_of(one)) for one in await sighted(risk)]

        with pytest.raises(RuntimeError):
            await taken_in_by_a_batch_that_fails(risk, events)

        assert await counted(risk, "device", "north", "d") == 0
        await pass_on(risk)
        assert await counted(risk, "device", "north", "d") == 1

    async def test_is_snapshotted_as_it_grows_and_goes_on_from_there(self, risk: Service) -> None:
        slot = await crowded(risk)

        versions = await risk.rows("SELECT version FROM window_snapshots WHERE slot = $1", slot)
        behind = await risk.rows(
            "SELECT count(*) AS n FROM window_batches b JOIN window_snapshots s USING (slot)"
            " WHERE b.version <= s.version"
        )

        assert versions
        assert behind[0]["n"] == 0
        assert await counted(risk, "device", "north", "d17") == 100

    async def test_is_not_put_back_by_a_snapshot_of_an_owner_of_before(self, risk: Service) -> None:
        slot = await crowded(risk)
        await risk.rows("UPDATE window_snapshots SET version = 1000000, keys = -1 WHERE slot = $1", slot)

        await crowded(risk)

        (kept,) = await risk.rows("SELECT version, keys FROM window_snapshots WHERE slot = $1", slot)
        assert (kept["version"], kept["keys"]) == (1_000_000, -1)


async def crowded(service: Service) -> int:
    """Let the keys of a slot act until it has been snapshotted several times; return the slot of device d17."""
    crowd = [order(number, device_ref=f"d{number}", address_ref=f"a{number}") for number in range(2_000)]
    await handle(service, crowd)
    slot = key_of("device", "north", "d17") % SLOTS
    events = [event for one in await sighted(service) if (event := received_of(one)).slot == slot]
    for _ in range(100):
        await handle(service, events)
    return slot
