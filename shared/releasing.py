"""Releasing what was quarantined: applied by the consumer that refused it, or kept with the new reason."""

from collections.abc import Sequence
from uuid import UUID

import msgspec
from aiokafka import ConsumerRecord, TopicPartition
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import utc_now
from shared.consumer import Consumer
from shared.database import Sessions, is_connection_error, transaction
from shared.errors import NotFound
from shared.messaging import Quarantined
from shared.quarantine import UnreadableError

_headers = msgspec.msgpack.Decoder(list[tuple[str, bytes | None]]).decode


class NotInQuarantine(NotFound):
    """No such message waits in this quarantine."""


async def waiting(session: AsyncSession, *, released: bool = False) -> Sequence[Quarantined]:
    """Return what is in quarantine, the oldest first; on demand what was released, too."""
    statement = select(Quarantined).order_by(Quarantined.quarantined_at, Quarantined.id)
    if not released:
        statement = statement.where(Quarantined.released_at.is_(None))
    return (await session.execute(statement)).scalars().all()


async def release(sessions: Sessions, consumers: Sequence[Consumer], identifier: UUID) -> str | None:
    """Apply a message in one transaction with the mark that it was; return why it stays, if it does.

    Raises NotInQuarantine.
    """
    async with transaction(sessions) as session:
        statement = select(Quarantined).where(Quarantined.id == identifier, Quarantined.released_at.is_(None))
        found = (await session.execute(statement.with_for_update())).scalar_one_or_none()
        if found is None:
            raise NotInQuarantine(f"no message {identifier} waits here")
        consumer = next(consumer for consumer in consumers if consumer.name == found.consumer)
        try:
            async with session.begin_nested():
                place = TopicPartition(found.topic, found.partition)
                await consumer.apply_again(session, place, record_of(found))
        except Exception as error:
            if is_connection_error(error):
                raise
            found.code, found.detail = reason_of(error)
            return f"{found.code}: {found.detail}"
        found.released_at = utc_now()
        return None


def record_of(message: Quarantined) -> ConsumerRecord:
    """Return a message as its consumer read it."""
    return ConsumerRecord(
        message.topic,
        message.partition,
        message.offset,
        int(message.quarantined_at.timestamp() * 1_000),
        0,
        message.key,
        message.value,
        None,
        len(message.key or b""),
        len(message.value),
        headers_of(message),
    )


def headers_of(message: Quarantined) -> tuple[tuple[str, bytes | None], ...]:
    """Return the headers a message came with."""
    return tuple(_headers(message.headers))


def reason_of(error: Exception) -> tuple[str, str]:
    """Return the code and the words under which a failed message is kept."""
    if isinstance(error, UnreadableError):
        return error.code, error.detail[:2_000]
    return "handler_failed", repr(error)[:2_000]
