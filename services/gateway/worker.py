"""Composition root of the gateway's worker: queue what is news, send what is due."""

import asyncio

from services.gateway.dialling import make_client
from services.gateway.handlers import HANDLERS
from services.gateway.sending import Sender
from services.gateway.settings import Settings
from services.gateway.signing import Wrapping, ensure_key
from shared.clock import wait
from shared.consumer import Consumer
from shared.database import is_connection_error, make_engine, make_sessions, transaction
from shared.events.catalogue import EVENT_TYPES
from shared.process import consume
from shared.topics import SUBSCRIPTIONS

# How long events gather before they become notices: with the sender's own pause, a notice leaves in 0.4 s.
GATHER_SECONDS = 0.2


def consumers(settings: Settings) -> list[Consumer]:
    """Return the consumer of this service."""
    return [
        Consumer(
            "gateway",
            bootstrap=settings.kafka_bootstrap,
            sessions=make_sessions(make_engine(settings.database_url, pool_size=2)),
            handlers=HANDLERS,
            known_types=EVENT_TYPES,
            topics=SUBSCRIPTIONS["gateway"],
            least_pause=GATHER_SECONDS,
            member=settings.member,
        )
    ]


async def work(settings: Settings, stop: asyncio.Event) -> None:
    """Consume and send until told to stop."""
    sessions = make_sessions(make_engine(settings.database_url, pool_size=4))
    wrapping = Wrapping(settings.master_key or settings.var_dir / "keys" / "gateway.key")
    while not stop.is_set():
        try:
            async with transaction(sessions) as session:
                await ensure_key(session, wrapping)
            break
        except Exception as error:
            if not is_connection_error(error):
                raise
            await wait(stop, 0.5)
    async with (
        make_client(settings.allowed_hosts.split(","), settings.send_timeout_seconds) as client,
        asyncio.TaskGroup() as group,
    ):
        group.create_task(consume(consumers(settings), stop))
        group.create_task(Sender(sessions, client, wrapping, settings.concurrent_sends).run(stop))
