"""Three-document matching (LS18): which class a transaction is in, and why. Pure."""

from datetime import datetime
from typing import NamedTuple

from services.listings.documents import Documents, Order
from services.listings.money import minor_units
from shared.events.listings import MatchClass


class Tolerances(NamedTuple):
    """What may differ before documents disagree, from the rule table."""

    amount_units: float
    weight_share: float


class Match(NamedTuple):
    """The class, and a code for everything that speaks against `matched`."""

    match: MatchClass
    reasons: list[str]


def classify(documents: Documents, tolerances: Tolerances) -> Match:
    """Return the first class that applies, in the order of the requirement.

    A payment without lines; an amount that differs by more than the tolerance; shipped before ordered or delivered
    before shipped; matched when a waybill exists and all that is present agrees; otherwise awaiting documents.
    """
    order = documents.order
    if documents.payments and not documents.lines:
        return Match("payment_without_lines", ["order_missing" if order is None else "lines_missing"])
    if order is not None and documents.payments and (reasons := _amounts(documents, order, tolerances)):
        return Match("amount_mismatch", reasons)
    if reasons := _times(documents):
        return Match("time_order", reasons)
    if reasons := [*_missing(documents), *_parties(documents), *_weights(documents, tolerances)]:
        return Match("awaiting_documents", reasons)
    return Match("matched", [])


def decided_at(documents: Documents, match: MatchClass) -> datetime:
    """Return the time of the last document a class rests on; one that changes nothing does not move it."""
    if match not in {"payment_without_lines", "amount_mismatch", "matched"}:
        return max(documents.times())
    stated = [payment.paid_at for payment in documents.payments.values()]
    if documents.order is not None:
        stated.append(documents.order.placed_at)
    if match == "matched":
        parcels = documents.parcels.values()
        stated.append(min([at for p in parcels for at in (p.shipped_at, p.delivered_at) if at is not None]))
    return max(stated)


def due_minor(documents: Documents) -> int:
    """Return what the lines and their freight cost, in minor units of the order's currency."""
    total = 0
    for line in documents.lines:
        total += line.quantity * line.unit_price_minor + line.freight_minor
    return total


def paid_minor(documents: Documents) -> int:
    """Return what was paid, in minor units."""
    total = 0
    for payment in documents.payments.values():
        total += payment.amount_minor
    return total


def _amounts(documents: Documents, order: Order, tolerances: Tolerances) -> list[str]:
    for payment in documents.payments.values():
        if payment.currency != order.currency:
            return ["currency_differs"]
    difference = paid_minor(documents) - due_minor(documents)
    if abs(difference) > tolerances.amount_units * minor_units(order.currency):
        return ["overpaid" if difference > 0 else "underpaid"]
    return []


def _times(documents: Documents) -> list[str]:
    reasons = []
    placed = documents.order.placed_at if documents.order is not None else None
    for parcel in documents.parcels.values():
        if placed is not None and parcel.shipped_at is not None and parcel.shipped_at < placed:
            reasons.append("shipped_before_ordered")
        if parcel.delivered_at is None:
            continue
        if parcel.shipped_at is not None and parcel.delivered_at < parcel.shipped_at:
            reasons.append("delivered_before_shipped")
    return sorted(set(reasons)) if reasons else reasons


def _missing(documents: Documents) -> list[str]:
    missing = []
    if documents.order is None:
        missing.append("order_missing")
    elif not documents.lines:
        missing.append("lines_missing")
    if not documents.payments:
        missing.append("payment_missing")
    if not documents.parcels:
        missing.append("waybill_missing")
    return missing


def _parties(documents: Documents) -> list[str]:
    if documents.order is None:
        return []
    known = (None, documents.order.buyer_ref)
    reasons = []
    for payment in documents.payments.values():
        if payment.payer_ref not in known:
            reasons.append("payer_differs")
            break
    for parcel in documents.parcels.values():
        if parcel.consignee_ref not in known or parcel.delivered_consignee_ref not in known:
            reasons.append("consignee_differs")
            break
    return reasons


def _weights(documents: Documents, tolerances: Tolerances) -> list[str]:
    for parcel in documents.parcels.values():
        if parcel.weight_g is None or parcel.delivered_weight_g is None:
            continue
        larger = max(parcel.weight_g, parcel.delivered_weight_g)
        if abs(parcel.weight_g - parcel.delivered_weight_g) > larger * tolerances.weight_share:
            return ["weight_differs"]
    return []
