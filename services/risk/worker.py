"""Kafka composition root of risk."""

from services.risk.handlers import HANDLERS
from services.risk.intake import INGEST
from services.risk.settings import Settings
from services.risk.windows import compile_all
from shared.consumer import Consumer
from shared.database import make_engine, make_sessions
from shared.events.catalogue import EVENT_TYPES
from shared.events.risk import KeysSighted
from shared.platform_topics import PlatformTopics
from shared.topics import SUBSCRIPTIONS


def consumers(settings: Settings) -> list[Consumer]:
    """Return the consumers of this service: what others publish and was accepted here, and platforms' own topics."""
    # Before the first message, not in its way.
    compile_all()
    sessions = make_sessions(make_engine(settings.database_url, pool_size=2))
    stream = Consumer(
        "risk",
        bootstrap=settings.kafka_bootstrap,
        sessions=sessions,
        handlers=HANDLERS,
        known_types=EVENT_TYPES,
        topics=SUBSCRIPTIONS[settings.service],
        gathered=[KeysSighted.topic],
        member=settings.member,
    )
    platforms = PlatformTopics(settings.service, INGEST, settings.kafka_bootstrap, sessions, member=settings.member)
    return [stream, platforms]
