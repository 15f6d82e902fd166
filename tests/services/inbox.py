"""Events as a consumer hands them over, without Kafka in between."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, cast

from aiokafka import ConsumerRecord, TopicPartition

from services.credit.handlers import HANDLERS as CREDIT
from services.disputes.handlers import HANDLERS as DISPUTES
from services.gateway.handlers import HANDLERS as GATEWAY
from services.identity.handlers import handlers as identity_handlers
from services.identity.vault import Vault
from services.listings.handlers import HANDLERS as LISTINGS
from services.risk.handlers import HANDLERS as RISK
from shared.consumer import Consumer, Handlers
from shared.database import transaction
from shared.events.base import Event
from shared.events.catalogue import EVENT_TYPES
from shared.identifiers import new_id
from shared.messaging import sequence, unpack
from shared.received import Received
from shared.relay import _binary_form
from shared.topics import SUBSCRIPTIONS
from tests.services.doors import Service

# Which types they take; those of a running service are `handlers_of()` it.
HANDLERS: dict[str, Handlers] = {
    "identity": identity_handlers(cast("Vault", None)),
    "listings": LISTINGS,
    "risk": RISK,
    "credit": CREDIT,
    "disputes": DISPUTES,
    "gateway": GATEWAY,
}
CLUSTER = "cluster"


@dataclass
class Seeker:
    """Stands where aiokafka's consumer does: remembers where it was told to read from."""

    sought: dict[TopicPartition, int] = field(default_factory=dict)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Remember a position."""
        self.sought[partition] = offset


def received(event: Any, *, source: str = "/services/test", time: datetime | None = None) -> Received:
    """Return an event as its handler gets it."""
    attributes = {"ce_id": str(new_id()), "ce_type": event.type, "ce_source": source}
    if time is not None:
        attributes["ce_time"] = time.isoformat()
    headers = {name: text.encode() for name, text in attributes.items()}
    return Received(event, headers, TopicPartition("test", 0), 0)


async def handle(service: Service, events: Iterable[Received | Event]) -> None:
    """Hand events over as one batch, in one transaction, as the consumer does."""
    ready = [one if isinstance(one, Received) else received(one) for one in events]
    consumer = Consumer(
        service.settings.service,
        bootstrap="",
        sessions=service.sessions,
        handlers=handlers_of(service),
        known_types=EVENT_TYPES,
    )
    async with transaction(service.sessions) as session:
        await consumer._handle(session, ready)


def handlers_of(service: Service) -> Handlers:
    """Return what a service does with each event."""
    name = service.settings.service
    return identity_handlers(service.app.state.vault) if name == "identity" else HANDLERS[name]


async def consumer_of(service: Service) -> Consumer:
    """Return a service's consumer with partition 0 of everything it reads assigned to it."""
    name = service.settings.service
    consumer = Consumer(
        name,
        bootstrap="",
        sessions=service.sessions,
        handlers=handlers_of(service),
        known_types=EVENT_TYPES,
        topics=SUBSCRIPTIONS[name],
    )
    await assign(consumer, SUBSCRIPTIONS[name])
    return consumer


async def assign(consumer: Consumer, topics: Iterable[str]) -> Seeker:
    """Assign partition 0 of topics, as a rebalance does."""
    consumer._cluster_id = CLUSTER
    seeker = Seeker()
    await consumer.take(seeker, [TopicPartition(topic, 0) for topic in topics])
    return seeker


def record(
    value: bytes | None,
    headers: Sequence[tuple[str, bytes | None]],
    *,
    topic: str,
    offset: int = 0,
    key: bytes = b"key",
) -> ConsumerRecord:
    """Return what aiokafka gives for one message."""
    size = len(value) if value is not None else -1
    return ConsumerRecord(topic, 0, offset, 1_700_000_000_000, 0, key, value, None, len(key), size, tuple(headers))


async def outbox_records(service: Service) -> dict[str, list[ConsumerRecord]]:
    """Return a service's whole outbox by topic, as its relay would send it."""
    sent: dict[str, list[ConsumerRecord]] = defaultdict(list)
    rows = await service.rows("SELECT xid::text::bigint AS xid, id, topic, body FROM outbox ORDER BY xid, id")
    for row in rows:
        for index, message in enumerate(unpack(row["body"])):
            headers, value = _binary_form(message, sequence(row["xid"], row["id"], index), None)
            topic = row["topic"]
            sent[topic].append(record(value, headers, topic=topic, offset=len(sent[topic]), key=message.key))
    return sent


async def deliver_platform_events(service: Service) -> None:
    """Let a service's own consumer apply what its door accepted."""
    name = service.settings.service
    consumer = await consumer_of(service)
    records = (await outbox_records(service)).get(f"{name}.accepted", [])
    await consumer.apply({TopicPartition(f"{name}.accepted", 0): records})
