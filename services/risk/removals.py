"""Reviews that platforms took down: praise they found fabricated themselves, and bad reviews that vanish."""

from collections.abc import Sequence

import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.boosting import Floats
from services.risk.ledgers import Ledger
from services.risk.repeats import divergence
from shared.clock import utc_now
from shared.events.listings import ReviewRemoved

# Of one platform.
REMOVALS: dict[str, pl.DataType | type[pl.DataType]] = {
    "review_id": pl.Binary,
    "account_id": pl.Binary,
    "review_ref": pl.String,
    "rating": pl.Int8,
    "posted_at": pl.Datetime("us", "UTC"),
    "removed_at": pl.Datetime("us", "UTC"),
}
LEDGER = Ledger("review_removals", pl.Schema({"platform_id": pl.String, **REMOVALS}))
NONE = pl.DataFrame(schema=REMOVALS)
LOW, PRAISE = 2, 5
_MOST_EVIDENCE = 20


async def record(session: AsyncSession, events: Sequence[ReviewRemoved]) -> None:
    """Keep the removals of a batch whose operator is known; one that is said to be of the future is of today."""
    now = utc_now()
    await LEDGER.keep(
        session,
        [
            (
                event.platform_id,
                event.review_id.bytes,
                event.account_id.bytes,
                event.review_ref,
                event.rating,
                event.posted_at,
                min(event.occurred_at, now),
            )
            for event in events
            if event.account_id is not None
        ],
    )


def of_shops(removals: pl.DataFrame, low_share: float) -> pl.DataFrame:
    """Return what the removals of a window say of each shop.

    Bad reviews are expected among the removed as often as among those that the platform removes at other shops, or as
    often as among all it has (`low_share`), whichever is more: only a shop for which it does otherwise stands out.
    """
    shops = _counted(removals)
    low, count = shops["removed_low"].to_numpy(), shops["removed"].to_numpy()
    elsewhere = (low.sum() - low) / np.maximum(count.sum() - count, 1)
    return _judged(shops, np.maximum(elsewhere, low_share))


def of_platform(removals: pl.DataFrame, low_share: float) -> pl.DataFrame:
    """Return what they say of the platform itself, in one row: as many bad ones are expected as it has."""
    whole = _counted(removals.with_columns(account_id=pl.lit(None, pl.Binary)))
    return _judged(whole, np.full(whole.height, low_share))


def _counted(removals: pl.DataFrame) -> pl.DataFrame:
    low = pl.col("rating") <= LOW
    once = removals.unique("review_id").sort("removed_at", "review_ref")
    return once.group_by("account_id", maintain_order=True).agg(
        removed=pl.len().cast(pl.Int64),
        removed_low=low.sum().cast(pl.Int64),
        removed_praise=(pl.col("rating") >= PRAISE).sum().cast(pl.Int64),
        first_removal=pl.min("removed_at").dt.epoch("us") / 1e6,
        gone=pl.col("review_ref").sort_by("rating", "review_ref").head(_MOST_EVIDENCE),
    )


def _judged(counted: pl.DataFrame, expected: Floats) -> pl.DataFrame:
    low, count = counted["removed_low"].to_numpy(), counted["removed"].to_numpy()
    share = low / np.maximum(count, 1)
    return counted.with_columns(
        removed_low_share=pl.Series(share), low_removal_improbability=pl.Series(improbable(share, count, expected))
    )


def improbable(own: Floats, count: Floats, usual: Floats) -> Floats:
    """Return the power of ten of how improbable shares above the usual ones are, by Chernoff's bound."""
    usual = np.clip(usual, 1e-6, 1 - 1e-6)
    above = np.where(own > usual, count * divergence(own, usual), 0.0)
    return np.asarray(above / np.log(10))
