"""Who reviewed whose goods and when, and what the reviews of weeks say of each shop, as rules may name it."""

from base64 import b64decode
from collections.abc import Collection, Sequence
from typing import Any, NamedTuple
from uuid import UUID

import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import co_reviews, removals
from services.risk.catalogue import REPUTATIONS
from services.risk.copies import sketch_clusters
from services.risk.ledgers import Ledger
from services.risk.removals import improbable
from services.risk.rings import numbered
from shared.events.listings import ReviewRecorded

# Of one platform; a text that is too short to be copied has no hash.
OPINIONS: dict[str, pl.DataType | type[pl.DataType]] = {
    "account_id": pl.Binary,
    "review_id": pl.Binary,
    "review_ref": pl.String,
    "order_ref": pl.String,
    "reviewer": pl.String,
    "rating": pl.Int8,
    "text_hash": pl.String,
    "sketch": pl.Binary,
    "posted_at": pl.Datetime("us", "UTC"),
}
LEDGER = Ledger("opinions", pl.Schema({"platform_id": pl.String, **OPINIONS}))
_SHORTEST_TEXT = 8
_COPIES = 3
_AT_ONE_SHOP = 0.5
_MOST_EVIDENCE = 20
_ZEROS = {name: 0 if feature.kind is pl.Int64 else 0.0 for name, feature in REPUTATIONS.items()}


class Reputation(NamedTuple):
    """A shop, or the platform itself, with the features of its reviews, the first of them in the window, and evidence.

    Evidence are the reviews that speak most, and those that were removed.
    """

    account_id: UUID | None
    features: dict[str, Any]
    first: float
    evidence: list[str]


async def record(session: AsyncSession, events: Sequence[ReviewRecorded]) -> None:
    """Keep the reviews of a batch whose operator is known."""
    await LEDGER.keep(session, [_row(event) for event in events if event.account_id is not None])


def _row(event: ReviewRecorded) -> tuple[Any, ...]:
    assert event.account_id is not None, "the others are left out"
    return (
        event.platform_id,
        event.account_id.bytes,
        event.review_id.bytes,
        event.review_ref,
        event.order_ref,
        event.buyer_ref,
        event.rating,
        event.text_hash if event.text_length >= _SHORTEST_TEXT else None,
        b64decode(event.text_sketch) if event.text_sketch is not None else None,
        event.occurred_at,
    )


def judge(
    opinions: pl.DataFrame, removed: pl.DataFrame = removals.NONE, fictitious: Collection[str] = ()
) -> list[Reputation]:
    """Judge the shops of one platform by their reviews in a window, and those removed in it; OPINIONS has the columns.

    `fictitious` are the references of orders that open alerts say were arranged. A review that was removed praises
    nobody any more; who wrote it, when, and in whose words stays known. Where bad reviews are removed, praise does not
    gain by that.
    """
    known = opinions.sort("account_id", "posted_at", "review_ref")
    gone = pl.col("review_id").is_in(removed["review_id"].implode()).fill_null(value=False)
    judged = known.with_columns(_signals(known)).with_columns(
        gone=gone, fictitious=pl.col("order_ref").is_in(list(fictitious)).fill_null(value=False)
    )
    judged = judged.with_columns(five=((pl.col("rating") == removals.PRAISE) & ~pl.col("gone")).cast(pl.Float64))
    low_share = (judged["rating"] <= removals.LOW).mean()
    low_share = low_share if isinstance(low_share, float) else 0.0
    shops = _shops(judged).join(removals.of_shops(removed, low_share), on="account_id", how="full", coalesce=True)
    rows = pl.concat([shops.sort("account_id"), removals.of_platform(removed, low_share)], how="diagonal")
    return [_reputation(row) for row in rows.iter_rows(named=True)]


def _shops(judged: pl.DataFrame) -> pl.DataFrame:
    praised = pl.col("rating") == removals.PRAISE
    shops = judged.group_by("account_id", maintain_order=True).agg(
        pl.len().cast(pl.Int64).alias("reviews"),
        pl.n_unique("reviewer").cast(pl.Int64).alias("reviewers"),
        pl.mean("five").alias("five_star_share"),
        pl.max("burst").alias("burst_improbability"),
        pl.col("near").get(pl.col("burst").arg_max()).cast(pl.Int64).alias("burst_reviews"),
        pl.mean("copied").alias("copied_share"),
        pl.sum("companion").cast(pl.Int64).alias("companions"),
        pl.mean("companion").alias("companion_share"),
        pl.sum("fictitious").cast(pl.Int64).alias("fictitious_reviews"),
        pl.mean("fictitious").alias("fictitious_share"),
        praised.sum().alias("praise"),
        (praised & pl.col("gone")).sum().alias("gone_praise"),
        (pl.min("posted_at").dt.epoch("us") / 1e6).alias("first"),
        pl.col("review_ref").sort_by(_strength(), descending=True).head(_MOST_EVIDENCE).alias("evidence"),
    )
    praise = judged["five"].mean()
    usual = praise if isinstance(praise, float) else 0.0
    given, gone = shops["praise"].to_numpy().astype(np.float64), shops["gone_praise"].to_numpy().astype(np.float64)
    share, elsewhere = gone / np.maximum(given, 1), (gone.sum() - gone + 1) / (given.sum() - given + 2)
    return shops.with_columns(
        praise_improbability=pl.Series(
            improbable(shops["five_star_share"].to_numpy(), shops["reviews"].to_numpy(), np.full(shops.height, usual))
        ),
        removed_praise_share=pl.Series(share),
        praise_removal_improbability=pl.Series(improbable(share, given, elsewhere)),
    )


def _reputation(row: dict[str, Any]) -> Reputation:
    account, evidence, gone = row["account_id"], row["evidence"] or [], row["gone"] or []
    return Reputation(
        UUID(bytes=account) if account is not None else None,
        # Where nothing was removed, or nothing reviewed, that is no unknown number.
        {name: row[name] if row[name] is not None else zero for name, zero in _ZEROS.items()},
        row["first"] if row["first"] is not None else row["first_removal"],
        [*(f"review:{ref}" for ref in evidence), *(f"removed:{ref}" for ref in gone)],
    )


def _signals(known: pl.DataFrame) -> list[pl.Series]:
    """Return of each review: how crowded its time is, whether its text is a copy, whether its writer has companions."""
    shop = numbered(known["account_id"])
    time = known["posted_at"].dt.epoch("us").to_numpy() / 1e6
    near, expected = co_reviews.crowding(shop, time)
    burst = co_reviews.surprise(near, expected) / np.log(10)
    named = known["reviewer"].is_not_null().to_numpy()
    companions = np.zeros(known.height, np.bool_)
    if named.any():
        reviewer = numbered(known["reviewer"].filter(pl.Series(named)))
        companions[named] = co_reviews.lockstep(reviewer, shop[named], time[named]).partners > 0
    return [
        pl.Series("near", near + 1),
        pl.Series("burst", burst),
        _copied(known).cast(pl.Float64).alias("copied"),
        pl.Series("companion", companions.astype(np.float64)),
    ]


def _copied(known: pl.DataFrame) -> pl.Series:
    """Tell of each review whether its text, or one that is nearly the same, mostly stands at its shop.

    A text that people write everywhere is no copy.
    """
    # Texts with one hash have one sketch, but for those of an older release.
    alike = known.select(pl.coalesce("sketch", pl.col("sketch").drop_nulls().first().over("text_hash")))
    near = sketch_clusters(alike.to_series()).cast(pl.String)
    said = known.select("account_id", "text_hash", near=near)
    return said.select(_at_home("text_hash") | _at_home("near")).to_series()


def _at_home(text: str) -> pl.Expr:
    here, anywhere = pl.len().over("account_id", text), pl.len().over(text)
    return (here >= _COPIES) & (here >= _AT_ONE_SHOP * anywhere) & pl.col(text).is_not_null()


def _strength() -> pl.Expr:
    return pl.col("burst") + 10 * pl.col("copied") + 10 * pl.col("companion")
