"""The other door for platforms: a large one produces to its own `platform.<id>.<anything>` topics.

Both doors end in `Ingest.accept()`; what it refuses here is quarantined with the same codes.
"""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol, Self

import msgspec
from aiokafka import TopicPartition
from sqlalchemy.ext.asyncio import AsyncSession

from shared import quarantine
from shared.consumer import Batch, Consumer
from shared.database import Sessions
from shared.events.catalogue import SENT
from shared.fetching import Record
from shared.ingest import Ingest, Rejection
from shared.received import Received
from shared.settings import ANYONE, Member
from shared.stream_positions import Progress

_TAKEN_BY = {kind.type: kind.to for kind in SENT}
_ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "dataschema", "sequence", "sequencetype")
STRUCTURED = "application/cloudevents+json"


class Strongbox(Protocol):
    """Makes of what is refused what may be kept, where it may hold personal data, and the other way round."""

    async def sealed_record(self, platform_id: str, record: Record) -> Record:
        """Return a record whose value nobody can read."""

    async def opened_record(self, platform_id: str, record: Record) -> Record:
        """Return a record as it came; one that is not sealed as it is."""


class PlatformTopics(Consumer):
    """Takes one service's events from every platform's topics; other services' types are left to them.

    A type that nobody takes is quarantined by the service that `unknown_types` names as its keeper.
    """

    def __init__(
        self,
        service: str,
        ingest: Ingest,
        bootstrap: str,
        sessions: Sessions,
        *,
        keeps_unknown: bool = False,
        member: Member = ANYONE,
    ) -> None:
        super().__init__(
            f"{service}-platforms",
            bootstrap=bootstrap,
            sessions=sessions,
            handlers={},
            known_types={},
            pattern=r"^platform\..+",
            # Mostly silent, where platforms post: to ask less often costs a platform that does not some 0.2 s.
            fetch_wait_ms=500,
            member=member,
        )
        self._service = service
        self._ingest = ingest
        self._keeps_unknown = keeps_unknown
        self._strongbox: Strongbox | None = None

    def kept_in(self, strongbox: Strongbox) -> Self:
        """Keep what is refused as a strongbox makes it."""
        self._strongbox = strongbox
        return self

    async def _kept(self, refused: list[quarantine.Refused]) -> list[quarantine.Refused]:
        if self._strongbox is None:
            return refused
        return [
            replace(one, record=await self._strongbox.sealed_record(_platform(one.place.topic), one.record))
            for one in refused
        ]

    def _decode_one(self, place: TopicPartition, record: Record, progress: Progress, batch: Batch) -> None:  # noqa: ARG002 - no sequence
        raw, kind = structured_form(record)
        if _TAKEN_BY.get(kind, self._service if self._keeps_unknown else "") == self._service:
            batch.received.append(Received((raw, record), {}, place, record.offset))

    async def _handle(self, session: AsyncSession, received: Sequence[Received]) -> None:
        by_topic: dict[str, list[Received]] = defaultdict(list)
        for one in received:
            by_topic[one.place.topic].append(one)
        for topic, ones in by_topic.items():
            answer = await self._ingest.accept(session, _platform(topic), [one.event[0] for one in ones])
            refused = [_refused(ones[r.index], r) for r in answer.rejected]
            await quarantine.put(session, self.name, await self._kept(refused))

    async def apply_again(self, session: AsyncSession, place: TopicPartition, record: Record) -> None:
        """Take one record in the caller's transaction. Raises UnreadableError with the door's own code."""
        platform_id = _platform(place.topic)
        if self._strongbox is not None:
            record = await self._strongbox.opened_record(platform_id, record)
        raw, _ = structured_form(record)
        answer = await self._ingest.accept(session, platform_id, [raw])
        for refusal in answer.rejected:
            raise quarantine.UnreadableError(refusal.code, _words(refusal))


def _refused(one: Received, refusal: Rejection) -> quarantine.Refused:
    return quarantine.Refused(one.place, one.event[1], refusal.code, _words(refusal))


def _words(refusal: Rejection) -> str:
    return f"{refusal.detail} at {refusal.pointer or '/'}"


def _platform(topic: str) -> str:
    return topic.split(".")[1]


def structured_form(record: Record) -> tuple[bytes, str]:
    """Return a record as a CloudEvent in JSON form, and its type (CloudEvents Kafka binding 1.0.2, 3.2 and 3.3)."""
    headers = {name: (content or b"").decode("utf-8", "replace") for name, content in record.headers}
    value: bytes = record.value or b""
    if headers.get("content-type", "").partition(";")[0].strip() == STRUCTURED or "ce_type" not in headers:
        return value, _stated_type(value)
    if not _is_json(value):
        # Joined to its attributes it could end them and begin others: an event of nothing is refused instead.
        return b"", headers["ce_type"]
    attributes = {name: headers[f"ce_{name}"] for name in _ATTRIBUTES if f"ce_{name}" in headers}
    return _joined(attributes, value), attributes["type"]


def _joined(attributes: Mapping[str, str], value: bytes) -> bytes:
    head = json.dumps(attributes, ensure_ascii=False).encode("utf-8", "replace")
    return head[:-1] + b',"data":' + value + b"}"


def _is_json(value: bytes) -> bool:
    try:
        _raw(value)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return False
    return True


def _stated_type(value: bytes) -> str:
    try:
        kind = _typed(value).type
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return ""
    return kind if isinstance(kind, str) else ""


class _Typed(msgspec.Struct):
    type: Any = None


_raw = msgspec.json.Decoder(msgspec.Raw).decode
_typed = msgspec.json.Decoder(_Typed).decode
