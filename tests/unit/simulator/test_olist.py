"""Real orders: the totals of the sample, and small directories as dirty as data can be."""

import gzip
import os
from collections import Counter
from pathlib import Path

import pytest

from shared.events.platform import (
    ListingPublished,
    OperatorRegistered,
    OrderPlaced,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
    ReviewPosted,
)
from simulator.olist import PLATFORM_ID, OlistOrders
from simulator.records import MissingFileError
from tests.unit.simulator.streams import Decoded, decoded, facts_of

SAMPLE = Path(os.environ.get("CROSSWATCH_DATA", Path(__file__).parents[4] / "shared" / "data")) / "olist"

CLEAN = {
    "orders": """order_id,customer_id,order_status,order_purchase_timestamp,order_approved_at,\
order_delivered_carrier_date,order_delivered_customer_date,order_estimated_delivery_date
o1,c1,delivered,2017-05-01 10:00:00,2017-05-01 10:05:00,2017-05-02 08:00:00,2017-05-06 15:00:00,
o2,c2,canceled,2017-05-03 10:00:00,,,,2017-05-20 00:00:00
""",
    "customers": """customer_id,customer_unique_id,customer_zip_code_prefix,customer_city,customer_state
c1,p1,01310,sao paulo,SP
c2,p1,01310,sao paulo,SP
""",
    "order_items": """order_id,order_item_id,product_id,seller_id,shipping_limit_date,price,freight_value
o1,1,g1,s1,2017-05-05 00:00:00,99.9,10.05
o1,2,g1,s1,2017-05-05 00:00:00,99.9,10.05
""",
    "order_payments": """order_id,payment_sequential,payment_type,payment_installments,payment_value
o1,1,credit_card,1,200.00
o1,2,voucher,1,19.90
o2,1,boleto,1,50
""",
    "order_reviews": """review_id,order_id,review_score,review_comment_title,review_comment_message,\
review_creation_date,review_answer_timestamp
r1,o1,5,,"chegou
antes",2017-05-07 00:00:00,2017-05-08 09:00:00
r1,o2,1,nunca,,2017-05-07 00:00:00,2017-05-08 09:00:00
""",
    "products": "product_id,product_category_name\ng1,bebes\n",
    "sellers": "seller_id,seller_zip_code_prefix,seller_city,seller_state\ns1,04726,sao paulo,SP\n",
    "category_translation": "\ufeffproduct_category_name,product_category_name_english\nbebes,baby\n",
}
RECORDS = {"orders": 2, "order_items": 2, "order_payments": 3, "order_reviews": 2}


def directory(at: Path, changes: dict[str, str] | None = None) -> Path:
    for name, text in (CLEAN | (changes or {})).items():
        (at / f"{name}.csv").write_bytes(text.encode(errors="surrogateescape"))
    return at


def with_line(table: str, line: str) -> dict[str, str]:
    return {table: f"{CLEAN[table]}{line}\n"}


def stream_of(source: OlistOrders) -> list[Decoded]:
    return list(decoded(source.events(PLATFORM_ID)))


@pytest.fixture(scope="module")
def source() -> OlistOrders:
    if not SAMPLE.is_dir():
        pytest.skip(f"no real orders at {SAMPLE}; set CROSSWATCH_DATA to the directory that holds olist/")
    return OlistOrders(SAMPLE)


class TestSample:
    def test_gives_the_totals_counted_independently(self, source: OlistOrders) -> None:
        events = list(source.events(PLATFORM_ID))

        assert Counter(event.kind for event in events) == {
            "operators": 1_610,
            "listings": 5_566,
            "orders": 8_135,
            "payments": 8_924,
            "shipments": 6_353,
            "deliveries": 5_170,
            "reviews": 8_225,
        }
        assert sum(event.order_lines for event in events) == 8_365

    def test_leaves_nothing_out(self, source: OlistOrders) -> None:
        assert source.findings.problems == []
        assert source.findings.remarks["order without lines"] == 775
        assert source.findings.remarks["order shipped before it was placed"] == 3
        assert source.findings.remarks["order delivered before it was shipped"] == 3

    def test_gives_valid_events_with_ids_of_their_own_in_order_of_time(self, source: OlistOrders) -> None:
        stream = stream_of(source)
        times = [event.envelope.time for event in stream if event.envelope.time]

        assert len({event.envelope.id for event in stream}) == len(stream)
        assert times == sorted(times)

    def test_pays_what_was_ordered_but_for_21_orders(self, source: OlistOrders) -> None:
        stream, paid = stream_of(source), Counter[str]()
        for payment in facts_of(PaymentMade, stream):
            paid[payment.order_ref] += payment.amount_minor
        differing = 0
        for order in facts_of(OrderPlaced, stream):
            due = sum(line.unit_price_minor + line.freight_minor for line in order.lines)
            differing += bool(order.lines) and abs(paid[order.order_ref] - due) > 100

        assert differing == 21


class TestCleanDirectory:
    def test_becomes_events_in_order_of_time(self, tmp_path: Path) -> None:
        source = OlistOrders(directory(tmp_path))
        stream = stream_of(source)

        assert [type(event.fact) for event in stream] == [
            OperatorRegistered,
            ListingPublished,
            OrderPlaced,
            PaymentMade,
            PaymentMade,
            ParcelShipped,
            OrderPlaced,
            PaymentMade,
            ParcelDelivered,
            ReviewPosted,
            ReviewPosted,
        ]
        assert source.findings.problems == []

    def test_keeps_equal_pieces_as_lines_of_their_own(self, tmp_path: Path) -> None:
        first, second = facts_of(OrderPlaced, stream_of(OlistOrders(directory(tmp_path))))

        assert [(line.line_ref, line.quantity, line.unit_price_minor) for line in first.lines] == [
            ("1", 1, 9990),
            ("2", 1, 9990),
        ]
        assert second.lines == []
        assert first.buyer_ref == second.buyer_ref == "p1"

    def test_tells_reviews_of_one_id_apart(self, tmp_path: Path) -> None:
        stream = stream_of(OlistOrders(directory(tmp_path)))
        reviews = [event for event in stream if isinstance(event.fact, ReviewPosted)]

        assert {review.fact.text for review in reviews if isinstance(review.fact, ReviewPosted)} == {
            "chegou\nantes",
            None,
        }
        assert len({review.envelope.id for review in reviews}) == 2

    def test_is_the_same_compressed_and_under_the_published_names(self, tmp_path: Path) -> None:
        plain = list(OlistOrders(directory(tmp_path)).events(PLATFORM_ID))
        published = tmp_path / "published"
        published.mkdir()
        for name, text in CLEAN.items():
            long = "product_category_name_translation" if name[0] == "c" and "_" in name else f"olist_{name}_dataset"
            (published / f"{long}.csv.gz").write_bytes(gzip.compress(text.encode()))

        assert list(OlistOrders(published).events(PLATFORM_ID)) == plain


class TestDirtyDirectory:
    @pytest.mark.parametrize(
        ("table", "line", "field", "added"),
        [
            ("orders", "o3,c1,created,yesterday,,,,", "order_purchase_timestamp", 0),
            ("orders", ",c1,created,2017-05-03 10:00:00,,,,", "order_id", 0),
            ("orders", "o3,c1,created,2017-05-03 10:00:00,,soon,,", "order_delivered_carrier_date", 1),
            ("orders", "o3,c9,created,2017-05-03 10:00:00,,,,", "customer_id", 1),
            ("orders", "o3,c1", "", 0),
            ("order_items", "o1,3,g1,s1,2017-05-05 00:00:00,1.005,0", "price", 0),
            ("order_items", "o9,1,g1,s1,2017-05-05 00:00:00,1.00,0", "order_id", 0),
            ("order_items", "o2,1,g1,s9,2017-05-05 00:00:00,1.00,0", "seller_id", 1),
            ("order_items", "o2,1,g9,s1,2017-05-05 00:00:00,1.00,0", "product_id", 1),
            ("order_payments", "o1,3,voucher,1,-5", "payment_value", 0),
            ("order_payments", "o9,1,voucher,1,5", "order_id", 0),
            ("order_reviews", "r2,o1,6,,,2017-05-07 00:00:00,2017-05-08 09:00:00", "review_score", 0),
            (
                "order_reviews",
                "r2,o1,4,,\udcff,2017-05-07 00:00:00,2017-05-08 09:00:00",
                "review_comment_message",
                1,
            ),
        ],
    )
    def test_names_what_it_cannot_take(self, table: str, line: str, field: str, added: int, tmp_path: Path) -> None:
        before = len(stream_of(OlistOrders(directory(tmp_path))))
        source = OlistOrders(directory(tmp_path, with_line(table, line)))
        (problem,) = source.findings.problems

        assert (problem.file, problem.record) == (f"{table}.csv", RECORDS[table] + 1)
        assert problem.field == field
        assert problem.reason
        assert source.expected_events - before == added

    def test_takes_a_repeated_record_once(self, tmp_path: Path) -> None:
        clean = list(OlistOrders(directory(tmp_path)).events(PLATFORM_ID))
        source = OlistOrders(directory(tmp_path, with_line("order_payments", "o2,1,boleto,1,50")))

        assert list(source.events(PLATFORM_ID)) == clean
        assert source.findings.remarks["order_payments.csv: record repeated word for word, taken once"] == 1

    def test_keeps_both_of_one_key_with_other_content(self, tmp_path: Path) -> None:
        source = OlistOrders(directory(tmp_path, with_line("order_payments", "o2,1,boleto,1,51")))
        stream = stream_of(source)
        payments = [payment for payment in facts_of(PaymentMade, stream) if payment.order_ref == "o2"]

        assert {(payment.payment_ref, payment.amount_minor) for payment in payments} == {
            ("o2-1", 5000),
            ("o2-1#2", 5100),
        }
        assert len({event.envelope.id for event in stream}) == len(stream)
        assert [problem.field for problem in source.findings.problems] == ["order_id+payment_sequential"]

    def test_says_where_a_truncated_file_ends(self, tmp_path: Path) -> None:
        directory(tmp_path)
        whole = gzip.compress(CLEAN["order_reviews"].encode())
        (tmp_path / "order_reviews.csv").unlink()
        (tmp_path / "order_reviews.csv.gz").write_bytes(whole[:-12])
        source = OlistOrders(tmp_path)

        assert "nothing can be read from here on" in source.findings.problems[-1].reason

    def test_refuses_a_directory_without_a_file(self, tmp_path: Path) -> None:
        (directory(tmp_path) / "sellers.csv").unlink()

        with pytest.raises(MissingFileError, match=r"sellers\.csv"):
            OlistOrders(tmp_path)

    def test_refuses_a_file_without_a_column(self, tmp_path: Path) -> None:
        with pytest.raises(MissingFileError, match="seller_city"):
            OlistOrders(directory(tmp_path, {"sellers": "seller_id,seller_zip_code_prefix,seller_state\n"}))
