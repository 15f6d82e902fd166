"""Features as they were when rules looked at them, a micro-batch a row: the history that a new rule is tried on."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import NamedTuple
from uuid import UUID

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import driver
from shared.identifiers import new_id

KEPT_DAYS = 60

_STORE = "INSERT INTO feature_batches (id, stream, rows, content) VALUES ($1, $2, $3, $4)"
_LOAD = """
    SELECT content FROM feature_batches WHERE stream = $1 AND kept_at >= $2 AND kept_at < $3 ORDER BY kept_at, id
"""
_DROP = "DELETE FROM feature_batches WHERE kept_at < $1"


class About(NamedTuple):
    """What a row of features is about: a transaction or an account, and when."""

    subject: UUID | None
    at: datetime


async def keep(session: AsyncSession, stream: str, frame: pl.DataFrame, about: Sequence[About]) -> None:
    """Keep the features of a batch, and what each row is about."""
    subjects = pl.Series("subject", [one.subject.bytes if one.subject else None for one in about], pl.Binary)
    moments = pl.Series("at", [one.at for one in about], pl.Datetime("us", "UTC"))
    content = BytesIO()
    frame.with_columns(subjects, moments).write_ipc(content, compression="zstd")
    await (await driver(session)).execute(_STORE, new_id(), stream, frame.height, content.getvalue())


async def kept_between(session: AsyncSession, stream: str, since: datetime, until: datetime) -> Iterator[pl.DataFrame]:
    """Return the batches kept in a span of time, in their order."""
    rows = await (await driver(session)).fetch(_LOAD, stream, since, until)
    return (pl.read_ipc(row["content"]) for row in rows)


async def forget_before(session: AsyncSession, now: datetime) -> None:
    """Delete what has been kept for long enough."""
    await (await driver(session)).execute(_DROP, now - timedelta(days=KEPT_DAYS))
