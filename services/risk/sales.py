"""Which operator sold to whom and when: the history that is looked at as a whole, kept a micro-batch a row."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from io import BytesIO
from typing import Any, NamedTuple

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.shops import SALES
from shared.clock import utc_now
from shared.database import driver
from shared.events.listings import TransactionEvent
from shared.identifiers import new_id

# An order of the future must not push all others out of the window; clocks may differ by so much.
_CLOCKS_DIFFER = timedelta(hours=1)
# What is kept of a batch; SALES of each platform are in it.
_KEPT = pl.Schema({"platform_id": pl.String, **SALES})

_STORE = """
    INSERT INTO sales (id, first_placed_at, last_placed_at, orders, content) VALUES ($1, $2, $3, $4, $5)
"""
_UNTIL = "SELECT max(last_placed_at) FROM sales"
_LOAD = "SELECT content FROM sales WHERE last_placed_at > $1 ORDER BY id"
_DROP = "DELETE FROM sales WHERE last_placed_at < $1"


class Window(NamedTuple):
    """The orders of some days until the newest one; SALES and the platform are in a row, in no order."""

    until: datetime
    orders: pl.DataFrame


async def record(session: AsyncSession, events: Sequence[TransactionEvent]) -> None:
    """Keep the orders of a batch whose operator and time are known, one row for all of them."""
    latest = utc_now() + _CLOCKS_DIFFER
    rows = [row for event in events if (row := _row(event, latest)) is not None]
    if not rows:
        return
    # Columns are read in a third of the time that rows are.
    frame = pl.DataFrame([list(column) for column in zip(*rows, strict=True)], schema=_KEPT)
    content = BytesIO()
    frame.write_ipc(content, compression="zstd")
    placed = [row[3] for row in rows]
    await (await driver(session)).execute(_STORE, new_id(), min(placed), max(placed), len(rows), content.getvalue())


async def window(session: AsyncSession, *, days: int) -> Window | None:
    """Return the newest days of every platform; None where nothing is kept."""
    connection = await driver(session)
    until: datetime | None = await connection.fetchval(_UNTIL)
    if until is None:
        return None
    start = until - timedelta(days=days)
    rows = await connection.fetch(_LOAD, start)
    frames = [pl.DataFrame(schema=_KEPT), *(pl.read_ipc(row["content"]) for row in rows)]
    return Window(until, pl.concat(frames).filter(pl.col("placed_at") > start))


async def forget_before(session: AsyncSession, moment: datetime) -> None:
    """Delete batches that end before a moment."""
    await (await driver(session)).execute(_DROP, moment)


def _row(event: TransactionEvent, latest: datetime) -> tuple[Any, ...] | None:
    if event.trade is None or event.placed_at is None or event.placed_at > latest:
        return None
    account = event.trade.account_id.bytes
    return (
        event.platform_id,
        account,
        event.order_ref,
        event.placed_at,
        event.buyer_ref,
        event.device_ref,
        event.address_ref,
    )
