"""The door for platforms: bytes in, accepted events in the outbox, an answer per item.

HTTP and Kafka end in the same `accept()`. What is accepted is stored once, as the bytes that came.
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self, get_args
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import utc_now
from shared.events.numbers import OF_SERVICE
from shared.events.platform import PlatformEvent, Ref, Zoned
from shared.identifiers import source_of
from shared.ingest_faults import Fault, fault_of, hidden_in, unstorable
from shared.ingest_forms import DATA_SCHEMA, Forms
from shared.ingest_store import HASH_BYTES, Item, store, store_new
from shared.messaging import publish

MAX_EVENTS = 1_000
MAX_EVENT_BYTES = 900_000
# As CloudEvents' extension Sequence says of the type Integer.
MAX_NUMBER = 2**31 - 1
_COUNTED, _DIGITS = "Integer", 10

_NO_NUMBER = Fault("sequence_invalid", f"sequence is the text of a number from 1 to {MAX_NUMBER}", "/sequence")
_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)

Subject = Callable[[str, Any], UUID]
# Turns what may not be stored as it came into what may.
Seal = Callable[[Sequence[Item]], Awaitable[list[Item]]]


class Rejection(msgspec.Struct, frozen=True):
    """Why one item was not taken: its index in the batch, its id if it could be read, code and pointer."""

    index: int
    id: str | None
    code: str
    detail: str
    pointer: str = ""


@dataclass
class Answer:
    """What became of a batch."""

    accepted: int = 0
    duplicate: int = 0
    rejected: list[Rejection] = field(default_factory=list)


class _Peek(msgspec.Struct):
    id: Any = None
    type: Any = None
    source: Any = None


class Ingest:
    """What one service takes: its types, the topic they go to, and whose history each belongs to."""

    def __init__(
        self,
        *,
        topic: str,
        subjects: dict[type[PlatformEvent], Subject],
        faults: Callable[[str, PlatformEvent], Fault | None] = lambda _, __: None,
        forms: Forms | None = None,
    ) -> None:
        self.topic = topic
        self._service = topic.partition(".")[0]
        self.types = frozenset(kind.type for kind in subjects)
        self._subject_of: dict[type[Any], Subject] = dict(subjects)
        self._faults = faults
        self._forms = forms
        self._times: dict[type[Any], list[str]] = {kind: _time_fields(kind) for kind in subjects}
        self._decode = msgspec.json.Decoder(_envelopes(subjects)).decode
        self._peek = msgspec.json.Decoder(_Peek).decode
        self._seal: Seal = _as_it_came

    def sealed_by(self, seal: Seal) -> Self:
        """Return the same door, that stores and sends on what `seal` makes of events."""
        door = copy(self)
        vars(door)["_seal"] = seal
        return door

    async def accept(self, session: AsyncSession, platform_id: str, raws: Sequence[bytes]) -> Answer:
        """Store what is new of a platform's events, in the caller's transaction, and say what became of each."""
        answer = Answer()
        items = await self._seal(self.read(platform_id, raws, answer.rejected))
        stored = await store(session, self.topic, platform_id, items, len(answer.rejected))
        answer.accepted = stored.accepted
        answer.duplicate = stored.duplicate
        answer.rejected.extend(
            Rejection(item.index, item.id, "id_conflict", "this id was used before with another payload", "/id")
            for item in stored.conflicting
        )
        answer.rejected.sort(key=lambda r: r.index)
        refused = {item.index for item in stored.conflicting}
        await self._tell_numbers(session, platform_id, [item for item in items if item.index not in refused])
        return answer

    async def accept_new(self, session: AsyncSession, platform_id: str, raws: Sequence[bytes]) -> Answer:
        """Do the same at half the price for events that nobody sent before. Raises IdKnown where somebody did."""
        answer = Answer()
        items = await self._seal(self.read(platform_id, raws, answer.rejected))
        if not items:
            return await self.accept(session, platform_id, raws)
        await store_new(session, self.topic, platform_id, items, len(answer.rejected))
        answer.accepted = len(items)
        await self._tell_numbers(session, platform_id, items)
        return answer

    async def _tell_numbers(self, session: AsyncSession, platform_id: str, items: Sequence[Item]) -> None:
        """Publish the numbers that a platform gave its events, as runs, for gaps to be looked for."""
        numbers = sorted({item.number for item in items if item.number is not None})
        if not numbers:
            return
        first = [n for before, n in zip([-1, *numbers], numbers, strict=False) if n != before + 1]
        last = [n for n, after in zip(numbers, [*numbers[1:], -1], strict=True) if after != n + 1]
        kind = OF_SERVICE[self._service]
        told = kind(occurred_at=utc_now(), platform_id=platform_id, first=first, last=last)
        await publish(session, [told], source=self._service)

    def read(self, platform_id: str, raws: Sequence[bytes], rejected: list[Rejection]) -> list[Item]:
        """Decode and check each event; what is unfit is added to `rejected`."""
        source = source_of(platform_id)
        items = []
        for index, raw in enumerate(raws):
            item = self._read_one(platform_id, source, index, raw)
            # Told apart by type(): isinstance() asks a struct's metaclass, which costs as much as the hash.
            if type(item) is Item:
                items.append(item)
            elif type(item) is Rejection:
                rejected.append(item)
        return items

    def _read_one(self, platform_id: str, source: str, index: int, raw: bytes) -> Item | Rejection:
        if self._forms is not None and DATA_SCHEMA in raw:
            newest = self._forms.newest(raw)
            if isinstance(newest, Fault):
                return self._rejection(index, raw, self._more_exact(raw, source, newest))
            raw = newest
        try:
            event = self._decode(raw)
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            return self._rejection(index, raw, self._more_exact(raw, source, fault_of(error)))
        fault = self._unfit(event, platform_id, source, raw)
        if fault is not None:
            return self._rejection(index, raw, fault)
        kind = type(event.data)
        key = self._subject_of[kind](platform_id, event.data)
        number = None
        if event.sequencetype == _COUNTED and (number := _number(event.sequence)) is None:
            return self._rejection(index, raw, _NO_NUMBER)
        return Item(index, event.id, kind.type, key, raw, _hash(raw), number)

    def _unfit(self, event: Any, platform_id: str, source: str, raw: bytes) -> Fault | None:
        data = event.data
        if event.source != source:
            return Fault("foreign_source", f"source is not {source}, the caller's own", "/source")
        if event.time is not None and not _EARLIEST <= event.time < _LATEST:
            return _time_fault("/time")
        for name in self._times[type(data)]:
            time = getattr(data, name)
            if time is not None and not _EARLIEST <= time < _LATEST:
                return _time_fault(f"/data/{name}")
        if len(raw) > MAX_EVENT_BYTES:
            return Fault("event_too_large", f"an event has at most {MAX_EVENT_BYTES} bytes", "")
        if b"\\u0000" in raw and (pointer := unstorable(event)) is not None:
            return Fault("text_not_storable", "text holds U+0000, which cannot be stored", pointer)
        return self._faults(platform_id, data)

    def _more_exact(self, raw: bytes, source: str, fault: Fault) -> Fault:
        """Prefer what the sender must know first: another's source, or a type this door does not take."""
        try:
            peek = self._peek(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return hidden_in(raw) or fault
        if isinstance(peek.source, str) and peek.source != source:
            return Fault("foreign_source", f"source is not {source}, the caller's own", "/source")
        if isinstance(peek.type, str) and peek.type not in self.types:
            return Fault("unknown_type", f"{peek.type[:200]!r} is not taken here", "/type")
        return fault

    def _rejection(self, index: int, raw: bytes, fault: Fault) -> Rejection:
        try:
            found = self._peek(raw).id
        except (msgspec.MsgspecError, ValueError, RecursionError):
            found = None
        shown = found[:200] if isinstance(found, str) else None
        return Rejection(index, shown, fault.code, fault.detail, fault.pointer)


async def _as_it_came(items: Sequence[Item]) -> list[Item]:
    return list(items)


def _envelopes(subjects: dict[type[PlatformEvent], Subject]) -> Any:
    """Return the union of envelopes, told apart by `type`, so that one pass decodes and validates an event."""
    union: Any = None
    for kind in subjects:
        envelope = msgspec.defstruct(
            f"{kind.__name__}Envelope",
            [
                ("specversion", Literal["1.0"]),
                ("id", Ref),
                ("source", str),
                ("data", kind),
                ("time", Zoned | None, None),
                ("subject", str | None, None),
                ("sequence", str | None, None),
                ("sequencetype", str | None, None),
            ],
            tag_field="type",
            tag=kind.type,
            frozen=True,
            kw_only=True,
        )
        union = envelope if union is None else union | envelope
    return union


def _time_fields(kind: type[PlatformEvent]) -> list[str]:
    return [f.name for f in msgspec.structs.fields(kind) if datetime in _parts(f.type)]


def _parts(annotation: Any) -> set[Any]:
    inner = get_args(annotation)
    return {annotation}.union(*map(_parts, inner)) if inner else {annotation}


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdecimal() and len(text) <= _DIGITS):
        return None
    return number if 1 <= (number := int(text)) <= MAX_NUMBER else None


def _time_fault(pointer: str) -> Fault:
    return Fault("time_out_of_range", "times lie between 1990 and 2200", pointer)


def _hash(raw: bytes) -> bytes:
    return hashlib.blake2b(raw, digest_size=HASH_BYTES).digest()
