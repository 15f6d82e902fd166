"""Every service in one process, and what brings the events of one to the others."""

from collections import defaultdict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import pytest_asyncio
from aiokafka import ConsumerRecord, TopicPartition

from deploy.tokens import Issuer
from services.gateway.signing import ensure_key
from shared.auth import Role
from shared.consumer import Consumer
from shared.database import transaction
from shared.topics import SUBSCRIPTIONS
from tests.conftest import NewSettings
from tests.services.doors import APPS, OpenService, Service, opening
from tests.services.inbox import consumer_of, outbox_records


@pytest_asyncio.fixture
async def open_service(new_settings: NewSettings, issuer: Issuer) -> AsyncIterator[OpenService]:
    """Yield what opens a service by name, on a database of its own."""
    async with opening(new_settings, issuer) as open_service:
        yield open_service


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
        "types": ["risk.alert.raised.v1", "credit.level.changed.v1", "risk.declaration.channelled.v1"],
        "least_severity": "high",
    }
    await gateway.post("/v1/endpoints", subscription, Role.CUSTOMS)
    return Marketplace(services, {name: await consumer_of(services[name]) for name in SUBSCRIPTIONS})
