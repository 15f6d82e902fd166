"""Features as they were when rules looked at them, a micro-batch a row: the history that a new rule is tried on."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.catalogue import STREAMS
from shared.database import driver
from shared.identifiers import new_id

KEPT_DAYS = 60
# Of a stream with many more rows than there are transactions one subject in so many is kept, with all its rows.
ONE_IN = {"activity": 8}
_ID_BYTES = 16
_BITS_OF_SLOTS = 8

_STORE = "INSERT INTO feature_batches (id, stream, rows, subjects, content) VALUES ($1, $2, $3, $4, $5)"
_LOAD = """
    SELECT subjects, content FROM feature_batches
    WHERE stream = $1 AND kept_at >= $2 AND kept_at < $3 ORDER BY kept_at, id
"""
# The newest batches that have no more rows together than so many.
_NEWEST = """
    SELECT content FROM feature_batches JOIN (
        SELECT id, sum(rows) OVER (ORDER BY kept_at DESC, id DESC) AS together FROM feature_batches WHERE stream = $1
    ) b USING (id) WHERE together <= $2 ORDER BY kept_at, id
"""
# One look into the index for each: a stream of orders has hundreds of thousands of batches a day.
_KEPT_SINCE = """
    SELECT stream FROM unnest($1::text[]) AS x (stream)
    WHERE EXISTS (SELECT FROM feature_batches b WHERE b.stream = x.stream AND b.kept_at >= $2)
"""
_DROP = "DELETE FROM feature_batches WHERE kept_at < $1"


async def kept_since(session: AsyncSession, streams: Sequence[str], moment: datetime) -> frozenset[str]:
    """Return those of some streams that anything was kept of since a moment."""
    rows = await (await driver(session)).fetch(_KEPT_SINCE, list(streams), moment)
    return frozenset(row["stream"] for row in rows)


def is_kept(stream: str, number: int) -> bool:
    """Tell whether the features of a subject are kept, by a number that is spread evenly."""
    return (number >> _BITS_OF_SLOTS) % ONE_IN.get(stream, 1) == 0


async def keep(session: AsyncSession, stream: str, frame: pl.DataFrame, about: Sequence[UUID]) -> None:
    """Keep the features of a batch, and what each row is about, as `alerts.Subject.kept_as` has it."""
    subjects = b"".join([subject.bytes for subject in about])
    content = BytesIO()
    # On the path of every event: zstd takes a third less room and half as long again.
    frame.write_ipc(content, compression="lz4")
    await (await driver(session)).execute(_STORE, new_id(), stream, frame.height, subjects, content.getvalue())


async def kept_between(session: AsyncSession, stream: str, since: datetime, until: datetime) -> Iterator[pl.DataFrame]:
    """Return the batches kept in a span of time, in their order."""
    rows = await (await driver(session)).fetch(_LOAD, stream, since, until)
    return (_with_subjects(stream, row["content"], row["subjects"]) for row in rows)


async def newest(session: AsyncSession, stream: str, most: int, columns: Sequence[str]) -> pl.DataFrame:
    """Return some features of the newest rows kept, whole batches of them and the oldest first."""
    rows = await (await driver(session)).fetch(_NEWEST, stream, most)
    empty = pl.DataFrame(schema={name: STREAMS[stream][name].kind for name in columns})
    return pl.concat([empty, *(pl.read_ipc(row["content"], columns=list(columns)) for row in rows)])


def _with_subjects(stream: str, content: bytes, subjects: bytes) -> pl.DataFrame:
    """Return a batch as it was kept; features that came later are unknown in it."""
    each = [subjects[at : at + _ID_BYTES] for at in range(0, len(subjects), _ID_BYTES)]
    kept = pl.read_ipc(content)
    later = [pl.lit(None, f.kind).alias(name) for name, f in STREAMS[stream].items() if name not in kept.columns]
    return kept.with_columns(pl.Series("subject", each, pl.Binary), *later)


async def forget_before(session: AsyncSession, now: datetime) -> None:
    """Delete what has been kept for long enough."""
    await (await driver(session)).execute(_DROP, now - timedelta(days=KEPT_DAYS))
