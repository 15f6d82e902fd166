"""Sending: the lines of a leased endpoint, each in its order, until a notice is received or refused for good."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import groupby
from typing import TypeAlias
from uuid import UUID, uuid4

import aiohttp
import asyncpg
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.gateway.signing import LIVE_KIDS, Keyring, Signer, Wrapping
from shared.clock import utc_now, wait
from shared.database import Sessions, driver, is_connection_error, transaction

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

log = structlog.get_logger(__name__)

# Standard Webhooks 1.0.0, "Deliverability and reliability": the pauses before each next attempt.
PAUSES_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
SPREAD = 0.2
# A sender that was killed holds its endpoint for so long; half of it and one timeout must fit in.
LEASE_SECONDS = 30
# A line's notices wait for each other, so a deep line makes the others wait for the end of the round.
OF_A_LINE_AT_ONCE = 20
AT_ONCE = 400
# How long notices gather: a round costs a transaction, for one notice or for hundreds.
POLL_SECONDS = 0.15
TOLD_BYTES = 500
_RETRIED = frozenset({408, 425, 429})

_LEASE = f"""
    UPDATE endpoints SET lease = $1, leased_until = clock_timestamp() + $2::interval WHERE id = (
        SELECT e.id FROM endpoints e WHERE e.state = 'active' AND e.id <> ALL($3::uuid[])
            AND (e.leased_until IS NULL OR e.leased_until < clock_timestamp())
            AND EXISTS (SELECT 1 FROM lines l WHERE l.endpoint_id = e.id
                AND l.head_seq <= l.last_seq AND l.due_at <= clock_timestamp())
        ORDER BY e.leased_until NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, url, {LIVE_KIDS} AS kids
"""  # noqa: S608 - both parts are constants
_DUE = """
    SELECT d.id, d.subject, d.seq, d.body, d.attempts FROM lines l
    JOIN deliveries d ON d.endpoint_id = l.endpoint_id AND d.subject = l.subject
        AND d.seq BETWEEN l.head_seq AND least(l.last_seq, l.head_seq + $2 - 1)
    WHERE l.endpoint_id = $1 AND l.head_seq <= l.last_seq AND l.due_at <= clock_timestamp()
    ORDER BY l.due_at, l.subject, d.seq LIMIT $3
"""
# Locks the endpoint until the end of the transaction: who has the lease, and nobody else, settles.
_RELEASE = """
    UPDATE endpoints SET lease = NULL, leased_until = NULL, state = CASE WHEN $3 THEN 'disabled' ELSE state END
    WHERE id = $1 AND lease = $2 RETURNING 1
"""
_LOG = """
    INSERT INTO attempts (delivery_id, status, error, milliseconds)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::int[])
"""
_SETTLE = """
    UPDATE deliveries d SET state = x.state, attempts = d.attempts + 1,
        delivered_at = CASE WHEN x.state = 'delivered' THEN clock_timestamp() END
    FROM unnest($1::uuid[], $2::text[]) AS x (id, state) WHERE d.id = x.id
"""
# A line that was rewound in the meantime keeps its place. Lines are locked in the order in which `notices.queue`
# takes them, or both could wait for each other.
_ADVANCE = """
    WITH locked AS (
        SELECT subject FROM lines WHERE endpoint_id = $1 AND subject = ANY($2::uuid[]) ORDER BY subject FOR UPDATE)
    UPDATE lines l SET head_seq = CASE WHEN x.pause IS NULL THEN x.last + 1 ELSE x.last END,
        due_at = clock_timestamp() + coalesce(x.pause, 0) * interval '1 second'
    FROM unnest($2::uuid[], $3::bigint[], $4::bigint[], $5::float8[]) AS x (subject, first, last, pause)
    JOIN locked USING (subject)
    WHERE l.endpoint_id = $1 AND l.subject = x.subject AND l.head_seq = x.first
"""


@dataclass(frozen=True, slots=True)
class Due:
    """A notice to be sent now, or after those before it in its line."""

    id: UUID
    subject: UUID
    seq: int
    body: bytes
    attempts: int


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one attempt; `pause` is the seconds to the next one, None when the notice is settled."""

    notice: Due
    state: str
    status: int | None
    error: str | None
    milliseconds: int
    pause: float | None
    gone: bool = False


@dataclass(frozen=True)
class Round:
    """What one lease of an endpoint is for: its lines, each from its head on."""

    endpoint_id: UUID
    lease: UUID
    url: str
    signer: Signer
    lines: Sequence[Sequence[Due]]

    @property
    def may_leave_more(self) -> bool:
        """Tell whether so much was due that more of it may wait in the same lines, or in others."""
        return sum(map(len, self.lines)) == AT_ONCE or any(len(line) == OF_A_LINE_AT_ONCE for line in self.lines)


@dataclass(frozen=True)
class Sent:
    """What came of a round: for each line, of its notices up to the first that is to be tried again."""

    endpoint_id: UUID
    lease: UUID
    lines: Sequence[Sequence[Result]]


class Sender:
    """Sends what is due, one leased endpoint at a time; several senders share the endpoints."""

    def __init__(self, sessions: Sessions, client: aiohttp.ClientSession, wrapping: Wrapping, concurrent: int) -> None:
        self._sessions = sessions
        self._client = client
        self._keyring = Keyring(wrapping)
        self._concurrent = concurrent

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; a database that is away is waited for."""
        while not stop.is_set():
            try:
                await self._sweep(stop)
                await wait(stop, POLL_SECONDS)
            except Exception as error:
                if not is_connection_error(error):
                    raise
                log.warning("sender_waits", error=repr(error))
                await wait(stop, 0.5)

    async def _sweep(self, stop: asyncio.Event) -> None:
        """Serve every endpoint with something due, those with much of it round after round."""
        served: list[UUID] = []
        begun = await self._turn(None, served)
        while begun is not None:
            if not begun.may_leave_more:
                served.append(begun.endpoint_id)
            sent = await self._send_all(begun)
            if stop.is_set():
                await self._end(sent)
                return
            begun = await self._turn(sent, served)

    async def send_once(self) -> int:
        """Lease an endpoint with something due, send what is due of its lines, settle it; return how many."""
        begun = await self._turn(None, ())
        if begun is None:
            return 0
        sent = await self._send_all(begun)
        await self._end(sent)
        return sum(map(len, sent.lines))

    async def _turn(self, sent: Sent | None, served: Sequence[UUID]) -> Round | None:
        """Settle a round and begin the next, in one transaction; `served` are the endpoints that are to wait."""
        async with transaction(self._sessions) as session:
            if sent is not None:
                await settle(await driver(session), sent)
            return await self._begin(session, served)

    async def _end(self, sent: Sent) -> None:
        async with transaction(self._sessions) as session:
            await settle(await driver(session), sent)

    async def _begin(self, session: AsyncSession, served: Sequence[UUID]) -> Round | None:
        connection = await driver(session)
        lease = uuid4()
        endpoint = await connection.fetchrow(_LEASE, lease, timedelta(seconds=LEASE_SECONDS), served)
        if endpoint is None:
            return None
        signer = await self._keyring.signer(session, endpoint["kids"])
        due = [Due(*row) for row in await connection.fetch(_DUE, endpoint["id"], OF_A_LINE_AT_ONCE, AT_ONCE)]
        lines = [list(line) for _, line in groupby(due, lambda notice: notice.subject)]
        return Round(endpoint["id"], lease, endpoint["url"], signer, lines)

    async def _send_all(self, begun: Round) -> Sent:
        # The lease must outlive the sending: what is not begun in half of it is left for the next round.
        until = time.monotonic() + LEASE_SECONDS / 2
        waiting = iter(begun.lines)

        async def work() -> list[list[Result]]:
            return [await self._send_line(begun, line, until) for line in waiting]

        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work()) for _ in range(min(self._concurrent, len(begun.lines)))]
        return Sent(begun.endpoint_id, begun.lease, [line for task in tasks for line in task.result() if line])

    async def _send_line(self, begun: Round, line: Sequence[Due], until: float) -> list[Result]:
        """Send notices one after the other, up to the first that is to be tried again."""
        results: list[Result] = []
        for notice in line:
            if time.monotonic() >= until:
                break
            results.append(await self._send(begun, notice))
            if results[-1].pause is not None:
                break
        return results

    async def _send(self, begun: Round, notice: Due) -> Result:
        started = time.perf_counter()
        timestamp = int(utc_now().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": str(notice.id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": begun.signer.signature(notice.id, timestamp, notice.body),
        }
        try:
            async with (
                asyncio.timeout(LEASE_SECONDS / 2),
                self._client.post(begun.url, data=notice.body, headers=headers, allow_redirects=False) as response,
            ):
                said = await _beginning(response)
        except (aiohttp.ClientError, OSError) as error:
            said = _storable(f"{type(error).__name__}: {error}".encode("utf-8", "replace")[:TOLD_BYTES])
            return Result(notice, "pending", None, said, _since(started), pause_after(notice.attempts))
        return judge(notice, response, said, _since(started))


async def settle(connection: Connection, sent: Sent) -> None:
    """Write down what came of a round and let the endpoint go, unless somebody else has it by now."""
    results = [result for line in sent.lines for result in line]
    gone = any(result.gone for result in results)
    if await connection.fetchval(_RELEASE, sent.endpoint_id, sent.lease, gone) is None:
        log.warning("lease_lost", endpoint=str(sent.endpoint_id))
        return
    ids = [result.notice.id for result in results]
    await connection.execute(
        _LOG, ids, [r.status for r in results], [r.error for r in results], [r.milliseconds for r in results]
    )
    await connection.execute(_SETTLE, ids, [r.state for r in results])
    await _advance(connection, sent)
    if gone:
        log.error("endpoint_disabled", endpoint=str(sent.endpoint_id))
    for result in results:
        if result.state == "parked":
            log.error("notice_parked", delivery=str(result.notice.id), status=result.status, seq=result.notice.seq)


async def _advance(connection: Connection, sent: Sent) -> None:
    await connection.execute(
        _ADVANCE,
        sent.endpoint_id,
        [line[0].notice.subject for line in sent.lines],
        [line[0].notice.seq for line in sent.lines],
        [line[-1].notice.seq for line in sent.lines],
        [line[-1].pause for line in sent.lines],
    )


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """Return the first words of an answer; the rest is not read, however long it is."""
    said = b""
    while len(said) < TOLD_BYTES and not response.content.at_eof():
        said += await response.content.read(TOLD_BYTES - len(said))
    return _storable(said)


def _storable(said: bytes) -> str:
    return said.decode("utf-8", "replace").replace("\x00", "\ufffd")


def judge(notice: Due, response: aiohttp.ClientResponse, said: str, milliseconds: int) -> Result:
    """Return what an answer means: received, try again, refused for good, or the endpoint is gone (410)."""
    status = response.status
    if 200 <= status < 300:
        return Result(notice, "delivered", status, None, milliseconds, None)
    if status == 410:
        return Result(notice, "pending", status, "gone", milliseconds, 0.0, gone=True)
    if status >= 500 or status in _RETRIED:
        pause = max(pause_after(notice.attempts), retry_after(response.headers.get("retry-after", "")))
        return Result(notice, "pending", status, said, milliseconds, pause)
    return Result(notice, "parked", status, said, milliseconds, None)


def pause_after(attempts: int) -> float:
    """Return the seconds to wait after a failed attempt, spread so that senders do not come all at once."""
    pause = PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS) - 1)]
    return pause * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - a spread, not a secret


def retry_after(stated: str) -> float:
    """Return the seconds a receiver asks for (RFC 9110, 10.2.3), at most a day; 0 where it does not."""
    try:
        if stated.isdecimal():
            return float(min(int(stated), 86_400))
        at = parsedate_to_datetime(stated)
    except (ValueError, OverflowError):
        return 0.0
    aware = at if at.tzinfo is not None else at.replace(tzinfo=UTC)
    return min(max((aware - datetime.now(UTC)).total_seconds(), 0.0), 86_400.0)


def _since(started: float) -> int:
    return int((time.perf_counter() - started) * 1_000)
