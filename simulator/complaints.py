"""Complaints of buyers: filed after the stream, by POST and with the consumer's own token."""

from datetime import datetime
from typing import Literal

from msgspec import Struct

from simulator.orders import Flaw, OrderRow

Category = Literal["not_delivered", "not_as_described", "counterfeit", "refund_refused", "safety", "other"]
Desire = Literal["refund", "replacement", "repair", "compensation", "other"]
Outcome = Literal["upheld", "partly_upheld", "dismissed", "withdrawn"]


class Complaint(Struct, frozen=True, kw_only=True):
    """What a consumer files about an order, and how a regulator will later resolve it, if at all."""

    at: datetime
    consumer_ref: str
    platform_id: str
    operator_ref: str
    order_ref: str
    category: Category
    description: str
    desired_outcome: Desire
    claimed_minor: int
    currency: str
    outcome: Outcome | None = None

    @property
    def idempotency_key(self) -> str:
        """Return the key under which the same complaint is the same in every run."""
        return f"{self.platform_id}/{self.order_ref}"


_CAUSES: tuple[tuple[Category, str, Desire], ...] = (
    ("not_as_described", "The goods differ from the pictures and the description.", "refund"),
    ("not_as_described", "The size and the material are not what the page says.", "replacement"),
    ("counterfeit", "The brand's own shop says that this is not genuine.", "refund"),
    ("refund_refused", "I sent it back and the seller refuses to return the money.", "refund"),
    ("safety", "It became very hot and smelled of burning when first used.", "compensation"),
    ("other", "The seller does not answer and the hotline is not reachable.", "other"),
    ("not_as_described", "It stopped working after two days.", "repair"),
)
_NOT_DELIVERED: tuple[Category, str, Desire] = (
    "not_delivered",
    "Paid weeks ago, nothing has arrived, and there is no waybill number.",
    "refund",
)
_OUTCOMES: tuple[Outcome, ...] = ("upheld", "partly_upheld", "upheld", "dismissed", "upheld", "withdrawn")


def cause(row: OrderRow) -> tuple[Category, str, Desire]:
    """Return category, text and desired outcome of the complaint about an order."""
    return _NOT_DELIVERED if row.flaw == Flaw.NO_WAYBILL else _CAUSES[row.text % len(_CAUSES)]


def resolution(row: OrderRow) -> Outcome | None:
    """Return how a regulator resolves the complaint; two of three stay open."""
    return _OUTCOMES[row.text // 3 % len(_OUTCOMES)] if row.text % 3 == 0 else None
