"""The tables of Olist's public dataset as typed rows: exact money, UTC times, nothing dropped in silence."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from simulator.records import Findings, Record, read_records, readable

_ZONE = ZoneInfo("America/Sao_Paulo")
_AMOUNT = re.compile(r"[0-9]{1,13}(\.[0-9]{1,10})?")
_LOCAL_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
# Two ids and a separator must fit a reference, which has at most 200 characters.
_LONGEST_ID = 90


def identifier(text: str) -> str:
    """Return an id as it stands."""
    if not text:
        raise ValueError("empty")
    if len(text) > _LONGEST_ID:
        raise ValueError(f"longer than {_LONGEST_ID} characters")
    return text


def amount_minor(text: str) -> int:
    """Return centavos, exactly: nothing is rounded."""
    if not _AMOUNT.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no amount")
    minor = Decimal(text) * 100
    if minor != minor.to_integral_value():
        raise ValueError(f"{text!r} is finer than a centavo")
    return int(minor)


def rating(text: str) -> int:
    """Return stars from 1 to 5."""
    if text not in {"1", "2", "3", "4", "5"}:
        raise ValueError(f"{text[:40]!r} is not 1 to 5")
    return int(text)


def utc_time(text: str, findings: Findings) -> datetime:
    """Return the UTC time of a naive local time of Brazil.

    Where the clock was put back, the first of the two hours is meant. An hour that was skipped is read as
    if the clock had not been put forward yet. Both are counted.
    """
    if not _LOCAL_TIME.fullmatch(text):
        raise ValueError(f"{text[:40]!r} is no time")
    local = datetime.fromisoformat(text).replace(tzinfo=_ZONE, fold=0)
    first, second = local.utcoffset(), local.replace(fold=1).utcoffset()
    if first != second and first is not None and second is not None:
        kind = "twice on that night's clock, the first is taken" if first > second else "skipped by the clock"
        findings.remarks[f"local time that was {kind}"] += 1
    return local.astimezone(UTC)


@dataclass(frozen=True, kw_only=True)
class Order:
    """A row of orders; `variant` sets a second row of the same id apart."""

    order_id: str
    buyer_ref: str
    status: str
    placed_at: datetime
    approved_at: datetime | None
    shipped_at: datetime | None
    delivered_at: datetime | None
    variant: str


@dataclass(frozen=True, kw_only=True)
class Item:
    """A row of order_items: one piece. The same product twice is two rows."""

    record: Record
    order_id: str
    line_ref: str
    product_id: str
    seller_id: str
    price_minor: int
    freight_minor: int


@dataclass(frozen=True, kw_only=True)
class Payment:
    """A row of order_payments."""

    record: Record
    order_id: str
    payment_ref: str
    channel: str
    amount_minor: int


@dataclass(frozen=True, kw_only=True)
class Review:
    """A row of order_reviews. One review_id may stand for several orders."""

    review_id: str
    order_id: str
    rating: int
    title: str | None
    text: str | None
    posted_at: datetime
    variant: str


@dataclass(frozen=True, kw_only=True)
class Seller:
    """A row of sellers."""

    seller_id: str
    address: str
    variant: str


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Everything of a directory that could be read."""

    orders: dict[str, list[Order]]
    items: dict[str, list[Item]]
    payments: list[Payment]
    reviews: list[Review]
    sellers: list[Seller]
    categories: dict[str, str]


def read_tables(directory: Path, findings: Findings) -> Tables:
    """Read a directory in Olist's form, under its file names of today or of the published dataset."""
    reader = _Reader(directory, findings)
    orders: dict[str, list[Order]] = defaultdict(list)
    for order in reader.orders():
        orders[order.order_id].append(order)
    items: dict[str, list[Item]] = defaultdict(list)
    for item in reader.items():
        items[item.order_id].append(item)
    return Tables(
        orders=dict(orders),
        items=dict(items),
        payments=list(reader.payments()),
        reviews=list(reader.reviews()),
        sellers=list(reader.sellers()),
        categories=reader.categories(),
    )


class _Reader:
    def __init__(self, directory: Path, findings: Findings) -> None:
        self._directory = directory
        self._findings = findings
        self._time = partial(utc_time, findings=findings)

    def orders(self) -> Iterator[Order]:
        customers = self._customers()
        names = ("purchase_timestamp", "approved_at", "delivered_carrier_date", "delivered_customer_date")
        purchase, approved, carrier, customer = (f"order_{name}" for name in names)
        columns = ("order_id", "customer_id", "order_status", purchase, approved, carrier, customer)

        def build(record: Record) -> Order:
            customer_id = record.read("customer_id", identifier)
            if customer_id not in customers:
                record.report("customer_id", "not among the customers: the id itself stands for the buyer")
            return Order(
                order_id=record.read("order_id", identifier),
                buyer_ref=customers.get(customer_id, customer_id),
                status=record.fields["order_status"],
                placed_at=record.read(purchase, self._time),
                approved_at=record.read_if_given(approved, self._time),
                shipped_at=record.read_if_given(carrier, self._time),
                delivered_at=record.read_if_given(customer, self._time),
                variant=record.variant,
            )

        return readable(self._records("orders", columns, key=("order_id",)), build)

    def items(self) -> Iterator[Item]:
        columns = ("order_id", "order_item_id", "product_id", "seller_id", "price", "freight_value")

        def build(record: Record) -> Item:
            return Item(
                record=record,
                order_id=record.read("order_id", identifier),
                line_ref=record.read("order_item_id", identifier) + record.variant,
                product_id=record.read("product_id", identifier),
                seller_id=record.read("seller_id", identifier),
                price_minor=record.read("price", amount_minor),
                freight_minor=record.read("freight_value", amount_minor),
            )

        return readable(self._records("order_items", columns, key=("order_id", "order_item_id")), build)

    def payments(self) -> Iterator[Payment]:
        columns = ("order_id", "payment_sequential", "payment_type", "payment_value")

        def build(record: Record) -> Payment:
            order_id = record.read("order_id", identifier)
            return Payment(
                record=record,
                order_id=order_id,
                payment_ref=f"{order_id}-{record.read('payment_sequential', identifier)}{record.variant}",
                channel=record.fields["payment_type"],
                amount_minor=record.read("payment_value", amount_minor),
            )

        key = ("order_id", "payment_sequential")
        return readable(self._records("order_payments", columns, key=key), build)

    def reviews(self) -> Iterator[Review]:
        title, text, answered = "review_comment_title", "review_comment_message", "review_answer_timestamp"
        columns = ("review_id", "order_id", "review_score", title, text, answered)

        def build(record: Record) -> Review:
            return Review(
                review_id=record.read("review_id", identifier),
                order_id=record.read("order_id", identifier),
                rating=record.read("review_score", rating),
                title=record.fields[title] or None,
                text=record.fields[text] or None,
                posted_at=record.read(answered, self._time),
                variant=record.variant,
            )

        return readable(self._records("order_reviews", columns, key=("review_id", "order_id")), build)

    def sellers(self) -> Iterator[Seller]:
        place = ("seller_zip_code_prefix", "seller_city", "seller_state")

        def build(record: Record) -> Seller:
            return Seller(
                seller_id=record.read("seller_id", identifier),
                address=" ".join(record.fields[name] for name in place if record.fields[name]),
                variant=record.variant,
            )

        return readable(self._records("sellers", ("seller_id", *place), key=("seller_id",)), build)

    def categories(self) -> dict[str, str]:
        """Return each product's category, in English where there is a translation."""
        name, english = "product_category_name", "product_category_name_english"
        translations = self._records("category_translation", (name, english), key=(name,))
        translated = {record.fields[name]: record.fields[english] for record in translations}
        categories: dict[str, str] = {}
        for record in self._records("products", ("product_id", name), key=("product_id",)):
            category = record.fields[name]
            if not category:
                self._findings.remarks["product without a category"] += 1
            elif category not in translated:
                self._findings.remarks["product category without a translation, kept in Portuguese"] += 1
            categories.setdefault(record.fields["product_id"], translated.get(category, category))
        return categories

    def _customers(self) -> dict[str, str]:
        columns = ("customer_id", "customer_unique_id")

        def build(record: Record) -> tuple[str, str]:
            return record.read(columns[0], identifier), record.read(columns[1], identifier)

        people: dict[str, str] = {}
        for customer_id, person in readable(self._records("customers", columns, key=columns[:1]), build):
            people.setdefault(customer_id, person)
        return people

    def _records(self, table: str, columns: tuple[str, ...], *, key: tuple[str, ...]) -> Iterator[Record]:
        published = "product_category_name_translation" if table.startswith("category") else f"olist_{table}_dataset"
        return read_records(self._directory, (table, published), columns=columns, key=key, findings=self._findings)
