"""Kafka composition root of identity."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import breaches, disclosure_requests, offers, removals, retention, reverification
from services.identity.handlers import handlers
from services.identity.intake import intake
from services.identity.page_doors import KeptLimits, PageLimits, sealed_by
from services.identity.purges import Purging
from services.identity.refused_records import RefusedRecords
from services.identity.settings import Settings
from services.identity.vault import open_vault
from shared.clock import utc_now
from shared.clock_store import Clockwork
from shared.consumer import Consumer
from shared.database import make_engine, make_sessions
from shared.events.catalogue import EVENT_TYPES
from shared.platform_topics import PlatformTopics
from shared.process import Task
from shared.topics import SUBSCRIPTIONS

# By the time of platforms' streams, and by the wall clock: what people demand and report does not wait for streams.
_OF_STREAMS = {**reverification.FIRING, **removals.FIRING, **offers.FIRING, retention.KIND: retention.on_ended}
_OF_PEOPLE = {**disclosure_requests.FIRING, **breaches.FIRING}


def consumers(settings: Settings) -> list[Task]:
    """Return what the worker runs: consumers of what was accepted and of platforms' topics, and clocks."""
    vault = open_vault(settings)
    sessions = make_sessions(make_engine(settings.database_url, pool_size=2))
    accepted = Consumer(
        "identity",
        bootstrap=settings.kafka_bootstrap,
        sessions=sessions,
        handlers=handlers(vault),
        known_types=EVENT_TYPES,
        topics=SUBSCRIPTIONS[settings.service],
        member=settings.member,
    )
    limits = PageLimits()
    door = intake(limits).sealed_by(sealed_by(vault, settings.public_url))
    platforms = PlatformTopics(settings.service, door, settings.kafka_bootstrap, sessions, member=settings.member)
    platforms.kept_in(RefusedRecords(vault))
    clocks = (
        Clockwork(settings.service, sessions, _OF_STREAMS, reverification.now),
        Clockwork(settings.service, sessions, _OF_PEOPLE, _wall),
    )
    return [accepted, platforms, *clocks, Purging(sessions, vault), KeptLimits(limits, sessions)]


async def _wall(_: AsyncSession) -> datetime:
    return utc_now()
