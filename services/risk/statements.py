"""What a transaction said of its amounts when it was first paid, and what later revisions made of that. Pure."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from shared.events.listings import TransactionEvent


class Stated(Struct, frozen=True, array_like=True, gc=False):
    """What one operator's part of a transaction last said, and what it said when it was first paid."""

    revision: int
    currency: str
    # Goods and freight: of the whole transaction, and of this operator.
    due_minor: int
    own_minor: int
    paid_minor: int
    payments: int
    placed_at: datetime | None
    # What was the operator's when order and payment were first known together; nothing before that.
    settled_minor: int | None = None
    settled_currency: str = ""
    settled_at: datetime | None = None
    # By how much payments changed while none came.
    paid_shift_minor: int = 0
    cancelled: bool = False
    returned: bool = False
    parcels: int = 0

    @property
    def is_restated(self) -> bool:
        """Tell whether an amount is another one than what was stated when it was paid."""
        return self.paid_shift_minor != 0 or (
            self.settled_minor is not None
            and (self.settled_minor, self.settled_currency) != (self.own_minor, self.currency)
        )


# What rules may know of it.
FEATURES = frozenset({"stated_minor", "settled_minor", "settled_currency", "paid_shift_minor"})
pack = msgspec.msgpack.Encoder().encode
unpack = msgspec.msgpack.Decoder(Stated).decode


def restated(before: Stated | None, event: TransactionEvent, now: datetime) -> Stated:
    """Return what is stated after a revision that came now; one that is older than what is known changes nothing."""
    if before is not None and event.revision <= before.revision:
        return before
    own = event.trade.goods_minor + event.trade.freight_minor if event.trade is not None else 0
    settled: tuple[int | None, str, datetime | None] = (None, "", None)
    if before is not None and before.settled_at is not None:
        settled = (before.settled_minor, before.settled_currency, before.settled_at)
    elif event.payments and event.trade is not None:
        settled = (own, event.currency, now)
    shift = 0
    if before is not None:
        # Another payment adds to what is paid; where none came, an earlier one was stated anew.
        again = event.payments == before.payments
        shift = before.paid_shift_minor + (event.paid_minor - before.paid_minor if again else 0)
    amounts = (event.currency, event.due_minor, own, event.paid_minor, event.payments)
    flags = (event.cancelled, event.returned, event.parcels)
    return Stated(event.revision, *amounts, event.placed_at, *settled, shift, *flags)


def features(stated: Stated) -> dict[str, Any]:
    """Return the values of `FEATURES`."""
    return {
        "stated_minor": stated.own_minor,
        "settled_minor": stated.settled_minor,
        "settled_currency": stated.settled_currency or None,
        "paid_shift_minor": stated.paid_shift_minor,
    }


def evidence(stated: Stated, now: datetime) -> list[str]:
    """Return what was stated before and after, and since when; nothing where nothing was restated."""
    if not stated.is_restated:
        return []
    found = [f"since:{text_of(now)}"]
    if stated.settled_minor is not None and stated.settled_at is not None:
        found += [
            f"before:{stated.settled_minor} {stated.settled_currency}",
            f"after:{stated.own_minor} {stated.currency}",
            f"stated:{text_of(stated.settled_at)}",
        ]
    if stated.paid_shift_minor:
        earlier = stated.paid_minor - stated.paid_shift_minor
        found += [f"paid_before:{earlier} {stated.currency}", f"paid_after:{stated.paid_minor} {stated.currency}"]
    return found


def text_of(at: datetime) -> str:
    """Return an instant as evidence has it."""
    return at.isoformat(timespec="seconds").replace("+00:00", "Z")
