"""Sending: the head of each line of a leased endpoint, until it is received or refused for good."""

import asyncio
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import structlog

from services.gateway.signing import Signer, Wrapping, load_signer
from shared.clock import utc_now, wait
from shared.database import Sessions, driver, is_connection_error, transaction

log = structlog.get_logger(__name__)

# Standard Webhooks 1.0.0, "Deliverability and reliability": the pauses before each next attempt.
PAUSES_SECONDS = (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)
SPREAD = 0.2
# A sender that was killed holds its endpoint for so long; half of it and one timeout must fit in.
LEASE_SECONDS = 30
HEADS_AT_ONCE = 200
POLL_SECONDS = 0.1
TOLD_BYTES = 500
_RETRIED = frozenset({408, 425, 429})

_LEASE = """
    UPDATE endpoints SET lease = $1, leased_until = clock_timestamp() + $2::interval WHERE id = (
        SELECT e.id FROM endpoints e WHERE e.state = 'active'
            AND (e.leased_until IS NULL OR e.leased_until < clock_timestamp())
            AND EXISTS (SELECT 1 FROM lines l WHERE l.endpoint_id = e.id
                AND l.head_seq <= l.last_seq AND l.due_at <= clock_timestamp())
        ORDER BY e.leased_until NULLS FIRST LIMIT 1 FOR UPDATE SKIP LOCKED)
    RETURNING id, url, department
"""
_HEADS = """
    SELECT d.id, d.subject, d.seq, d.body, d.attempts FROM lines l
    JOIN deliveries d ON d.endpoint_id = l.endpoint_id AND d.subject = l.subject AND d.seq = l.head_seq
    WHERE l.endpoint_id = $1 AND l.head_seq <= l.last_seq AND l.due_at <= clock_timestamp()
    ORDER BY l.due_at LIMIT $2
"""
_FENCE = "SELECT 1 FROM endpoints WHERE id = $1 AND lease = $2 FOR UPDATE"
_LOG = """
    INSERT INTO attempts (delivery_id, status, error, milliseconds)
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::text[], $4::int[])
"""
_SETTLE = """
    UPDATE deliveries d SET state = x.state, attempts = d.attempts + 1,
        delivered_at = CASE WHEN x.state = 'delivered' THEN clock_timestamp() END
    FROM unnest($1::uuid[], $2::text[]) AS x (id, state) WHERE d.id = x.id
"""
_ADVANCE = """
    UPDATE lines l SET head_seq = CASE WHEN x.pause IS NULL THEN l.head_seq + 1 ELSE l.head_seq END,
        due_at = clock_timestamp() + coalesce(x.pause, 0) * interval '1 second'
    FROM unnest($2::uuid[], $3::bigint[], $4::float8[]) AS x (subject, seq, pause)
    WHERE l.endpoint_id = $1 AND l.subject = x.subject AND l.head_seq = x.seq
"""
_RELEASE = "UPDATE endpoints SET lease = NULL, leased_until = NULL WHERE id = $1 AND lease = $2"
_DISABLE = "UPDATE endpoints SET state = 'disabled' WHERE id = $1 AND lease = $2"


@dataclass(frozen=True)
class Head:
    """The first undelivered notice of a line."""

    id: UUID
    subject: UUID
    seq: int
    body: bytes
    attempts: int


@dataclass(frozen=True)
class Result:
    """What came of one attempt; `pause` is the seconds to the next one, None when the notice is settled."""

    head: Head
    state: str
    status: int | None
    error: str | None
    milliseconds: int
    pause: float | None
    gone: bool = False


class Sender:
    """Sends what is due, one leased endpoint at a time; several senders share the endpoints."""

    def __init__(self, sessions: Sessions, client: httpx.AsyncClient, wrapping: Wrapping, concurrent: int) -> None:
        self._sessions = sessions
        self._client = client
        self._wrapping = wrapping
        self._concurrent = concurrent

    async def run(self, stop: asyncio.Event) -> None:
        """Send until told to stop; a database that is away is waited for."""
        while not stop.is_set():
            try:
                # A round sends one notice of each line, so a long line needs the next round at once.
                if not await self.send_once():
                    await wait(stop, POLL_SECONDS)
            except Exception as error:
                if not is_connection_error(error):
                    raise
                log.warning("sender_waits", error=repr(error))
                await wait(stop, 0.5)

    async def send_once(self) -> int:
        """Lease an endpoint with something due, send the heads of its lines, settle them; return how many."""
        lease = uuid4()
        async with transaction(self._sessions) as session:
            connection = await driver(session)
            endpoint = await connection.fetchrow(_LEASE, lease, timedelta(seconds=LEASE_SECONDS))
            if endpoint is None:
                return 0
            heads = [Head(**row) for row in await connection.fetch(_HEADS, endpoint["id"], HEADS_AT_ONCE)]
            signer = await load_signer(session, self._wrapping)
        results = await self._send_all(endpoint["url"], heads, signer)
        await self._settle(endpoint["id"], lease, results)
        return len(results)

    async def _send_all(self, url: str, heads: Sequence[Head], signer: Signer) -> list[Result]:
        # The lease must outlive the sending: what is not begun in half of it is left for the next round.
        until = time.monotonic() + LEASE_SECONDS / 2
        places = asyncio.Semaphore(self._concurrent)

        async def send(head: Head) -> Result | None:
            async with places:
                return await self._send(url, head, signer) if time.monotonic() < until else None

        return [result for result in await asyncio.gather(*map(send, heads)) if result is not None]

    async def _send(self, url: str, head: Head, signer: Signer) -> Result:
        started = time.perf_counter()
        timestamp = int(utc_now().timestamp())
        headers = {
            "content-type": "application/json",
            "webhook-id": str(head.id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signer.signature(head.id, timestamp, head.body),
        }
        try:
            async with (
                asyncio.timeout(LEASE_SECONDS / 2),
                self._client.stream("POST", url, content=head.body, headers=headers) as response,
            ):
                said = await _beginning(response)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            return Result(head, "pending", None, repr(error)[:500], _since(started), pause_after(head.attempts))
        return judge(head, response, said, _since(started))

    async def _settle(self, endpoint_id: UUID, lease: UUID, results: Sequence[Result]) -> None:
        async with transaction(self._sessions) as session:
            connection = await driver(session)
            if await connection.fetchval(_FENCE, endpoint_id, lease) is None:
                log.warning("lease_lost", endpoint=str(endpoint_id))
                return
            await _write(connection, endpoint_id, results)
            if any(result.gone for result in results):
                log.error("endpoint_disabled", endpoint=str(endpoint_id))
                await connection.execute(_DISABLE, endpoint_id, lease)
            await connection.execute(_RELEASE, endpoint_id, lease)


async def _write(connection: Any, endpoint_id: UUID, results: Sequence[Result]) -> None:  # asyncpg's connection
    await connection.execute(
        _LOG,
        [r.head.id for r in results],
        [r.status for r in results],
        [r.error for r in results],
        [r.milliseconds for r in results],
    )
    await connection.execute(_SETTLE, [r.head.id for r in results], [r.state for r in results])
    await connection.execute(
        _ADVANCE,
        endpoint_id,
        [r.head.subject for r in results],
        [r.head.seq for r in results],
        [r.pause for r in results],
    )
    for result in results:
        if result.state == "parked":
            log.error("notice_parked", delivery=str(result.head.id), status=result.status, seq=result.head.seq)


async def _beginning(response: httpx.Response) -> str:
    """Return the first words of an answer as text that can be stored; the rest is not read, however long it is."""
    said = b""
    async for part in response.aiter_bytes():
        said += part
        if len(said) >= TOLD_BYTES:
            break
    return said[:TOLD_BYTES].decode("utf-8", "replace").replace("\x00", "\ufffd")


def judge(head: Head, response: httpx.Response, said: str, milliseconds: int) -> Result:
    """Return what an answer means: received, try again, refused for good, or the endpoint is gone (410)."""
    status = response.status_code
    if 200 <= status < 300:
        return Result(head, "delivered", status, None, milliseconds, None)
    if status == 410:
        return Result(head, "pending", status, "gone", milliseconds, 0.0, gone=True)
    if status >= 500 or status in _RETRIED:
        pause = max(pause_after(head.attempts), retry_after(response))
        return Result(head, "pending", status, said, milliseconds, pause)
    return Result(head, "parked", status, said, milliseconds, None)


def pause_after(attempts: int) -> float:
    """Return the seconds to wait after a failed attempt, spread so that senders do not come all at once."""
    pause = PAUSES_SECONDS[min(attempts, len(PAUSES_SECONDS) - 1)]
    return pause * random.uniform(1 - SPREAD, 1 + SPREAD)  # noqa: S311 - a spread, not a secret


def retry_after(response: httpx.Response) -> float:
    """Return the seconds a receiver asks for (RFC 9110, 10.2.3), at most a day; 0 where it does not."""
    stated = response.headers.get("retry-after", "")
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
