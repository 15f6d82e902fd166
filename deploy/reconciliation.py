"""Reconciliation: for every topic and consumer, the ids accepted, published and applied, from the databases."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
import msgspec
import numpy as np
from msgspec import Struct

from deploy.databases import ServiceUrls, plain
from shared.events.base import Envelope
from shared.messaging import IDS_PER_ROW, unpack
from shared.topics import SUBSCRIPTIONS

_NAMED = 20
_OUTBOX = "SELECT id, count FROM outbox WHERE topic = $1 ORDER BY id"
_UNSENT = """
    SELECT coalesce(sum(o.count), 0) FROM outbox o LEFT JOIN relay_cursors c ON true
    WHERE o.topic = $1 AND (c.id IS NULL OR (o.xid, o.id) > (c.xid, c.id))
"""
_APPLIED = "SELECT positions FROM applied_batches WHERE consumer = $1 AND topic = $2"
# Accepted ids against the bytes stored for them: a batch that has more of one than of the other.
_ACCEPTED = """
    SELECT coalesce(a.outbox_id, o.id) AS id, coalesce(a.n, 0) AS ids, coalesce(o.count, 0) AS stored
    FROM (SELECT outbox_id, count(*) AS n FROM accepted_events GROUP BY outbox_id) a
    FULL JOIN (SELECT id, count FROM outbox WHERE topic = $1) o ON o.id = a.outbox_id
    WHERE a.n IS DISTINCT FROM o.count
"""

_envelope = msgspec.json.Decoder(Envelope).decode
Ids = np.ndarray[tuple[int], np.dtype[np.int64]]


class Row(Struct, frozen=True, kw_only=True):
    """One consumer of one topic: events in the outbox, unsent, applied; what is missing and what came twice."""

    topic: str
    consumer: str
    published: int
    unsent: int
    applied: int
    lost: int
    doubled: int
    named: list[str]


async def reconcile(urls: Mapping[str, ServiceUrls]) -> list[Row]:
    """Compare every outbox with everyone who reads it. In flight counts as lost: ask when all is quiet."""
    return [row for rows in await asyncio.gather(*(_of_service(s, urls) for s in urls)) for row in rows]


async def _of_service(service: str, urls: Mapping[str, ServiceUrls]) -> list[Row]:
    source = await asyncpg.connect(plain(urls[service].app))
    try:
        await source.execute("SELECT set_config('crosswatch.platform', '*', false)")
        readers = [(topic, consumer) for consumer, topics in SUBSCRIPTIONS.items() for topic in topics]
        rows = [
            await _compare(source, topic, consumer, urls[consumer])
            for topic, consumer in readers
            if topic.partition(".")[0] == service and consumer in urls
        ]
        if f"{service}.accepted" in SUBSCRIPTIONS.get(service, ()):
            rows.append(await _accepted(source, f"{service}.accepted"))
    finally:
        await source.close()
    return rows


async def _compare(source: Any, topic: str, consumer: str, reader: ServiceUrls) -> Row:  # asyncpg's connection
    target = await asyncpg.connect(plain(reader.app))
    try:
        batches = [row["positions"] for row in await target.fetch(_APPLIED, consumer, topic)]
    finally:
        await target.close()
    expected = _expected(await source.fetch(_OUTBOX, topic))
    applied = np.frombuffer(b"".join(batches), dtype="<i8")
    distinct, times = np.unique(applied, return_counts=True)
    lost = np.setdiff1d(expected, distinct, assume_unique=True)
    extra = np.concatenate([distinct[times > 1], np.setdiff1d(distinct, expected, assume_unique=True)])
    return Row(
        topic=topic,
        consumer=consumer,
        published=len(expected),
        unsent=int(await source.fetchval(_UNSENT, topic)),
        applied=len(applied),
        lost=len(lost),
        doubled=len(extra),
        named=await _names(source, np.concatenate([lost[:_NAMED], extra[:_NAMED]])),
    )


def _expected(rows: Sequence[Any]) -> Ids:
    if not rows:
        return np.empty(0, dtype=np.int64)
    counts = np.array([row["count"] for row in rows], dtype=np.int64)
    starts = np.repeat(np.array([row["id"] for row in rows], dtype=np.int64) * IDS_PER_ROW, counts)
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    expected: Ids = starts + within
    return expected


async def _names(source: Any, positions: Ids) -> list[str]:
    """Return the event ids behind outbox positions."""
    names = []
    for position in map(int, positions):
        row, index = divmod(position, IDS_PER_ROW)
        body = await source.fetchval("SELECT body FROM outbox WHERE id = $1", row)
        messages = unpack(body) if body is not None else []
        names.append(_envelope(messages[index].value).id if index < len(messages) else f"position {position}")
    return names


async def _accepted(source: Any, topic: str) -> Row:
    rows = await source.fetch(_ACCEPTED, topic)
    return Row(
        topic=topic,
        consumer="outbox",
        published=int(await source.fetchval("SELECT count(*) FROM accepted_events")),
        unsent=0,
        applied=int(await source.fetchval("SELECT coalesce(sum(count), 0) FROM outbox WHERE topic = $1", topic)),
        lost=sum(max(row["ids"] - row["stored"], 0) for row in rows),
        doubled=sum(max(row["stored"] - row["ids"], 0) for row in rows),
        named=[f"batch {row['id']}" for row in rows[:_NAMED]],
    )
