"""Transactions assembled from documents as they arrive, a batch at a time."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.listings import reviews
from services.listings.documents import Documents, Line, Order, Payment
from services.listings.matching import Match, Tolerances, classify, decided_at, due_minor, paid_minor
from services.listings.recent import Known, Recent
from shared.database import columns, driver, number_array, text_array
from shared.events.listings import (
    PaidThrough,
    Trade,
    TransactionEvent,
    TransactionMatched,
    TransactionMismatched,
    TransactionRecorded,
)
from shared.events.platform import OrderPlaced, ReviewPosted, ReviewRemoved
from shared.identifiers import account_id, transaction_id
from shared.messaging import publish
from shared.received import Received

D = TypeVar("D")

_REVIEWS = frozenset({ReviewPosted, ReviewRemoved})

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Documents).decode

_LOAD = "SELECT id, documents, revision, match FROM transactions WHERE id = ANY ($1::uuid[])"
_STORE = """
    INSERT INTO transactions (id, platform_id, order_ref, documents, revision, match, reasons, currency,
        due_minor, paid_minor, has_order, lines, payments, shipments, deliveries)
    SELECT i, p, o, d, r, m, string_to_array(w, ','), c, du, pa, h, l, n, s, e FROM unnest(
        $1::uuid[], $2::text::text[], $3::text::text[], $4::bytea[], $5::text::int[], $6::text::text[],
        $7::text::text[], $8::text::text[], $9::text::bigint[], $10::text::bigint[], $11::text::bool[],
        $12::text::smallint[], $13::text::smallint[], $14::text::smallint[], $15::text::smallint[]
    ) AS x (i, p, o, d, r, m, w, c, du, pa, h, l, n, s, e)
    ON CONFLICT (id) DO UPDATE SET documents = excluded.documents, revision = excluded.revision,
        match = excluded.match, reasons = excluded.reasons, currency = excluded.currency,
        due_minor = excluded.due_minor, paid_minor = excluded.paid_minor, has_order = excluded.has_order,
        lines = excluded.lines, payments = excluded.payments, shipments = excluded.shipments,
        deliveries = excluded.deliveries, updated_at = now()
    WHERE transactions.revision = excluded.revision - 1
"""
_FORMS = (list, text_array, text_array, list, number_array, *3 * (text_array,), *7 * (number_array,))


class StaleTransaction(Exception):
    """What was kept of a transaction is not what is stored: it is read again."""


async def record(session: AsyncSession, received: Sequence[Received], tolerances: Tolerances, recent: Recent) -> None:
    """Merge a batch of documents and reviews into their transactions; publish what changed.

    Raises StaleTransaction, once, where `recent` was wrong.
    """
    by_transaction: dict[UUID, list[Received]] = defaultdict(list)
    for one in received:
        by_transaction[transaction_id(one.platform_id, one.event.order_ref)].append(one)
    known = recent.take(by_transaction)
    known |= await _load(session, {i: ones for i, ones in by_transaction.items() if i not in known})
    posted = [one for one in received if type(one.event) in _REVIEWS]
    changed = []
    published: list[TransactionEvent | reviews.ReviewEvent] = []
    for identifier, documents in by_transaction.items():
        transaction = known[identifier]
        if _merge(transaction, documents, tolerances):
            changed.append(transaction)
            # Told whatever changed: what a later document would carry along depends on how they were batched.
            published.extend(events_of(transaction))
    if await _store(session, changed) != len(changed):
        recent.forget()
        raise StaleTransaction("a transaction was stored by somebody else, or its last batch was rolled back")
    published += await reviews.record(session, posted, {i: k.documents for i, k in known.items()})
    await publish(session, published, source="listings")
    recent.keep(transaction for transaction in known.values() if transaction.revision)


async def _load(session: AsyncSession, wanted: dict[UUID, list[Received]]) -> dict[UUID, Known]:
    if not wanted:
        return {}
    rows = await (await driver(session)).fetch(_LOAD, list(wanted))
    stored = {row["id"]: row for row in rows}
    known = {}
    for identifier, documents in wanted.items():
        first = documents[0]
        row = stored.get(identifier)
        known[identifier] = Known(
            identifier,
            first.platform_id,
            first.event.order_ref,
            _unpack(row["documents"]) if row else Documents(),
            row["revision"] if row else 0,
            Match(row["match"], []) if row else Match("awaiting_documents", []),
        )
    return known


def _merge(transaction: Known, received: Sequence[Received], tolerances: Tolerances) -> bool:
    documents = [one.event for one in received if type(one.event) not in _REVIEWS]
    for document in documents:
        transaction.documents.add(document)
        if type(document) is OrderPlaced:
            transaction.trades = None
    if documents:
        transaction.match = classify(transaction.documents, tolerances)
        transaction.paid_minor = paid_minor(transaction.documents)
        if transaction.trades is None:
            transaction.trades = trades(transaction.platform_id, transaction.documents.lines)
            transaction.due_minor = due_minor(transaction.documents)
        transaction.revision += 1
    return bool(documents)


async def _store(session: AsyncSession, changed: Sequence[Known]) -> int:
    """Store transactions whose stored revision is the one before; return how many that were."""
    if not changed:
        return 0
    parameters = columns(map(_row, changed), *_FORMS)
    status = await (await driver(session)).execute(_STORE, *parameters)
    return int(status.rsplit(" ", 1)[1])


def _row(transaction: Known) -> tuple[object, ...]:
    documents = transaction.documents
    parcels = documents.parcels.values()
    return (
        transaction.id,
        transaction.platform_id,
        transaction.order_ref,
        _pack(documents),
        transaction.revision,
        transaction.match.match,
        ",".join(transaction.match.reasons),
        currency(documents),
        transaction.due_minor,
        transaction.paid_minor,
        documents.order is not None,
        len(documents.lines),
        len(documents.payments),
        sum([parcel.shipped_at is not None for parcel in parcels]),
        sum([parcel.delivered_at is not None for parcel in parcels]),
    )


def currency(documents: Documents) -> str:
    """Return the order's currency, or that of a payment while the order is unknown."""
    if documents.order is not None:
        return documents.order.currency
    return min((payment.currency for payment in documents.payments.values()), default="")


def trades(platform_id: str, lines: Sequence[Line]) -> list[Trade]:
    """Return what each operator sold, in the order of their first lines."""
    by_operator: dict[str, list[Line]] = {}
    for line in lines:
        by_operator.setdefault(line.operator_ref, []).append(line)
    return [_trade(platform_id, operator_ref, own) for operator_ref, own in by_operator.items()]


def _trade(platform_id: str, operator_ref: str, lines: Sequence[Line]) -> Trade:
    goods_minor = freight_minor = quantity = 0
    for line in lines:
        goods_minor += line.quantity * line.unit_price_minor
        freight_minor += line.freight_minor
        quantity += line.quantity
    return Trade(
        account_id=account_id(platform_id, operator_ref),
        operator_ref=operator_ref,
        goods_minor=goods_minor,
        freight_minor=freight_minor,
        lines=len(lines),
        quantity=quantity,
        listing_refs=[line.listing_ref for line in lines],
    )


def events_of(transaction: Known) -> list[TransactionEvent]:
    """Return the state of a transaction as events, one for each operator in it."""
    kind: type[TransactionEvent] = TransactionMismatched
    if transaction.match.match == "matched":
        kind = TransactionMatched
    elif transaction.match.match == "awaiting_documents":
        kind = TransactionRecorded
    shared = _state(transaction)
    parts: list[Trade] | list[None] = transaction.trades or [None]
    return [kind(**shared, part=index, parts=len(parts), trade=trade) for index, trade in enumerate(parts)]


def _payer(payments: Sequence[Payment], buyer_ref: str | None) -> str | None:
    """Return who paid: somebody else than the buyer, where one payment was theirs."""
    known = [payment.payer_ref for payment in payments if payment.payer_ref is not None]
    for payer in known:
        if payer != buyer_ref:
            return payer
    return known[0] if known else None


def paid_through(payments: Sequence[Payment]) -> tuple[PaidThrough, ...]:
    """Return each pair of institution and channel that payments name, with the first payment of each day (UTC)."""
    days: dict[tuple[str, str], dict[date, datetime]] = {}
    for payment in payments:
        if payment.institution_id is not None or payment.channel is not None:
            own = days.setdefault((payment.institution_id or "", payment.channel or ""), {})
            day = payment.paid_at.date()
            own[day] = min(payment.paid_at, own.get(day, payment.paid_at))
    return tuple(
        [
            PaidThrough(made_at=sorted(own.values()), institution_id=institution or None, channel=channel or None)
            for (institution, channel), own in sorted(days.items())
        ]
    )


def _state(transaction: Known) -> dict[str, Any]:  # keyword arguments of the event's own fields
    documents = transaction.documents
    payments, parcels = _by_reference(documents.payments), _by_reference(documents.parcels)
    return {
        "occurred_at": decided_at(documents, transaction.match.match),
        "transaction_id": transaction.id,
        "platform_id": transaction.platform_id,
        "order_ref": transaction.order_ref,
        "revision": transaction.revision,
        "match": transaction.match.match,
        "reasons": transaction.match.reasons,
        "currency": currency(documents),
        **(_ordered(documents.order) if documents.order is not None else {}),
        "payer_ref": _payer(payments, documents.order.buyer_ref if documents.order is not None else None),
        "paid_minor": transaction.paid_minor,
        "due_minor": transaction.due_minor,
        "payments": len(payments),
        "paid_through": paid_through(payments),
        "parcels": len(parcels),
        "weight_g": parcels[0].weight_g if parcels else None,
        "courier": parcels[0].courier if parcels else None,
        "waybill_refs": sorted(documents.parcels),
        "paid_at": min([p.paid_at for p in payments], default=None),
        "shipped_at": min([p.shipped_at for p in parcels if p.shipped_at], default=None),
        "delivered_at": max([p.delivered_at for p in parcels if p.delivered_at], default=None),
        "cancelled": documents.cancelled_at is not None,
        "returned": documents.returned_at is not None,
    }


def _ordered(order: Order) -> dict[str, Any]:
    return {
        "mode": order.mode,
        "buyer_ref": order.buyer_ref,
        "device_ref": order.device_ref,
        "address_ref": order.address_ref,
        "ip_ref": order.ip_ref,
        "placed_at": order.placed_at,
    }


def _by_reference(documents: dict[str, D]) -> list[D]:
    """Return documents by reference, because what comes first in a dict is what arrived first."""
    if len(documents) < 2:
        return list(documents.values())
    return [document for _, document in sorted(documents.items())]
