"""Three-document matching: each class, their precedence, and that the order of arrival changes nothing."""

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.listings.documents import Documents
from services.listings.matching import Match, Tolerances, classify, due_minor, paid_minor
from shared.events.platform import (
    OrderCancelled,
    OrderLine,
    OrderPlaced,
    OrderReturned,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
)

ORDERED = datetime(2026, 3, 1, 10, tzinfo=UTC)
TOLERANCES = Tolerances(amount_units=1.0, weight_share=0.1)


def order(*, price: int = 10_000, lines: int = 1, **fields: Any) -> OrderPlaced:
    bought = [
        OrderLine(line_ref=str(n), listing_ref="lamp", operator_ref="shop", quantity=1, unit_price_minor=price)
        for n in range(lines)
    ]
    stated = {"buyer_ref": "buyer", "currency": "CNY", "placed_at": ORDERED, "lines": bought, **fields}
    return OrderPlaced(order_ref="order", **stated)


def payment(amount: int = 10_000, *, ref: str = "payment", **fields: Any) -> PaymentMade:
    stated = {"currency": "CNY", "paid_at": ORDERED, **fields}
    return PaymentMade(payment_ref=ref, order_ref="order", amount_minor=amount, **stated)


def shipment(hours: float = 1, *, ref: str = "parcel", **fields: Any) -> ParcelShipped:
    at = ORDERED + timedelta(hours=hours)
    return ParcelShipped(waybill_ref=ref, order_ref="order", shipped_at=at, **fields)


def delivery(hours: float = 48, *, ref: str = "parcel", **fields: Any) -> ParcelDelivered:
    at = ORDERED + timedelta(hours=hours)
    return ParcelDelivered(waybill_ref=ref, order_ref="order", delivered_at=at, **fields)


def match_of(*events: Any) -> Match:
    documents = Documents()
    for event in events:
        documents.add(event)
    return classify(documents, TOLERANCES)


class TestClassify:
    @pytest.mark.parametrize(
        ("events", "match", "reasons"),
        [
            ([payment()], "payment_without_lines", ["order_missing"]),
            ([order(lines=0), payment()], "payment_without_lines", ["lines_missing"]),
            ([order(), payment(9_899), shipment()], "amount_mismatch", ["underpaid"]),
            ([order(), payment(10_101), shipment()], "amount_mismatch", ["overpaid"]),
            ([order(), payment(currency="USD"), shipment()], "amount_mismatch", ["currency_differs"]),
            ([order(), shipment(-1)], "time_order", ["shipped_before_ordered"]),
            ([shipment(5), delivery(4)], "time_order", ["delivered_before_shipped"]),
            ([order(), payment(), shipment()], "matched", []),
            ([order(), payment(), shipment(), delivery()], "matched", []),
            ([order(), payment(), delivery()], "matched", []),
            ([order(), payment(6_000), payment(4_000, ref="rest"), shipment()], "matched", []),
            ([order(), payment()], "awaiting_documents", ["waybill_missing"]),
            ([order(), shipment()], "awaiting_documents", ["payment_missing"]),
            ([shipment()], "awaiting_documents", ["order_missing", "payment_missing"]),
            ([order(), payment(payer_ref="friend"), shipment()], "awaiting_documents", ["payer_differs"]),
            (
                [order(), payment(), shipment(consignee_ref="friend")],
                "awaiting_documents",
                ["consignee_differs"],
            ),
            (
                [order(), payment(), shipment(consignee_ref="buyer"), delivery(consignee_ref="friend")],
                "awaiting_documents",
                ["consignee_differs"],
            ),
            (
                [order(), payment(), shipment(weight_g=1_000), delivery(weight_g=899)],
                "awaiting_documents",
                ["weight_differs"],
            ),
        ],
        ids=str,
    )
    def test_names_the_class_and_what_speaks_against_a_match(
        self, events: list[Any], match: str, reasons: list[str]
    ) -> None:
        assert match_of(*events) == Match(match, reasons)  # type: ignore[arg-type]

    def test_lets_amounts_differ_by_the_tolerance_and_no_more(self) -> None:
        assert match_of(order(), payment(9_900), shipment()).match == "matched"
        assert match_of(order(), payment(9_899), shipment()).match == "amount_mismatch"

    def test_counts_the_tolerance_in_units_of_the_currency(self) -> None:
        yen = [order(currency="JPY"), payment(10_001, currency="JPY"), shipment()]
        dinar = [order(currency="KWD"), payment(11_000, currency="KWD"), shipment()]

        assert match_of(*yen).match == "matched"
        assert match_of(*dinar).match == "matched"
        assert match_of(yen[0], payment(10_002, currency="JPY")).match == "amount_mismatch"

    def test_lets_the_first_that_applies_win(self) -> None:
        late, early = delivery(-5, weight_g=1), shipment(-1, weight_g=1_000, consignee_ref="friend")

        assert match_of(late, early, payment(1)).match == "payment_without_lines"
        assert match_of(late, early, payment(1), order()).match == "amount_mismatch"
        assert match_of(late, early, payment(), order()).match == "time_order"

    def test_adds_freight_to_what_is_due(self) -> None:
        documents = Documents()
        line = OrderLine(
            line_ref="1",
            listing_ref="lamp",
            operator_ref="shop",
            quantity=3,
            unit_price_minor=1_000,
            freight_minor=500,
        )

        documents.add(msgspec.structs.replace(order(), lines=[line]))
        documents.add(payment(3_500))

        assert (due_minor(documents), paid_minor(documents)) == (3_500, 3_500)


def joined(parts: tuple[Any, ...]) -> list[Any]:
    return list(chain.from_iterable(parts))


refs = st.sampled_from([None, "buyer", "friend"])
weights = st.sampled_from([None, 900, 1_000, 2_000])
hours = st.integers(-2, 4)

# Documents of one order, each sent once: what is sent twice replaces, and then the last one counts.
documents_of_an_order = st.tuples(
    st.sampled_from([[], [order()], [order(lines=0)], [order(currency="USD")]]),
    st.lists(
        st.builds(
            payment,
            st.sampled_from([4_000, 6_000, 10_000]),
            ref=st.sampled_from("ab"),
            payer_ref=refs,
            currency=st.sampled_from(["CNY", "USD"]),
        ),
        max_size=2,
        unique_by=lambda p: p.payment_ref,
    ),
    st.lists(
        st.builds(
            shipment,
            hours,
            ref=st.sampled_from("xy"),
            consignee_ref=refs,
            weight_g=weights,
            courier=st.sampled_from([None, "fast", "slow"]),
        ),
        max_size=2,
        unique_by=lambda p: p.waybill_ref,
    ),
    st.lists(
        st.builds(
            delivery,
            hours,
            ref=st.sampled_from("xy"),
            consignee_ref=refs,
            weight_g=weights,
            courier=st.sampled_from([None, "fast", "slow"]),
        ),
        max_size=2,
        unique_by=lambda p: p.waybill_ref,
    ),
    st.sampled_from(
        [
            [],
            [OrderCancelled(order_ref="order", cancelled_at=ORDERED)],
            [OrderReturned(order_ref="order", returned_at=ORDERED)],
        ]
    ),
).map(joined)


@given(st.data())
def test_any_order_of_arrival_gives_the_same_documents_and_the_same_class(data: st.DataObject) -> None:
    events = data.draw(documents_of_an_order)
    shuffled = data.draw(st.permutations(events))
    first, second = Documents(), Documents()

    for event in events:
        first.add(event)
    for event in shuffled:
        second.add(event)

    assert first == second
    assert classify(first, TOLERANCES) == classify(second, TOLERANCES)


@given(documents_of_an_order)
def test_documents_survive_storage(events: list[Any]) -> None:
    documents = Documents()
    for event in events:
        documents.add(event)

    stored = msgspec.msgpack.decode(msgspec.msgpack.encode(documents), type=Documents)

    assert stored == documents
