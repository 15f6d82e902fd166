"""Composition root of risk's worker: consume, and train anew once a day."""

import asyncio

from services.risk.handlers import HANDLERS
from services.risk.intake import INGEST
from services.risk.settings import Settings
from services.risk.training import retrain_daily
from shared.consumer import Consumer
from shared.database import make_engine, make_sessions
from shared.events.catalogue import EVENT_TYPES
from shared.platform_topics import PlatformTopics
from shared.process import consume
from shared.topics import SUBSCRIPTIONS


def consumers(settings: Settings) -> list[Consumer]:
    """Return the consumers of this service: what others publish and was accepted here, and platforms' own topics."""
    sessions = make_sessions(make_engine(settings.database_url, pool_size=2))
    stream = Consumer(
        "risk",
        bootstrap=settings.kafka_bootstrap,
        sessions=sessions,
        handlers=HANDLERS,
        known_types=EVENT_TYPES,
        topics=SUBSCRIPTIONS[settings.service],
        member=settings.member,
    )
    platforms = PlatformTopics(settings.service, INGEST, settings.kafka_bootstrap, sessions, member=settings.member)
    return [stream, platforms]


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Consume and train until told to stop."""
    async with asyncio.TaskGroup() as group:
        group.create_task(consume(consumers(settings), stop))
        group.create_task(retrain_daily(make_sessions(make_engine(settings.database_url, pool_size=2)), stop))
