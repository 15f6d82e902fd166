"""Transactions as listings publishes them; a test states only what it is about."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from shared.events.listings import (
    MatchClass,
    ReviewRecorded,
    Trade,
    TransactionEvent,
    TransactionMatched,
    TransactionMismatched,
    TransactionRecorded,
)
from shared.identifiers import account_id, derived_id, transaction_id

PLACED = datetime(2026, 3, 1, 10, tzinfo=UTC)


def transaction(
    *, match: MatchClass = "matched", platform_id: str = "north", order_ref: str = "order", **fields: Any
) -> TransactionEvent:
    """Return the state of a transaction of one shop."""
    kind: type[TransactionEvent] = TransactionMismatched
    if match in {"matched", "awaiting_documents"}:
        kind = TransactionMatched if match == "matched" else TransactionRecorded
    stated = {
        "occurred_at": fields.get("placed_at") or PLACED,
        "reasons": [],
        "revision": 1,
        "part": 0,
        "parts": 1,
        "currency": "CNY",
        "trade": trade(platform_id),
        "buyer_ref": "buyer",
        "placed_at": PLACED,
        "due_minor": 10_000,
        "paid_minor": 10_000,
        **fields,
    }
    return kind(
        transaction_id=transaction_id(platform_id, order_ref),
        platform_id=platform_id,
        order_ref=order_ref,
        match=match,
        **stated,
    )


def trade(
    platform_id: str = "north", operator_ref: str = "shop", *, goods_minor: int = 10_000, freight_minor: int = 0
) -> Trade:
    return Trade(
        account_id=account_id(platform_id, operator_ref),
        operator_ref=operator_ref,
        goods_minor=goods_minor,
        freight_minor=freight_minor,
        lines=1,
        quantity=1,
        listing_refs=["lamp"],
    )


def review(number: int = 1, *, platform_id: str = "north", **fields: Any) -> ReviewRecorded:
    stated = {"occurred_at": PLACED, "rating": 5, **fields}
    return ReviewRecorded(
        review_id=derived_id("review", platform_id, number),
        transaction_id=transaction_id(platform_id, f"order-{number}"),
        account_id=account_id(platform_id, "shop"),
        platform_id=platform_id,
        review_ref=str(number),
        order_ref=f"order-{number}",
        **stated,
    )


def later(event: TransactionEvent, **changes: Any) -> TransactionEvent:
    """Return the next revision of a transaction."""
    return msgspec.structs.replace(event, revision=event.revision + 1, **changes)
