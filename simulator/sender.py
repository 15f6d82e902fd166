"""Sends a source's events as platforms would: in order, in batches, and until they are answered."""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import httpx
import msgspec
from msgspec import Struct

from simulator.cloudevents import Outgoing
from simulator.complaints import Complaint
from simulator.filing import file_complaints
from simulator.retries import Answer, Caller, Connection, Patience, SendError, TokenFor
from simulator.totals import Rejection, Totals

_NDJSON = {"content-type": "application/x-ndjson"}
_BATCHES_AHEAD = 2


class Source(Protocol):
    """Where events come from: the marketplace, or files of real orders."""

    @property
    def platform_ids(self) -> tuple[str, ...]:
        """The platforms whose events these are."""
        ...

    def events(self, platform_id: str) -> Iterator[Outgoing]:
        """Yield a platform's events in the order they are to be sent."""
        ...

    def complaints(self, platform_id: str) -> Iterator[Complaint]:
        """Yield what the platform's buyers complain about."""
        ...


def _local_services() -> dict[str, str]:
    return {
        "identity": "http://127.0.0.1:8101",
        "listings": "http://127.0.0.1:8102",
        "disputes": "http://127.0.0.1:8105",
    }


@dataclass(frozen=True, kw_only=True)
class SenderOptions:
    """Where to send and how fast; without a rate as fast as the answers come.

    With `events_per_second` the schedule does not wait for late answers: their lateness is latency.
    """

    services: Mapping[str, str] = field(default_factory=_local_services)
    batch_events: int = 500
    batch_bytes: int = 4_900_000
    events_per_second: float | None = None
    complaints_at_once: int = 4
    patience: Patience = field(default_factory=Patience)
    transport: httpx.AsyncBaseTransport | None = None


async def stream(
    source: Source,
    *,
    token_for: TokenFor,
    options: SenderOptions,
    on_progress: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Send everything a source has, then file its complaints. Raise an ExceptionGroup of SendError."""
    totals = Totals()
    async with httpx.AsyncClient(
        transport=options.transport,
        timeout=options.patience.timeout_seconds,
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=None),
        # The services are ours and near: a proxy from the environment must not come between.
        trust_env=False,
    ) as client:
        sending = _Sending(client, token_for, options, totals, on_progress)
        async with asyncio.TaskGroup() as tasks:
            for platform_id in source.platform_ids:
                tasks.create_task(sending.send_platform(platform_id, source.events(platform_id)))
        for platform_id in source.platform_ids:
            await sending.file(source.complaints(platform_id))
    return totals


class _BatchAnswer(Struct, frozen=True):
    accepted: int
    duplicate: int
    rejected: list["_Item"] = []


class _Item(Struct, frozen=True):
    index: int | None = None
    id: str | None = None
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class _Batch:
    events: Sequence[Outgoing]
    due: float


@dataclass(kw_only=True)
class _Lane:
    """One platform's ordered way to one service: the next batch leaves after the answer to the last."""

    platform_id: str
    service: str
    batches: asyncio.Queue[_Batch | None]
    draft: list[Outgoing] = field(default_factory=list)
    draft_bytes: int = 0


class _Sending:
    def __init__(
        self,
        client: httpx.AsyncClient,
        token_for: TokenFor,
        options: SenderOptions,
        totals: Totals,
        on_progress: Callable[[Totals], None],
    ) -> None:
        self._client = client
        self._token_for = token_for
        self._options = options
        self._totals = totals
        self._on_progress = on_progress
        self._clock = options.patience.clock
        self._started = self._clock()
        self._scheduled = 0

    def connect(self, caller: Caller) -> Connection:
        """Return a connection with the caller's own token."""
        return Connection(self._client, caller, token_for=self._token_for, patience=self._options.patience)

    async def file(self, complaints: Iterator[Complaint]) -> None:
        """File complaints, each with a connection of its consumer's."""
        url, at_once = self._options.services["disputes"], self._options.complaints_at_once
        await file_complaints(complaints, url=url, connect=self.connect, totals=self._totals, at_once=at_once)
        self._on_progress(self._totals)

    async def send_platform(self, platform_id: str, events: Iterator[Outgoing]) -> None:
        """Send one platform's events, each service's part on a lane of its own."""
        lanes: dict[str, _Lane] = {}
        async with asyncio.TaskGroup() as tasks:
            for event in events:
                lane = lanes.get(event.to)
                if lane is None:
                    lane = lanes[event.to] = _Lane(
                        platform_id=platform_id, service=event.to, batches=asyncio.Queue(_BATCHES_AHEAD)
                    )
                    tasks.create_task(self._drain(lane))
                if self._is_full(lane, event):
                    # All lanes leave together, or a merchant's file would wait behind months of orders.
                    await self._dispatch(lanes)
                lane.draft.append(event)
                lane.draft_bytes += len(event.body) + 1
            await self._dispatch(lanes)
            for lane in lanes.values():
                await lane.batches.put(None)

    def _is_full(self, lane: _Lane, event: Outgoing) -> bool:
        too_large = lane.draft_bytes + len(event.body) >= self._options.batch_bytes
        return len(lane.draft) >= self._options.batch_events or (too_large and bool(lane.draft))

    async def _dispatch(self, lanes: Mapping[str, _Lane]) -> None:
        for lane in lanes.values():
            if not lane.draft:
                continue
            events, lane.draft, lane.draft_bytes = lane.draft, [], 0
            await lane.batches.put(_Batch(events=events, due=await self._scheduled_at(len(events))))

    async def _scheduled_at(self, events: int) -> float:
        if self._options.events_per_second is None:
            # Drawing events is work: let the answers in between.
            await asyncio.sleep(0)
            return self._clock()
        self._scheduled += events
        due = self._started + self._scheduled / self._options.events_per_second
        await self._options.patience.sleep(max(due - self._clock(), 0.0))
        return due

    async def _drain(self, lane: _Lane) -> None:
        connection = self.connect(Caller(role="platform", platform_id=lane.platform_id))
        url = f"{self._options.services[lane.service]}/v1/events"
        while batch := await lane.batches.get():
            body = b"\n".join([event.body for event in batch.events]) + b"\n"
            begins = batch.due if self._options.events_per_second else self._clock()
            answer = await connection.post(url, body, _NDJSON)
            self._totals.latencies.append(self._clock() - begins)
            self._count(lane, batch, answer)
            self._on_progress(self._totals)

    def _count(self, lane: _Lane, batch: _Batch, answer: Answer) -> None:
        totals = self._totals
        totals.batches += 1
        totals.retries += answer.retries
        totals.count_sent(batch.events)
        if not answer.response.is_success:
            refusal = Rejection(
                service=lane.service,
                platform_id=lane.platform_id,
                id="",
                code=str(answer.response.status_code),
                detail=answer.response.text[:500],
            )
            totals.reject([refusal] * len(batch.events))
            return
        items = _decoded(answer.response)
        totals.accepted += items.accepted
        totals.duplicate += items.duplicate
        if answer.answer_lost:
            totals.duplicate_after_lost_answer += items.duplicate
        totals.reject(_rejection(lane, item) for item in items.rejected)
        answered = items.accepted + items.duplicate + len(items.rejected)
        totals.unaccounted += len(batch.events) - answered


def _decoded(response: httpx.Response) -> _BatchAnswer:
    try:
        return msgspec.json.decode(response.content, type=_BatchAnswer)
    except msgspec.DecodeError as error:
        raise SendError(f"{response.url} answered {response.status_code} without counts: {error}") from error


def _rejection(lane: _Lane, item: _Item) -> Rejection:
    return Rejection(
        service=lane.service,
        platform_id=lane.platform_id,
        id=item.id or "",
        code=item.code,
        detail=item.detail,
    )
