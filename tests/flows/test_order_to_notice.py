"""One order, from a platform to a signed notice, through every service in one process and without Kafka."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx
import pytest_asyncio
from aiokafka import ConsumerRecord, TopicPartition

from services.gateway.sending import Sender
from services.gateway.signing import ensure_key
from shared.auth import Role
from shared.consumer import Consumer
from shared.database import transaction
from shared.identifiers import account_id, operator_id
from shared.topics import SUBSCRIPTIONS
from tests.services.doors import APPS, OpenService, Service
from tests.services.gateway.receiver import Receiver, body_of, verifies
from tests.services.identity.factories import USCC, operator_registered
from tests.services.inbox import consumer_of, outbox_records
from tests.services.listings.factories import (
    listing_published,
    order_placed,
    parcel_delivered,
    parcel_shipped,
    payment_made,
    review_posted,
)
from tests.services.platform_events import send

LEGAL_ENTITY = operator_id("CN", "uscc", USCC)

# What a service holds; `stream_offsets` and its like say how far it has read, and may move.
_TABLES = """
    SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'
        AND table_name NOT IN ('alembic_version', 'stream_offsets', 'applied_batches', 'relay_cursors')
    ORDER BY table_name
"""


@dataclass
class Marketplace:
    """Every service, and what each has read so far of what each has sent."""

    services: dict[str, Service]
    consumers: dict[str, Consumer]
    read: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    async def pump(self) -> int:
        """Bring every outbox to every consumer until nothing moves; return how many events were brought."""
        brought = 0
        while moved := sum([await self._bring(await outbox_records(s)) for s in self.services.values()]):
            brought += moved
        return brought

    async def redeliver(self) -> int:
        """Bring everything once more, behind what was read, as a relay does that died before its cursor moved."""
        brought = 0
        for service in self.services.values():
            for topic, records in (await outbox_records(service)).items():
                for name, consumer in self._readers(topic):
                    start = self.read[name, topic]
                    again = [moved(one, start + one.offset) for one in records]
                    await consumer.apply({TopicPartition(topic, 0): again})
                    brought += len(again)
        return brought

    async def _bring(self, sent: dict[str, list[ConsumerRecord]]) -> int:
        brought = 0
        for topic, records in sent.items():
            for name, consumer in self._readers(topic):
                new = records[self.read[name, topic] :]
                if new:
                    await consumer.apply({TopicPartition(topic, 0): new})
                    self.read[name, topic] += len(new)
                    brought += len(new)
        return brought

    def _readers(self, topic: str) -> list[tuple[str, Consumer]]:
        return [(name, c) for name, c in self.consumers.items() if topic in SUBSCRIPTIONS[name]]

    async def holdings(self) -> dict[str, list[asyncpg.Record]]:
        """Return every row of every service."""
        found = {}
        for name, service in self.services.items():
            for row in await service.rows(_TABLES):
                table = row["table_name"]
                found[f"{name}.{table}"] = await service.rows(f"SELECT t::text FROM {table} t ORDER BY 1")  # noqa: S608
        return found


def moved(one: ConsumerRecord, offset: int) -> ConsumerRecord:
    """Return the same message at another offset."""
    fields: dict[str, Any] = {**vars(one), "offset": offset}
    return ConsumerRecord(**fields)


@pytest_asyncio.fixture
async def marketplace(open_service: OpenService) -> Marketplace:
    services = {name: await open_service(name) for name in APPS}
    gateway = services["gateway"]
    async with transaction(gateway.sessions) as session:
        await ensure_key(session, gateway.app.state.wrapping)
    subscription = {
        "department": "customs",
        "url": "https://customs.example/hooks",
        "types": ["risk.alert.raised.v1", "credit.level.changed.v1"],
        "least_severity": "high",
    }
    await gateway.post("/v1/endpoints", subscription, Role.CUSTOMS)
    return Marketplace(services, {name: await consumer_of(services[name]) for name in SUBSCRIPTIONS})


async def trade(marketplace: Marketplace) -> None:
    """Let a platform send a merchant, and an order of theirs that was paid for twice."""
    identity, listings = marketplace.services["identity"], marketplace.services["listings"]
    await send(identity, [operator_registered()])
    documents = [
        listing_published(),
        order_placed(),
        payment_made(amount_minor=20_000),
        parcel_shipped(),
        parcel_delivered(),
        review_posted(text="Bright!"),
    ]
    answer = await send(listings, documents)
    assert answer.json() == {"accepted": 6, "duplicate": 0, "rejected": []}


async def complain(marketplace: Marketplace) -> None:
    """Let a buyer complain and a regulator uphold it."""
    disputes = marketplace.services["disputes"]
    body = {
        "platform_id": "north",
        "operator_ref": "shop",
        "category": "refund_refused",
        "description": "Paid twice.",
        "desired_outcome": "refund",
    }
    who = {**disputes.bearer(Role.CONSUMER), "idempotency-key": "key"}
    filed = (await disputes.client.post("/v1/complaints", json=body, headers=who)).json()
    await disputes.post(f"/v1/complaints/{filed['id']}/resolution", {"outcome": "upheld"}, Role.REGULATOR)


class TestOrder:
    async def test_becomes_a_signed_notice(self, marketplace: Marketplace) -> None:
        await trade(marketplace)

        await marketplace.pump()
        gateway, receiver = marketplace.services["gateway"], Receiver()
        async with receiver.client() as client:
            await Sender(gateway.sessions, client, gateway.app.state.wrapping, 4).send_once()

        (request,) = receiver.requests
        notice = body_of(request)
        keys = (await gateway.client.get("/.well-known/webhook-keys.json")).json()["keys"]
        assert verifies(request, keys) == [True]
        assert (notice["type"], notice["data"]["rule"]) == ("risk.alert.raised.v1", "amount_mismatch")
        assert notice["data"]["operator_id"] == str(LEGAL_ENTITY)
        assert notice["data"]["order_ref"] == "order"

    async def test_is_seen_at_every_door_it_passed(self, marketplace: Marketplace) -> None:
        await trade(marketplace)
        await complain(marketplace)

        await marketplace.pump()

        async def ask(service: str, path: str) -> Any:
            answer: httpx.Response = await marketplace.services[service].get(path)
            assert answer.status_code == 200
            return answer.json()

        operator = await ask("identity", f"/v1/operators/{LEGAL_ENTITY}")
        order = await ask("listings", "/v1/transactions/north/order")
        assessment = await ask("risk", "/v1/assessments/north/order")
        facts = await ask("credit", f"/v1/profiles/{LEGAL_ENTITY}/facts")
        deliveries = await ask("gateway", "/v1/deliveries")
        assert [a["account_id"] for a in operator["accounts"]] == [str(account_id("north", "shop"))]
        assert (order["match"], order["reasons"], order["reviews"]) == ("amount_mismatch", ["overpaid"], 1)
        assert assessment["hits"] == ["amount_mismatch"]
        assert sorted(fact["kind"] for fact in facts["items"]) == [
            "alert.high",
            "complaint.upheld",
            "identity.verified",
            "trade.amount_mismatch",
        ]
        assert [d["type"] for d in deliveries["items"]] == ["risk.alert.raised.v1"]

    async def test_delivered_again_changes_nothing_anywhere(self, marketplace: Marketplace) -> None:
        await trade(marketplace)
        await complain(marketplace)
        brought = await marketplace.pump()
        before = await marketplace.holdings()

        again = await marketplace.redeliver()
        moved_on = await marketplace.pump()

        assert again == brought > 10
        assert moved_on == 0
        assert await marketplace.holdings() == before

    async def test_leaves_nothing_in_quarantine(self, marketplace: Marketplace) -> None:
        await trade(marketplace)

        await marketplace.pump()

        for service in marketplace.services.values():
            assert await service.rows("SELECT * FROM quarantine") == []
