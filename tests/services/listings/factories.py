"""What a platform says of offers and trade; a test states only what it is about."""

from tests.services.platform_events import AT, Json, event


def listing_published(*, platform_id: str = "north", **data: object) -> Json:
    file = {"listing_ref": "lamp", "operator_ref": "shop", "title": "A lamp", **data}
    return event("listing.published", file, platform_id=platform_id)


def listing_withdrawn(listing_ref: str = "lamp") -> Json:
    return event("listing.withdrawn", {"listing_ref": listing_ref})


def line(**data: object) -> Json:
    return {
        "line_ref": "1",
        "listing_ref": "lamp",
        "operator_ref": "shop",
        "quantity": 1,
        "unit_price_minor": 10_000,
        **data,
    }


def order_placed(*, platform_id: str = "north", **data: object) -> Json:
    order = {
        "order_ref": "order",
        "buyer_ref": "buyer",
        "currency": "CNY",
        "placed_at": AT,
        "lines": [line()],
        **data,
    }
    return event("order.placed", order, platform_id=platform_id)


def payment_made(*, platform_id: str = "north", **data: object) -> Json:
    payment = {
        "payment_ref": "payment",
        "order_ref": "order",
        "amount_minor": 10_000,
        "currency": "CNY",
        "paid_at": "2026-03-01T10:05:00Z",
        **data,
    }
    return event("payment.made", payment, platform_id=platform_id)


def parcel_shipped(**data: object) -> Json:
    parcel = {"waybill_ref": "parcel", "order_ref": "order", "shipped_at": "2026-03-02T08:00:00Z", **data}
    return event("parcel.shipped", parcel)


def parcel_delivered(**data: object) -> Json:
    parcel = {"waybill_ref": "parcel", "order_ref": "order", "delivered_at": "2026-03-05T08:00:00Z", **data}
    return event("parcel.delivered", parcel)


def review_posted(**data: object) -> Json:
    review = {
        "review_ref": "review",
        "order_ref": "order",
        "rating": 5,
        "posted_at": "2026-03-06T08:00:00Z",
        **data,
    }
    return event("review.posted", review)
