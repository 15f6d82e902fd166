"""Kafka composition root of disputes."""

from services.disputes.handlers import HANDLERS
from services.disputes.settings import Settings
from shared.consumer import Consumer
from shared.database import make_engine, make_sessions
from shared.events.catalogue import EVENT_TYPES
from shared.topics import SUBSCRIPTIONS


def consumers(settings: Settings) -> list[Consumer]:
    """Return the consumer of this service."""
    return [
        Consumer(
            "disputes",
            bootstrap=settings.kafka_bootstrap,
            sessions=make_sessions(make_engine(settings.database_url, pool_size=2)),
            handlers=HANDLERS,
            known_types=EVENT_TYPES,
            topics=SUBSCRIPTIONS["disputes"],
            member=settings.member,
        )
    ]
