"""What rules may name: the columns of each stream, their types, units and meanings."""

from typing import NamedTuple

import polars as pl


class Feature(NamedTuple):
    """One column: its type, unit, window and meaning."""

    kind: type[pl.DataType]
    unit: str
    window: str
    meaning: str


TRANSACTIONS: dict[str, Feature] = {
    "match": Feature(pl.String, "class", "now", "Class of the three-document match"),
    "currency": Feature(pl.String, "ISO 4217", "now", "Currency of the order"),
    "mode": Feature(pl.String, "B2B, B2C, C2C", "now", "Trade mode"),
    "due_minor": Feature(pl.Int64, "minor units", "now", "Lines and freight of the transaction"),
    "paid_minor": Feature(pl.Int64, "minor units", "now", "Payments of the transaction"),
    "amount_gap_minor": Feature(pl.Int64, "minor units", "now", "Absolute difference of paid and due"),
    "goods_minor": Feature(pl.Int64, "minor units", "now", "Goods of this operator in the transaction"),
    "payments": Feature(pl.Int64, "count", "now", "Payments known"),
    "parcels": Feature(pl.Int64, "count", "now", "Waybills known"),
    "weight_g": Feature(pl.Int64, "grams", "now", "Weight of the first parcel; null where not stated"),
    "payer_differs": Feature(pl.Boolean, "flag", "now", "Payer is known and is not the buyer"),
    "payment_delay_h": Feature(pl.Float64, "hours", "now", "First payment after the order; null while unpaid"),
    "delivery_h": Feature(pl.Float64, "hours", "now", "Delivery after shipping; null until delivered"),
    "cancelled": Feature(pl.Boolean, "flag", "now", "The order was cancelled"),
    "orders_day": Feature(pl.Int64, "count", "day", "Orders of the operator on the order's day"),
    "orders_hour": Feature(pl.Int64, "count", "hour", "Orders of the operator in the order's hour"),
    "buyer_orders_day": Feature(pl.Int64, "count", "day", "Orders of this buyer at this operator"),
    "device_buyers_day": Feature(pl.Int64, "count", "day", "Buyers at this operator on this device"),
    "address_buyers_day": Feature(pl.Int64, "count", "day", "Buyers at this operator with this address"),
    "stated_minor": Feature(pl.Int64, "minor units", "now", "Goods and freight of this operator as last stated"),
    "settled_minor": Feature(
        pl.Int64, "minor units", "since paid", "The same when order and payment were first known; null before that"
    ),
    "settled_currency": Feature(pl.String, "ISO 4217", "since paid", "Currency of that; null before that"),
    "paid_shift_minor": Feature(
        pl.Int64, "minor units", "since paid", "By how much payments changed while no further one came"
    ),
    "institution_listed": Feature(
        pl.Boolean,
        "flag",
        "when paid",
        "Every payment institution named is in the registry; null where none is named or the registry is empty",
    ),
    "institution_certified": Feature(
        pl.Boolean, "flag", "when paid", "Each of those in the registry held a certificate; null where none is listed"
    ),
    "channel_certified": Feature(
        pl.Boolean,
        "flag",
        "when paid",
        "Each might operate the channel it was used by; null where none names a channel or the registry has none of it",
    ),
}
REVIEWS: dict[str, Feature] = {
    "rating": Feature(pl.Int64, "stars", "now", "Rating, 1 to 5"),
    "text_length": Feature(pl.Int64, "characters", "now", "Length of title and text"),
    "text_times_day": Feature(pl.Int64, "count", "day", "Reviews of the operator with this text"),
    "five_stars_day": Feature(pl.Int64, "count", "day", "Five-star reviews of the operator"),
    "reviews_day": Feature(pl.Int64, "count", "day", "Reviews of the operator"),
}
OPERATORS: dict[str, Feature] = {
    "verdict": Feature(pl.String, "class", "now", "What identity found: verified, rejected, unverified, lapsed"),
    "licence_fault": Feature(pl.Boolean, "flag", "now", "A reason concerns the licence or its scope"),
    "qualification_fault": Feature(pl.Boolean, "flag", "now", "A reason concerns a qualification that a trade needs"),
    "number_fault": Feature(pl.Boolean, "flag", "now", "A reason concerns the registration number"),
    "reasons": Feature(pl.Int64, "count", "now", "Reasons that identity gave"),
    "banned": Feature(pl.Boolean, "flag", "now", "The platform ended the account by a ban"),
    "returned": Feature(pl.Boolean, "flag", "now", "Opened after the ban of an account that it is linked to"),
    "beside_banned": Feature(pl.Boolean, "flag", "now", "Open already when an account that it is linked to was banned"),
    "display_violated": Feature(pl.Boolean, "flag", "now", "Newest snapshots of its shops do not display its licence"),
    "display_faults": Feature(pl.Int64, "count", "now", "Different faults of that display"),
    "return_score": Feature(pl.Float64, "bits", "now", "What speaks for that link; null where there is none"),
}
SHOPS: dict[str, Feature] = {
    "orders": Feature(pl.Int64, "count", "30 days", "Orders of the shop"),
    "buyers": Feature(pl.Int64, "count", "30 days", "Different buyers of the shop"),
    "repeat_improbability": Feature(
        pl.Float64, "powers of ten", "30 days", "How improbable it is that buyers come back so often"
    ),
    "hour_orders": Feature(pl.Int64, "count", "hour", "Orders of the least probable hour"),
    "hour_buyers": Feature(pl.Int64, "count", "hour", "Different buyers in that hour"),
    "hour_improbability": Feature(
        pl.Float64, "powers of ten", "hour", "How improbable so few buyers are for the orders of that hour"
    ),
    "device_improbability": Feature(
        pl.Float64, "powers of ten", "30 days", "How improbable it is that buyers share so few devices"
    ),
    "address_improbability": Feature(
        pl.Float64, "powers of ten", "30 days", "How improbable it is that buyers share so few addresses"
    ),
    "ring_buyers": Feature(pl.Int64, "count", "30 days", "Buyers of the ring the shop is in; 0 where in none"),
    "ring_shops": Feature(pl.Int64, "count", "30 days", "Shops of that ring"),
    "ring_improbability": Feature(pl.Float64, "powers of ten", "30 days", "How improbable that ring is by chance"),
    "ring_orders": Feature(pl.Int64, "count", "30 days", "Orders of the shop by members of its rings"),
    "ring_share": Feature(pl.Float64, "share", "30 days", "Those among all orders of the shop"),
}
REPUTATIONS: dict[str, Feature] = {
    "reviews": Feature(pl.Int64, "count", "30 days", "Reviews of the shop"),
    "reviewers": Feature(pl.Int64, "count", "30 days", "Different reviewers of the shop"),
    "five_star_share": Feature(pl.Float64, "share", "30 days", "Reviews with five stars that were not removed"),
    "praise_improbability": Feature(
        pl.Float64, "powers of ten", "30 days", "How improbable so many five stars are at the platform's usual share"
    ),
    "burst_reviews": Feature(pl.Int64, "count", "6 days", "Reviews around the most crowded one, three days either way"),
    "burst_improbability": Feature(
        pl.Float64, "powers of ten", "6 days", "How improbable that crowd is at the shop's own pace"
    ),
    "copied_share": Feature(
        pl.Float64,
        "share",
        "30 days",
        "Reviews with a text that stands here three times or nearly so, seldom elsewhere",
    ),
    "companions": Feature(pl.Int64, "count", "30 days", "Reviews by people who keep reviewing the same shops together"),
    "companion_share": Feature(pl.Float64, "share", "30 days", "Those among all reviews of the shop"),
    "fictitious_reviews": Feature(pl.Int64, "count", "30 days", "Reviews of orders that open alerts say were arranged"),
    "fictitious_share": Feature(pl.Float64, "share", "30 days", "Those among all reviews of the shop"),
    "removed": Feature(pl.Int64, "count", "30 days", "Reviews of the shop, or of the platform, that were removed"),
    "removed_low": Feature(pl.Int64, "count", "30 days", "Those with one or two stars"),
    "removed_low_share": Feature(pl.Float64, "share", "30 days", "These among all that were removed"),
    "low_removal_improbability": Feature(
        pl.Float64, "powers of ten", "30 days", "How improbable so many bad ones are among the removed"
    ),
    "removed_praise": Feature(pl.Int64, "count", "30 days", "Removed reviews with five stars"),
    "removed_praise_share": Feature(pl.Float64, "share", "30 days", "Five-star reviews that were removed since"),
    "praise_removal_improbability": Feature(
        pl.Float64, "powers of ten", "30 days", "How improbable so many are, as seldom as praise is removed elsewhere"
    ),
}
PARCELS: dict[str, Feature] = {
    "unshipped_h": Feature(pl.Float64, "hours", "now", "Since it was paid, no parcel known and not cancelled"),
}
WEIGHTS: dict[str, Feature] = {
    "weighed_parcels": Feature(
        pl.Int64,
        "count",
        "30 days",
        "Parcels with one offer alone, of known weight and a category of five shops or more",
    ),
    "light_parcels": Feature(
        pl.Int64,
        "count",
        "30 days",
        "Those lighter than a third of what 99 in 100 parcels of the category's other shops weigh, shops alike",
    ),
    "light_share": Feature(pl.Float64, "share", "30 days", "Those among the weighed ones"),
    "light_improbability": Feature(
        pl.Float64, "powers of ten", "30 days", "How improbable so many are, were one in a hundred usual"
    ),
}
INCIDENTS: dict[str, Feature] = {
    "kind": Feature(pl.String, "class", "now", "Kind of the incident"),
    "severity": Feature(pl.String, "low, medium, high, critical", "now", "As the platform rates it"),
    "affected": Feature(pl.Int64, "count", "now", "Persons or accounts affected, as far as known"),
    "related": Feature(
        pl.Int64, "count", "days around", "Incidents of its kind found about the same time, it included"
    ),
    "related_platforms": Feature(pl.Int64, "count", "days around", "Platforms that found them"),
    "related_affected": Feature(pl.Int64, "count", "days around", "Persons or accounts affected by all of them"),
}
CONTACTS: dict[str, Feature] = {
    "contacts": Feature(pl.Int64, "count", "month", "Messages and enrolments of a sender without consent in force"),
    "persons": Feature(pl.Int64, "count", "month", "Persons they went to"),
}
LEAKS: dict[str, Feature] = {
    "late_to": Feature(pl.String, "authority or persons", "now", "Who was not told in time of a leak of personal data"),
}
TOTALS: dict[str, Feature] = {
    "stated_orders": Feature(pl.Int64, "count", "month", "Orders of the month as the platform sums them up"),
    "known_orders": Feature(pl.Int64, "count", "month", "Orders of the month that the platform sent"),
    "stated_amount_minor": Feature(pl.Int64, "minor units", "month", "Their amount as the platform sums it up"),
    "known_amount_minor": Feature(pl.Int64, "minor units", "month", "Amount of those it sent, as last stated"),
    "only_stated": Feature(pl.Int64, "count", "month", "Orders listed and not sent; null where none are listed"),
    "only_known": Feature(pl.Int64, "count", "month", "Orders sent and not listed; null where none are listed"),
    "tolerance_share": Feature(pl.Float64, "share", "month", "What may be missing: the policy value totals.tolerance"),
}
OPERATOR_TOTALS: dict[str, Feature] = {
    "stated_orders": Feature(pl.Int64, "count", "month", "Orders of the operator as the platform sums them up"),
    "known_orders": Feature(pl.Int64, "count", "month", "Orders with a part of the operator's that the platform sent"),
    "stated_amount_minor": Feature(pl.Int64, "minor units", "month", "What it sold as the platform sums it up"),
    "known_amount_minor": Feature(pl.Int64, "minor units", "month", "Its goods and freight in those, as last stated"),
    "tolerance_share": TOTALS["tolerance_share"],
}
FLAGS: dict[str, Feature] = {
    "flag": Feature(pl.String, "class", "day", "Which flag was set: cancelled, returned"),
    "flips": Feature(pl.Int64, "count", "day", "Orders it was set for on the day, that had come without it"),
    "orders": Feature(pl.Int64, "count", "30 days", "Orders of the operator, or of the platform"),
    "flip_share": Feature(pl.Float64, "share", "day", "Those flagged among these"),
    "usual_share": Feature(
        pl.Float64, "share", "day", "The share at others on the day, or on a usual day before, whichever is larger"
    ),
    "flip_improbability": Feature(pl.Float64, "powers of ten", "day", "How improbable so many are by that share"),
}
_COUNTED = "order, payment or parcel"
ACTIVITY: dict[str, Feature] = {
    "kind": Feature(
        pl.String,
        "class",
        "now",
        "Of what: account, pair (account and buyer), buyer, device, address, listing, payer, courier, waybill",
    ),
    "hour": Feature(pl.Int64, "hour, UTC", "now", "Hour of the day of this act"),
    "value_minor": Feature(pl.Int64, "minor units of CNY", "now", "Value of this act, at the day's rates"),
    **{
        f"orders_{window}": Feature(pl.Int64, "count", window, f"Acts (an {_COUNTED}) within one window around this")
        for window in ("1h", "24h", "7d", "30d")
    },
    **{
        f"value_{window}_minor": Feature(pl.Int64, "minor units of CNY", window, "Their value")
        for window in ("1h", "24h", "7d", "30d")
    },
    **{
        f"partners_{window}": Feature(
            pl.Int64,
            "count",
            window,
            "Different ones they were with: buyers; operators of a buyer; orders of a waybill",
        )
        for window in ("1h", "24h", "7d", "30d")
    },
    "seen": Feature(pl.Int64, "count", "since first seen", "Acts before this one"),
    "usual_acts": Feature(pl.Float64, "count", "half-life 24h", "Acts with a value before this one, fading"),
    "usual_value_minor": Feature(pl.Float64, "minor units of CNY", "half-life 24h", "Their mean value; null without"),
    "usual_spread_minor": Feature(pl.Float64, "minor units of CNY", "half-life 24h", "Its standard deviation"),
    "since_last_s": Feature(
        pl.Float64, "seconds", "since first seen", "Since the newest act before; null for the first"
    ),
    "habit_improbability": Feature(
        pl.Float64,
        "powers of ten",
        "learnt daily",
        "How seldom an act of an account, a buyer or a payer has such a value, or is so far above what is usual of it; "
        "null for other kinds and without a model",
    ),
    "same_device": Feature(pl.Boolean, "flag", "since first seen", "From the device of the act that came before"),
}
CLAIMS: dict[str, Feature] = {
    "claims": Feature(
        pl.Int64, "count", "30 days", "Forbidden claims that stood in offers of the shop, by offer and kind"
    ),
    "claim_listings": Feature(pl.Int64, "count", "30 days", "Offers that made them"),
    "cure_claims": Feature(pl.Int64, "count", "30 days", "Of those offers, the ones that claimed to treat a disease"),
    "orders": Feature(pl.Int64, "count", "30 days", "Orders of the shop"),
    "complaints": Feature(pl.Int64, "count", "30 days", "Complaints about the shop, but for those found groundless"),
    "complaint_rate": Feature(pl.Float64, "share", "30 days", "Those among its orders"),
    "usual_rate": Feature(
        pl.Float64,
        "share",
        "30 days",
        "The same of the platform's other shops but those far out; null where those have no orders",
    ),
    "complaint_improbability": Feature(
        pl.Float64, "powers of ten", "30 days", "How improbable so many complaints are at the usual rate"
    ),
}
NUMBERS: dict[str, Feature] = {
    "missing": Feature(pl.Int64, "count", "now", "Numbers of a platform that did not come, between some that did"),
    "waited_h": Feature(pl.Float64, "hours", "now", "Since numbers on both sides of them are known"),
    "patience_h": Feature(pl.Float64, "hours", "now", "How long they may take: the policy value sequence.waiting"),
}
DECLARED: dict[str, Feature] = {
    "declared_minor": Feature(pl.Int64, "minor units", "now", "Value of the declaration as last stated"),
    "declared_currency": Feature(pl.String, "ISO 4217", "now", "Its currency"),
    "sold_minor": Feature(
        pl.Int64,
        "minor units",
        "when paid",
        "Goods and freight of the operator in the order it names, when order and payment were first known together",
    ),
    "sold_currency": Feature(pl.String, "ISO 4217", "when paid", "Currency of that"),
    "declared_share": Feature(
        pl.Float64, "share", "now", "Declared of what was sold, at the day's rates; null where one has no rate"
    ),
}
LODGED: dict[str, Feature] = {
    "customs_fault": Feature(
        pl.Boolean, "flag", "when lodged", "Something was against its firm's registration with customs on that day"
    ),
    "mode": Feature(pl.String, "class", "now", "B2B, B2C or C2C"),
    "value_minor": Feature(pl.Int64, "minor units", "now", "Value of the declaration as last stated"),
}
STREAMS: dict[str, dict[str, Feature]] = {
    "transactions": TRANSACTIONS,
    "reviews": REVIEWS,
    "operators": OPERATORS,
    "shops": SHOPS,
    "reputations": REPUTATIONS,
    "parcels": PARCELS,
    "weights": WEIGHTS,
    "incidents": INCIDENTS,
    "contacts": CONTACTS,
    "leaks": LEAKS,
    "totals": TOTALS,
    "operator_totals": OPERATOR_TOTALS,
    "flags": FLAGS,
    "activity": ACTIVITY,
    "claims": CLAIMS,
    "numbers": NUMBERS,
    "declared": DECLARED,
    "lodged": LODGED,
}
