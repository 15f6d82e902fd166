"""Answers about offers and trade, read from this service's tables."""

from typing import Any

import msgspec
from sqlalchemy import func, select, text
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings import holds
from services.listings.documents import Documents
from services.listings.models import Listing, Review, Transaction
from shared.errors import NotFound
from shared.identifiers import listing_id, transaction_id
from shared.ingest_store import counts

_documents = msgspec.msgpack.Decoder(Documents).decode

_TOTALS = text("""
    SELECT count(*) FILTER (WHERE has_order) AS orders, coalesce(sum(lines), 0) AS order_lines,
        coalesce(sum(payments), 0) AS payments, coalesce(sum(shipments), 0) AS shipments,
        coalesce(sum(deliveries), 0) AS deliveries
    FROM transactions
""")
CLASSES = ("matched", "amount_mismatch", "payment_without_lines", "time_order", "awaiting_documents")


class ListingNotFound(NotFound):
    """No such offer on that platform."""


class TransactionNotFound(NotFound):
    """No document of such an order."""


async def listing(session: AsyncSession, platform_id: str, listing_ref: str) -> dict[str, Any]:
    """Return the newest version of an offer, and whether it is held. Raises ListingNotFound."""
    statement = select(Listing).where(
        Listing.id == listing_id(platform_id, listing_ref), Listing.platform_id == platform_id
    )
    found = (await session.execute(statement)).scalar_one_or_none()
    if found is None:
        raise ListingNotFound(f"{platform_id} has no listing {listing_ref!r}")
    reasons = await holds.held_for(session, found.id)
    columns = {column.name: getattr(found, column.name) for column in Listing.__table__.columns}
    return {**columns, "verdict": "held" if reasons else "allowed", "held_for": reasons}


async def transaction(session: AsyncSession, platform_id: str, order_ref: str) -> dict[str, Any]:
    """Return a transaction with its documents. Raises TransactionNotFound."""
    identifier = transaction_id(platform_id, order_ref)
    statement = select(Transaction).where(Transaction.id == identifier, Transaction.platform_id == platform_id)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise TransactionNotFound(f"{platform_id} has no order {order_ref!r}")
    reviewed = select(func.count()).select_from(Review).where(Review.transaction_id == identifier)
    documents = _documents(row.documents)
    order = documents.order
    return {
        **{c: getattr(row, c) for c in ("id", "platform_id", "order_ref", "revision", "match", "reasons")},
        **{c: getattr(row, c) for c in ("currency", "due_minor", "paid_minor")},
        "buyer_ref": order.buyer_ref if order else None,
        "placed_at": order.placed_at if order else None,
        "cancelled_at": documents.cancelled_at,
        "returned_at": documents.returned_at,
        "lines": [msgspec.structs.asdict(line) for line in documents.lines],
        "payments": [{"payment_ref": r, **msgspec.structs.asdict(p)} for r, p in documents.payments.items()],
        "parcels": [{"waybill_ref": r, **msgspec.structs.asdict(p)} for r, p in documents.parcels.items()],
        "reviews": (await session.execute(reviewed)).scalar_one(),
    }


async def summary(session: AsyncSession) -> dict[str, Any]:
    """Count what the caller may see."""
    totals = (await session.execute(_TOTALS)).mappings().one()
    matching = select(Transaction.match, func.count()).group_by(Transaction.match)
    found = {match: count for match, count in (await session.execute(matching)).all()}
    intake = await counts(session)
    return {
        "accepted": {
            **totals,
            "listings": (await session.execute(select(func.count()).select_from(Listing))).scalar_one(),
            "reviews": (await session.execute(select(func.count()).select_from(Review))).scalar_one(),
        },
        "by_type": intake.accepted,
        "duplicate": intake.duplicate,
        "rejected": intake.rejected,
        "matching": {name: found.get(name, 0) for name in CLASSES},
    }
