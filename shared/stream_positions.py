"""Positions of consumers in partitions, kept beside the effects of what was read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from aiokafka import TopicPartition
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import driver


class Position(NamedTuple):
    """The next offset to read, and the last outbox sequence applied."""

    next: int
    last_sequence: str


@dataclass
class Progress:
    """How a batch moves one partition: from the stored position to the next one."""

    before: Position
    after: Position
    last_sequence: str = ""
    positions: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.last_sequence = self.before.last_sequence


_READ = """
    INSERT INTO stream_offsets (consumer, topic, partition, cluster_id)
    SELECT $1, t, p, $2 FROM unnest($3::text[], $4::int[]) AS x (t, p)
    ON CONFLICT (consumer, topic, partition) DO UPDATE SET
        next = CASE WHEN stream_offsets.cluster_id = $2 THEN stream_offsets.next ELSE 0 END,
        cluster_id = $2
    RETURNING topic, partition, next, last_sequence
"""
_ADVANCE = """
    WITH remembered AS (
        INSERT INTO applied_batches (consumer, topic, partition, positions)
        SELECT $1, t, p, b FROM unnest($2::text[], $3::int[], $10::bytea[]) AS r (t, p, b) WHERE b <> ''
    )
    UPDATE stream_offsets s SET
        next = x.after, last_sequence = x.sequence, applied = s.applied + x.applied,
        batches = s.batches + 1, seconds = s.seconds + $8, moved_at = clock_timestamp()
    FROM unnest($2::text[], $3::int[], $4::bigint[], $5::bigint[], $6::text[], $7::bigint[])
        AS x (topic, partition, before, after, sequence, applied)
    WHERE s.consumer = $1 AND s.topic = x.topic AND s.partition = x.partition
        AND s.next = x.before AND s.cluster_id = $9
"""


async def read(
    session: AsyncSession, consumer: str, cluster_id: str, places: Iterable[tuple[str, int]]
) -> dict[tuple[str, int], Position]:
    """Return the position of each (topic, partition); zero for a new one and on a cluster never seen."""
    wanted = sorted(places)
    rows = await (await driver(session)).fetch(
        _READ, consumer, cluster_id, [t for t, _ in wanted], [p for _, p in wanted]
    )
    return {(r["topic"], r["partition"]): Position(r["next"], r["last_sequence"]) for r in rows}


async def advance(
    session: AsyncSession,
    consumer: str,
    cluster_id: str,
    progress: Mapping[TopicPartition, Progress],
    seconds: float,
) -> int:
    """Move positions on from where this consumer left them, and remember what was applied.

    Returns how many moved: fewer than asked for means that another owner has moved them.
    """
    items = sorted(progress.items())
    status = await (await driver(session)).execute(
        _ADVANCE,
        consumer,
        [place.topic for place, _ in items],
        [place.partition for place, _ in items],
        [p.before.next for _, p in items],
        [p.after.next for _, p in items],
        [p.after.last_sequence for _, p in items],
        [len(p.positions) for _, p in items],
        seconds,
        cluster_id,
        [np.array(p.positions, dtype="<i8").tobytes() for _, p in items],
    )
    return int(status.rsplit(" ", 1)[1])
