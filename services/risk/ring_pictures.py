"""Pictures of rings: their members with the orders between them, as stored sales have them."""

import asyncio
from collections import Counter
from datetime import timedelta
from uuid import UUID

import polars as pl
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import questions, sales
from services.risk.models import Operator, Ring
from services.risk.patrol import WINDOW_DAYS
from services.risk.ring_drawing import Caption, Web, picture


async def ring_picture(session: AsyncSession, identifier: UUID) -> bytes:
    """Return a ring as SVG, with the orders of the thirty days before it was last seen. Raises RingNotFound."""
    ring = await questions.ring(session, identifier)
    orders: Counter[tuple[str, str]] = Counter()
    since = ring.seen_at - timedelta(days=WINDOW_DAYS)
    async for batch in sales.LEDGER.batches(session, since=since, until=ring.seen_at):
        orders.update(await asyncio.to_thread(_between, batch, ring))
    web = Web([str(account) for account in ring.accounts], ring.buyers, orders)
    caption = Caption(*_captions(ring, orders.total()), await _labels(session, ring))
    return await asyncio.to_thread(picture, web, caption)


def _between(batch: pl.DataFrame, ring: Ring) -> dict[tuple[str, str], int]:
    """Return how many orders of a batch are between members of a ring, by shop and buyer."""
    accounts = pl.Series([account.bytes for account in ring.accounts], dtype=pl.Binary)
    inside = (
        (pl.col("platform_id") == ring.platform_id)
        & pl.col("account_id").is_in(accounts.implode())
        & pl.col("buyer_ref").is_in(pl.Series(ring.buyers, dtype=pl.String).implode())
    )
    counted = batch.filter(inside).group_by("account_id", "buyer_ref").len()
    return {(str(UUID(bytes=account)), buyer): count for account, buyer, count in counted.iter_rows()}


def _captions(ring: Ring, orders: int) -> tuple[str, str]:
    title = f"Ring of {len(ring.buyers):,} buyers and {len(ring.accounts):,} shops of {ring.platform_id}"
    kept = f"{orders:,} orders between them" if orders else "No orders between them are kept"
    chance = f"chance of so many: 10^{round(ring.chance_log10)}"
    return title, f"{kept} in the {WINDOW_DAYS} days to {ring.seen_at:%Y-%m-%d}; {chance}."


async def _labels(session: AsyncSession, ring: Ring) -> dict[str, str]:
    """Return what platforms call the shops, as far as identity told."""
    named = select(Operator.account_id, Operator.operator_ref).where(Operator.account_id.in_(ring.accounts))
    return {str(account): ref for account, ref in (await session.execute(named)).all()}
