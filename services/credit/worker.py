"""Kafka composition root of credit."""

from services.credit.handlers import HANDLERS
from services.credit.settings import Settings
from shared.consumer import Consumer
from shared.database import make_engine, make_sessions
from shared.events.catalogue import EVENT_TYPES
from shared.topics import SUBSCRIPTIONS


def consumers(settings: Settings) -> list[Consumer]:
    """Return the consumer of this service."""
    return [
        Consumer(
            "credit",
            bootstrap=settings.kafka_bootstrap,
            sessions=make_sessions(make_engine(settings.database_url, pool_size=2)),
            handlers=HANDLERS,
            known_types=EVENT_TYPES,
            topics=SUBSCRIPTIONS["credit"],
            member=settings.member,
        )
    ]
