"""Which operator sold to whom and when."""

from collections.abc import Sequence
from typing import Any

import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.ledgers import Ledger
from services.risk.shops import SALES
from shared.events.listings import TransactionEvent

LEDGER = Ledger("sales", pl.Schema({"platform_id": pl.String, **SALES}))


async def record(session: AsyncSession, events: Sequence[TransactionEvent]) -> None:
    """Keep the orders of a batch whose operator and time are known."""
    await LEDGER.keep(session, [row for event in events if (row := _row(event)) is not None])


def _row(event: TransactionEvent) -> tuple[Any, ...] | None:
    if event.trade is None or event.placed_at is None:
        return None
    account = event.trade.account_id.bytes
    references = (event.order_ref, event.buyer_ref, event.device_ref, event.address_ref)
    return event.platform_id, account, *references, event.placed_at
