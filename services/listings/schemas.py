"""Bodies of listings' answers."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel


class ListingOut(BaseModel):
    """An offer as it stands."""

    id: UUID
    platform_id: str
    listing_ref: str
    account_id: UUID
    version: int
    state: Literal["published", "withdrawn"]
    # Held is not to be shown, for the codes beside it.
    verdict: Literal["allowed", "held"]
    held_for: list[str]
    content: dict[str, Any]
    updated_at: datetime


class LineOut(BaseModel):
    """One line of an order, in minor units."""

    line_ref: str
    listing_ref: str
    operator_ref: str
    quantity: int
    unit_price_minor: int
    freight_minor: int


class PaymentOut(BaseModel):
    """One payment, in minor units."""

    payment_ref: str
    amount_minor: int
    currency: str
    paid_at: datetime
    payer_ref: str | None
    channel: str | None
    institution_id: str | None


class ParcelOut(BaseModel):
    """One waybill, weights in grams."""

    waybill_ref: str
    shipped_at: datetime | None
    delivered_at: datetime | None
    courier: str | None
    consignee_ref: str | None
    weight_g: int | None
    delivered_weight_g: int | None
    delivered_consignee_ref: str | None


class TransactionOut(BaseModel):
    """A transaction: its class with reasons, and the documents it was assembled from."""

    id: UUID
    platform_id: str
    order_ref: str
    revision: int
    match: str
    reasons: list[str]
    currency: str
    due_minor: int
    paid_minor: int
    buyer_ref: str | None
    placed_at: datetime | None
    cancelled_at: datetime | None
    returned_at: datetime | None
    lines: list[LineOut]
    payments: list[PaymentOut]
    parcels: list[ParcelOut]
    reviews: int


class SummaryOut(BaseModel):
    """What this service holds, counted from its tables."""

    accepted: dict[str, int]
    by_type: dict[str, int]
    duplicate: int
    rejected: int
    matching: dict[str, int]
