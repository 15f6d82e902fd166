"""What is looked at as a whole, weeks of it: kept a micro-batch a row, as columns, in the batch's own transaction."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from shared.clock import utc_now
from shared.database import driver
from shared.identifiers import new_id

# What is said to be of the future must not push all else out of the window; clocks may differ by so much.
CLOCKS_DIFFER = timedelta(hours=1)
_PREFETCH = 20


class Ledger(NamedTuple):
    """A table of batches, and the columns of what is in one; the first is the platform, the last the time."""

    table: str
    columns: pl.Schema

    async def keep(self, session: AsyncSession, rows: Sequence[tuple[Any, ...]]) -> None:
        """Keep the rows of a batch as one."""
        latest = utc_now() + CLOCKS_DIFFER
        rows = [row for row in rows if row[-1] <= latest]
        if not rows:
            return
        # Columns are read in a third of the time that rows are.
        content = BytesIO()
        frame = pl.DataFrame([list(column) for column in zip(*rows, strict=True)], schema=self.columns)
        frame.write_ipc(content, compression="zstd")
        times = [row[-1] for row in rows]
        statement = f"INSERT INTO {self.table} (id, first_at, last_at, rows, content) VALUES ($1, $2, $3, $4, $5)"  # noqa: S608 - our own name
        await (await driver(session)).execute(
            statement, new_id(), min(times), max(times), len(rows), content.getvalue()
        )

    async def newest(self, session: AsyncSession) -> datetime | None:
        """Return the time of the newest row."""
        newest: datetime | None = await (await driver(session)).fetchval(f"SELECT max(last_at) FROM {self.table}")  # noqa: S608
        return newest

    async def window(self, session: AsyncSession, *, until: datetime, days: int) -> pl.DataFrame:
        """Return the rows of the days before a moment, of every platform, in no order."""
        start = until - timedelta(days=days)
        statement = f"SELECT content FROM {self.table} WHERE last_at > $1 ORDER BY id"  # noqa: S608
        batches = await (await driver(session)).fetch(statement, start)
        frames = [pl.DataFrame(schema=self.columns), *(pl.read_ipc(batch["content"]) for batch in batches)]
        at = pl.col(list(self.columns)[-1])
        # What an older release kept lacks the columns that came since.
        return pl.concat(frames, how="diagonal").filter(at > start)

    async def batches(self, session: AsyncSession, *, since: datetime, until: datetime) -> AsyncIterator[pl.DataFrame]:
        """Yield the rows of a span of time a batch at a time, for who looks for few of them."""
        at = pl.col(list(self.columns)[-1])
        statement = f"SELECT content FROM {self.table} WHERE last_at > $1 AND first_at <= $2 ORDER BY id"  # noqa: S608
        async for batch in (await driver(session)).cursor(statement, since, until, prefetch=_PREFETCH):
            yield pl.read_ipc(batch["content"]).filter(at > since, at <= until)

    async def forget_before(self, session: AsyncSession, moment: datetime) -> None:
        """Delete batches that end before a moment."""
        await (await driver(session)).execute(f"DELETE FROM {self.table} WHERE last_at < $1", moment)  # noqa: S608
