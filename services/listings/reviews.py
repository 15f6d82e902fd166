"""Reviews with the order they stand on. The text stays here; its fingerprint is published."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings.documents import Documents
from services.listings.models import Review
from shared.database import driver
from shared.events.listings import ReviewRecorded
from shared.events.platform import ReviewPosted, ReviewRemoved
from shared.identifiers import account_id, derived_id, transaction_id
from shared.received import Received

_STORE = """
    INSERT INTO reviews (id, platform_id, transaction_id, review_ref, order_ref, listing_ref, buyer_ref,
        rating, title, text, posted_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::smallint[], $9::text[], $10::text[], $11::timestamptz[])
    ON CONFLICT DO NOTHING RETURNING id
"""
_NOT_A_LETTER = re.compile(r"[\W\d_]+")


async def record(
    session: AsyncSession, received: Sequence[Received], known: Mapping[UUID, Documents]
) -> list[ReviewRecorded]:
    """Store posted reviews and mark removed ones; return each new one with its operator, to be published."""
    posted = {review_id(one): one for one in received if type(one.event) is ReviewPosted}
    new: set[UUID] = set()
    if posted:
        rows = zip(*(_row(i, one) for i, one in posted.items()), strict=True)
        new = {row["id"] for row in await (await driver(session)).fetch(_STORE, *map(list, rows))}
    for one in received:
        if type(one.event) is ReviewRemoved:
            await _remove(session, one)
    return [_event(i, one, known) for i, one in posted.items() if i in new]


async def _remove(session: AsyncSession, one: Received) -> None:
    statement = update(Review).where(Review.id == review_id(one))
    await session.execute(statement.values(removed_at=one.event.removed_at))


def review_id(one: Received) -> UUID:
    """Return the id of a review: a platform may use one reference on several orders."""
    return derived_id("review", one.source, one.event.order_ref, one.event.review_ref)


def fingerprint(text: str) -> str | None:
    """Return a hash that stays the same when case, width, digits, spaces or punctuation change."""
    bare = _NOT_A_LETTER.sub("", unicodedata.normalize("NFKC", text).casefold())
    return hashlib.blake2b(bare.encode(), digest_size=8).hexdigest() if bare else None


def _row(identifier: UUID, one: Received) -> tuple[object, ...]:
    event: ReviewPosted = one.event
    platform_id = one.platform_id
    return (
        identifier,
        platform_id,
        transaction_id(platform_id, event.order_ref),
        event.review_ref,
        event.order_ref,
        event.listing_ref,
        event.buyer_ref,
        event.rating,
        event.title,
        event.text,
        event.posted_at,
    )


def _event(identifier: UUID, one: Received, known: Mapping[UUID, Documents]) -> ReviewRecorded:
    event: ReviewPosted = one.event
    platform_id = one.platform_id
    transaction = transaction_id(platform_id, event.order_ref)
    text = " ".join(filter(None, (event.title, event.text)))
    return ReviewRecorded(
        occurred_at=event.posted_at,
        review_id=identifier,
        transaction_id=transaction,
        account_id=_reviewed(platform_id, event, known[transaction]),
        platform_id=platform_id,
        review_ref=event.review_ref,
        order_ref=event.order_ref,
        rating=event.rating,
        buyer_ref=event.buyer_ref,
        listing_ref=event.listing_ref,
        text_hash=fingerprint(text),
        text_length=len(text),
    )


def _reviewed(platform_id: str, event: ReviewPosted, documents: Documents) -> UUID | None:
    """Return the account of the line the review names, or of the first line."""
    lines = documents.lines
    named = [line for line in lines if line.listing_ref == event.listing_ref]
    operators = [line.operator_ref for line in named or lines]
    return account_id(platform_id, operators[0]) if operators else None
