"""What could not be applied: kept byte for byte, told to the dead-letter topic, released by a command."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
from aiokafka import TopicPartition
from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from shared.fetching import Record
from shared.identifiers import derived_id
from shared.messaging import Message, Quarantined, enqueue

_MAX_DEAD_LETTER_BYTES = 900_000

_pack = msgspec.msgpack.encode


class UnreadableError(Exception):
    """A message this consumer cannot make an event of."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


@dataclass(frozen=True)
class Refused:
    """A record, where it lay, and why it was refused."""

    place: TopicPartition
    record: Record
    code: str
    detail: str


async def put(session: AsyncSession, consumer: str, refused: Sequence[Refused]) -> None:
    """Store refused records and queue a dead letter for each, in the caller's transaction."""
    if not refused:
        return
    await session.execute(insert(Quarantined).on_conflict_do_nothing(), [_row(consumer, one) for one in refused])
    letters: dict[str, list[Message]] = defaultdict(list)
    for one in refused:
        letters[f"{one.place.topic}.{consumer}.dlq"].append(_dead_letter(one))
    await enqueue(session, letters)


async def count(session: AsyncSession) -> int:
    """Return how many records wait in quarantine."""
    waiting = select(func.count()).select_from(Quarantined).where(Quarantined.released_at.is_(None))
    return (await session.execute(waiting)).scalar_one()


def _row(consumer: str, one: Refused) -> dict[str, object]:
    place, record = one.place, one.record
    return {
        "id": derived_id(consumer, place.topic, place.partition, record.offset, record.timestamp),
        "consumer": consumer,
        "topic": place.topic,
        "partition": place.partition,
        "offset": record.offset,
        "key": record.key,
        "headers": _pack([list(h) for h in record.headers]),
        "value": record.value or b"",
        "code": one.code,
        "detail": one.detail[:2_000].replace("\x00", "\\0"),
    }


def _dead_letter(one: Refused) -> Message:
    value = one.record.value or b""
    told = value if len(value) <= _MAX_DEAD_LETTER_BYTES else b""
    kept = [(name, content or b"") for name, content in one.record.headers if name != "ce_sequence"]
    return Message(
        one.record.key or b"",
        told,
        [*kept, ("dlq_code", one.code.encode()), ("dlq_detail", one.detail[:500].encode("utf-8", "replace"))],
    )
