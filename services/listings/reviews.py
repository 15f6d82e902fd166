"""Reviews with the order they stand on, and what became of them. The text stays here; its fingerprint is published."""

import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import NamedTuple, TypeAlias
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings.documents import Documents
from services.listings.sketches import sketched
from shared.database import driver
from shared.events.listings import ReviewRecorded
from shared.events.listings import ReviewRemoved as RemovalRecorded
from shared.events.platform import ReviewPosted, ReviewRemoved
from shared.identifiers import account_id, derived_id, transaction_id
from shared.received import Received

ReviewEvent: TypeAlias = ReviewRecorded | RemovalRecorded

_STORE = """
    INSERT INTO reviews (id, platform_id, transaction_id, review_ref, order_ref, listing_ref, buyer_ref,
        rating, title, text, posted_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::smallint[], $9::text[], $10::text[], $11::timestamptz[])
    ON CONFLICT DO NOTHING RETURNING id
"""
_STORE_REMOVALS = """
    INSERT INTO review_removals (id, platform_id, removed_at)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::timestamptz[]) ON CONFLICT DO NOTHING RETURNING id
"""
# A removal may come before its review does: whichever comes second takes it down, once.
_REMOVE = """
    UPDATE reviews r SET removed_at = greatest(m.removed_at, r.posted_at) FROM review_removals m
    WHERE r.id = m.id AND r.id = ANY ($1::uuid[]) AND r.removed_at IS NULL
    RETURNING r.id, r.platform_id, r.transaction_id, r.review_ref, r.order_ref, r.listing_ref, r.rating, r.posted_at,
        r.removed_at
"""
_NOT_A_LETTER = re.compile(r"[\W\d_]+")


class Described(NamedTuple):
    """What of a review's text leaves this service: no word of it."""

    hash: str | None
    length: int
    sketch: str | None


async def record(
    session: AsyncSession, received: Sequence[Received], known: Mapping[UUID, Documents]
) -> list[ReviewEvent]:
    """Store posted reviews and removals; return what is new of them with its operator, to be published."""
    posted = {review_id(one): one for one in received if type(one.event) is ReviewPosted}
    removed = {review_id(one): one for one in received if type(one.event) is ReviewRemoved}
    connection = await driver(session)
    new: set[UUID] = set()
    if posted:
        rows = zip(*(_row(i, one) for i, one in posted.items()), strict=True)
        new = {row["id"] for row in await connection.fetch(_STORE, *map(list, rows))}
    down = set(new)
    if removed:
        times = [one.event.removed_at or one.time for one in removed.values()]
        platforms = [one.platform_id for one in removed.values()]
        told = await connection.fetch(_STORE_REMOVALS, list(removed), platforms, times)
        down |= {row["id"] for row in told}
    if not down:
        return []
    gone = await connection.fetch(_REMOVE, sorted(down))
    return [*_recorded(posted, new, known), *(_removal(row, known) for row in gone)]


def _recorded(posted: Mapping[UUID, Received], new: set[UUID], known: Mapping[UUID, Documents]) -> list[ReviewRecorded]:
    ones = [(identifier, one) for identifier, one in posted.items() if identifier in new]
    texts = [" ".join(filter(None, (one.event.title, one.event.text))) for _, one in ones]
    bare = [_bare(text) for text in texts]
    return [
        _event(identifier, one, known, Described(_hashed(letters), len(text), sketch))
        for (identifier, one), text, letters, sketch in zip(ones, texts, bare, sketched(bare), strict=True)
    ]


def review_id(one: Received) -> UUID:
    """Return the id of a review: a platform may use one reference on several orders."""
    return derived_id("review", one.source, one.event.order_ref, one.event.review_ref)


def fingerprint(text: str) -> str | None:
    """Return a hash that stays the same when case, width, digits, spaces or punctuation change."""
    return _hashed(_bare(text))


def _bare(text: str) -> str:
    return _NOT_A_LETTER.sub("", unicodedata.normalize("NFKC", text).casefold())


def _hashed(bare: str) -> str | None:
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


def _event(identifier: UUID, one: Received, known: Mapping[UUID, Documents], described: Described) -> ReviewRecorded:
    event: ReviewPosted = one.event
    platform_id = one.platform_id
    transaction = transaction_id(platform_id, event.order_ref)
    return ReviewRecorded(
        occurred_at=event.posted_at,
        review_id=identifier,
        transaction_id=transaction,
        account_id=_reviewed(platform_id, event.listing_ref, known[transaction]),
        platform_id=platform_id,
        review_ref=event.review_ref,
        order_ref=event.order_ref,
        rating=event.rating,
        buyer_ref=event.buyer_ref,
        listing_ref=event.listing_ref,
        text_hash=described.hash,
        text_length=described.length,
        text_sketch=described.sketch,
    )


def _removal(row: asyncpg.Record, known: Mapping[UUID, Documents]) -> RemovalRecorded:
    return RemovalRecorded(
        occurred_at=row["removed_at"],
        review_id=row["id"],
        transaction_id=row["transaction_id"],
        account_id=_reviewed(row["platform_id"], row["listing_ref"], known[row["transaction_id"]]),
        platform_id=row["platform_id"],
        review_ref=row["review_ref"],
        order_ref=row["order_ref"],
        rating=row["rating"],
        posted_at=row["posted_at"],
    )


def _reviewed(platform_id: str, listing_ref: str | None, documents: Documents) -> UUID | None:
    """Return the account of the line the review names, or of the first line."""
    lines = documents.lines
    named = [line for line in lines if line.listing_ref == listing_ref]
    operators = [line.operator_ref for line in named or lines]
    return account_id(platform_id, operators[0]) if operators else None
