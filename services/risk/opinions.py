"""Who reviewed whose goods and when, and what the reviews of weeks say of each shop, as rules may name it."""

from collections.abc import Sequence
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import co_reviews
from services.risk.boosting import Floats
from services.risk.ledgers import Ledger
from services.risk.repeats import divergence
from services.risk.rings import numbered
from shared.events.listings import ReviewRecorded

# Of one platform; a text that is too short to be copied has no hash.
OPINIONS: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.Binary,
    "review_ref": pl.String,
    "reviewer": pl.String,
    "rating": pl.Int8,
    "text_hash": pl.String,
    "posted_at": pl.Datetime("us", "UTC"),
}
LEDGER = Ledger("opinions", pl.Schema({"platform_id": pl.String, **OPINIONS}))
_SHORTEST_TEXT = 8
_COPIES = 3
_AT_ONE_SHOP = 0.5
_MOST_EVIDENCE = 20


class Reputation(NamedTuple):
    """A shop with the features of its reviews, the first of them in the window, and those that speak most."""

    account_id: UUID
    features: dict[str, Any]
    first: float
    evidence: list[str]


async def record(session: AsyncSession, events: Sequence[ReviewRecorded]) -> None:
    """Keep the reviews of a batch whose operator is known."""
    await LEDGER.keep(session, [_row(event) for event in events if event.account_id is not None])


def _row(event: ReviewRecorded) -> tuple[Any, ...]:
    assert event.account_id is not None, "the others are left out"
    text = event.text_hash if event.text_length >= _SHORTEST_TEXT else None
    reviewer, account = event.buyer_ref, event.account_id.bytes
    return event.platform_id, account, event.review_ref, reviewer, event.rating, text, event.occurred_at


def judge(opinions: pl.DataFrame) -> list[Reputation]:
    """Judge the shops of one platform by their reviews in a window; OPINIONS says what is in a row."""
    known = opinions.sort("account_id", "posted_at", "review_ref")
    if not known.height:
        return []
    judged = known.with_columns(_signals(known)).with_columns(five=(pl.col("rating") == 5).cast(pl.Float64))
    praise = judged["five"].mean()
    assert isinstance(praise, float), "there is a review"
    shops = judged.group_by("account_id", maintain_order=True).agg(
        pl.len().alias("reviews"),
        pl.n_unique("reviewer").alias("reviewers"),
        pl.mean("five").alias("five_star_share"),
        pl.max("burst").alias("burst_improbability"),
        pl.col("near").get(pl.col("burst").arg_max()).cast(pl.Int64).alias("burst_reviews"),
        pl.mean("copied").alias("copied_share"),
        pl.sum("companion").cast(pl.Int64).alias("companions"),
        pl.mean("companion").alias("companion_share"),
        (pl.min("posted_at").dt.epoch("us") / 1e6).alias("first"),
        pl.col("review_ref").sort_by(_strength(), descending=True).head(_MOST_EVIDENCE).alias("evidence"),
    )
    shops = shops.with_columns(
        praise_improbability=pl.Series(_above(shops["five_star_share"], shops["reviews"], praise))
    )
    return [
        Reputation(UUID(bytes=row.pop("account_id")), row, row.pop("first"), row.pop("evidence"))
        for row in shops.iter_rows(named=True)
    ]


def _signals(known: pl.DataFrame) -> list[pl.Series]:
    """Return of each review: how crowded its time is, whether its text is a copy, whether its writer has companions."""
    shop = numbered(known["account_id"])
    time = known["posted_at"].dt.epoch("us").to_numpy() / 1e6
    near, expected = co_reviews.crowding(shop, time)
    burst = co_reviews.surprise(near, expected) / np.log(10)
    # A text that people write everywhere is no copy; one that mostly stands at one shop is.
    here, anywhere = pl.len().over("account_id", "text_hash"), pl.len().over("text_hash")
    copied = (here >= _COPIES) & (here >= _AT_ONE_SHOP * anywhere) & pl.col("text_hash").is_not_null()
    copies = known.select(copied).to_series()
    named = known["reviewer"].is_not_null().to_numpy()
    companions = np.zeros(known.height, np.bool_)
    if named.any():
        reviewer = numbered(known["reviewer"].filter(pl.Series(named)))
        companions[named] = co_reviews.lockstep(reviewer, shop[named], time[named]).partners > 0
    return [
        pl.Series("near", near + 1),
        pl.Series("burst", burst),
        copies.cast(pl.Float64).alias("copied"),
        pl.Series("companion", companions.astype(np.float64)),
    ]


def _strength() -> pl.Expr:
    return pl.col("burst") + 10 * pl.col("copied") + 10 * pl.col("companion")


def _above(share: pl.Series, reviews: pl.Series, usual: float) -> Floats:
    """Return the power of ten of how improbable such a share of praise is, by Chernoff's bound."""
    own, count = share.to_numpy(), reviews.to_numpy()
    usual = min(max(usual, 1e-6), 1 - 1e-6)
    above = np.where(own > usual, count * divergence(own, np.full(len(own), usual)), 0.0)
    return np.asarray(above / np.log(10))
