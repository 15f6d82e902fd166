"""`POST /v1/events`, the same for every service that platforms send to, and the same function behind Kafka."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager

import msgspec
import structlog
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from shared.auth import Caller, CallerDep, Role, require
from shared.bodies import BATCH, LINES, SINGLE, split
from shared.database import transaction
from shared.errors import Busy, Forbidden, TooLarge
from shared.identifiers import customs_sender, is_customs
from shared.ingest import MAX_EVENTS, Answer, Ingest
from shared.ingest_store import IdKnown
from shared.web import problems

log = structlog.get_logger(__name__)

MAX_BODY_BYTES = 5_000_000
MAX_BYTES_IN_HAND = 128_000_000
MAX_BACKLOG_EVENTS = 400_000

_BACKLOG = text("""
    SELECT coalesce((SELECT sum(o.count) FROM outbox o, relay_cursors c WHERE (o.xid, o.id) > (c.xid, c.id)), 0)
         + coalesce((SELECT max(lag) FROM relay_cursors), 0)
""")


class RejectedItem(BaseModel):
    """Why one item was not taken."""

    index: int
    id: str | None
    code: str
    detail: str
    pointer: str


class IntakeAnswer(BaseModel):
    """What became of a batch: the accepted are stored for good."""

    accepted: int
    duplicate: int
    rejected: list[RejectedItem]


class Held:
    """What one request holds in memory, from its first byte on."""

    def __init__(self, pressure: "Pressure") -> None:
        self._pressure = pressure
        self.bytes = 0

    def add(self, length: int) -> None:
        """Count bytes that were read; negative ones are let go."""
        self.bytes += length
        self._pressure.bytes_in_hand += length


class Pressure:
    """How much is on its way: what is held in memory, and what the stream has not carried on yet."""

    def __init__(self) -> None:
        self.bytes_in_hand = 0
        self.backlog_events = 0

    @contextmanager
    def held(self) -> Iterator[Held]:
        """Yield the account of one request, and let go of what it held."""
        account = Held(self)
        try:
            yield account
        finally:
            account.add(-account.bytes)

    def refuse_if_high(self, length: int) -> None:
        """Raise Busy before memory or lag runs away."""
        if self.bytes_in_hand + length > MAX_BYTES_IN_HAND:
            raise Busy("too many requests are being read", retry_after_seconds=1)
        if self.backlog_events > MAX_BACKLOG_EVENTS:
            raise Busy(f"{self.backlog_events} events are still to be processed", retry_after_seconds=2)


def events_router(ingest: Ingest, pressure: Pressure, *, senders: Sequence[Role] = (Role.PLATFORM,)) -> APIRouter:
    """Return the door of a service, for the roles that may send to it."""
    router = APIRouter(tags=["events"])
    encode = msgspec.json.Encoder().encode
    media = {m: {"schema": {"type": "string"}} for m in (LINES,)} | {
        BATCH: {"schema": {"type": "array", "items": {"type": "object"}}},
        SINGLE: {"schema": {"type": "object"}},
    }

    @router.post(
        "/v1/events",
        status_code=202,
        response_model=IntakeAnswer,
        responses=problems(400, 401, 403, 413, 415, 429),
        openapi_extra={"requestBody": {"required": True, "content": media}},
    )
    async def take_events(request: Request, caller: CallerDep) -> Response:
        """Take a sender's own events: at most 1,000 and 5 MB; 202 only after the commit."""
        require(caller, *senders)
        sender = sender_of(caller)
        with pressure.held() as held:
            body = await _read(request, pressure, held)
            raws = split(request.headers.get("content-type", ""), body, at_most=MAX_EVENTS)
            answer = await take(request.app, ingest, sender, raws)
        return Response(
            encode({"accepted": answer.accepted, "duplicate": answer.duplicate, "rejected": answer.rejected}),
            status_code=202,
            media_type="application/json",
        )

    return router


def sender_of(caller: Caller) -> str:
    """Return under which name a caller sends: its platform's, or that of its customs system. Raises Forbidden."""
    if caller.role is Role.CUSTOMS:
        return customs_sender(caller.subject)
    assert caller.platform_id is not None, "a platform's token names its platform"
    if is_customs(caller.platform_id):
        raise Forbidden(f"{caller.platform_id} is the name of a customs system and no platform's")
    return caller.platform_id


async def take(app: FastAPI, ingest: Ingest, platform_id: str, raws: Sequence[bytes]) -> Answer:
    """Accept a batch in a transaction of its own; in a second one where it holds what is known."""
    try:
        async with transaction(app.state.sessions, platform_id) as session:
            return await ingest.accept_new(session, platform_id, raws)
    except IdKnown:
        async with transaction(app.state.sessions, platform_id) as session:
            return await ingest.accept(session, platform_id, raws)


async def _read(request: Request, pressure: Pressure, held: Held) -> bytes:
    declared = request.headers.get("content-length", "0")
    pressure.refuse_if_high(int(declared) if declared.isdecimal() else 0)
    parts: list[bytes] = []
    async for part in request.stream():
        held.add(len(part))
        if held.bytes > MAX_BODY_BYTES:
            raise TooLarge(f"a body has at most {MAX_BODY_BYTES} bytes")
        parts.append(part)
    return b"".join(parts)


def watch(pressure: Pressure) -> Callable[[FastAPI], Awaitable[None]]:
    """Return the task that measures a service's backlog twice a second."""

    async def measure(app: FastAPI) -> None:
        while True:
            try:
                async with transaction(app.state.sessions) as session:
                    pressure.backlog_events = int((await session.execute(_BACKLOG)).scalar_one())
            except (DBAPIError, OSError) as error:
                log.warning("pressure_unknown", error=repr(error))
            await asyncio.sleep(0.5)

    return measure
