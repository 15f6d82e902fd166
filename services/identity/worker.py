"""Kafka composition root of identity."""

from services.identity.blind import BlindIndex, read_key
from services.identity.handlers import handlers
from services.identity.intake import INGEST
from services.identity.settings import Settings
from shared.consumer import Consumer
from shared.database import make_engine, make_sessions
from shared.events.catalogue import EVENT_TYPES
from shared.platform_topics import PlatformTopics
from shared.topics import SUBSCRIPTIONS


def consumers(settings: Settings) -> list[Consumer]:
    """Return the consumers of this service: what was accepted here, and platforms' own topics."""
    blind = BlindIndex(read_key(settings.blind_index_key or settings.var_dir / "keys" / "identity-blind.key"))
    sessions = make_sessions(make_engine(settings.database_url, pool_size=2))
    accepted = Consumer(
        "identity",
        bootstrap=settings.kafka_bootstrap,
        sessions=sessions,
        handlers=handlers(blind),
        known_types=EVENT_TYPES,
        topics=SUBSCRIPTIONS[settings.service],
        member=settings.member,
    )
    platforms = PlatformTopics(settings.service, INGEST, settings.kafka_bootstrap, sessions, member=settings.member)
    return [accepted, platforms]
