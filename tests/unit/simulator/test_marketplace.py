"""The marketplace: the same bytes in every run, valid events, in an order a platform could send."""

import re
from collections import Counter
from datetime import datetime, timedelta

import pytest
from stdnum.ean import is_valid as is_valid_gtin

from shared.events.platform import (
    ListingPublished,
    OperatorDeregistered,
    OperatorRegistered,
    OrderCancelled,
    OrderPlaced,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
    ReviewPosted,
)
from simulator.platforms import PLATFORMS
from simulator.timeline import HISTORY_DAYS
from tests.unit.simulator.registers import passes_check
from tests.unit.simulator.streams import BASE, Decoded, decoded, facts_of, marketplace

UUID_V7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")


@pytest.fixture(scope="module")
def streams() -> dict[str, list[Decoded]]:
    source = marketplace()
    return {platform_id: list(decoded(source.events(platform_id))) for platform_id in source.platform_ids}


@pytest.fixture(scope="module")
def everything(streams: dict[str, list[Decoded]]) -> list[Decoded]:
    return [event for stream in streams.values() for event in stream]


def _time(event: Decoded) -> datetime:
    assert event.envelope.time is not None
    return datetime.fromisoformat(event.envelope.time)


class TestDeterminism:
    def test_gives_the_same_bytes_for_the_same_arguments(self) -> None:
        first, second = marketplace(), marketplace()

        for platform_id in first.platform_ids:
            assert list(first.events(platform_id)) == list(second.events(platform_id))
            assert list(first.complaints(platform_id)) == list(second.complaints(platform_id))
        assert first.truth() == second.truth()

    def test_does_not_depend_on_what_was_drawn_before(self) -> None:
        source = marketplace()
        before = list(source.events("jade-mall"))
        source.truth()

        assert list(source.events("jade-mall")) == before

    def test_gives_other_orders_for_another_seed(self) -> None:
        first, second = (facts_of(OrderPlaced, decoded(marketplace(seed=seed).events("jade-mall"))) for seed in (1, 2))

        assert not {order.order_ref for order in first} & {order.order_ref for order in second}

    def test_gives_other_orders_but_the_same_merchants_for_another_base(self) -> None:
        streams = [
            list(decoded(marketplace(base=base).events("jade-mall"))) for base in (BASE, BASE + timedelta(days=1))
        ]
        orders = [{order.order_ref for order in facts_of(OrderPlaced, stream)} for stream in streams]
        merchants = [{file.operator_ref for file in facts_of(OperatorRegistered, stream)} for stream in streams]

        assert not orders[0] & orders[1]
        assert merchants[0] == merchants[1]


class TestStream:
    def test_has_about_the_size_that_was_asked_for(self, everything: list[Decoded]) -> None:
        assert 5_400 < len(everything) < 6_600

    def test_speaks_cloudevents(self, streams: dict[str, list[Decoded]]) -> None:
        for platform_id, stream in streams.items():
            assert {event.envelope.source for event in stream} == {f"/platforms/{platform_id}"}
            assert {event.envelope.specversion for event in stream} == {"1.0"}
            assert all(event.envelope.subject for event in stream)
            assert all(UUID_V7.fullmatch(event.envelope.id) for event in stream)

    def test_uses_every_id_once(self, streams: dict[str, list[Decoded]]) -> None:
        for stream in streams.values():
            assert len({event.envelope.id for event in stream}) == len(stream)

    def test_runs_in_order_of_time_and_ends_at_the_base(self, streams: dict[str, list[Decoded]]) -> None:
        for stream in streams.values():
            times = [_time(event) for event in stream]
            assert times == sorted(times)
            # Before the month there are registrations of long ago only.
            of_month = [_time(event) for event in stream if not str(event.envelope.subject).startswith("long-ago")]
            assert BASE - timedelta(days=HISTORY_DAYS) <= of_month[0]
            assert times[-1] < BASE

    def test_dates_the_envelope_as_the_fact(self, everything: list[Decoded]) -> None:
        for event in everything:
            if isinstance(event.fact, OrderPlaced):
                assert _time(event) == event.fact.placed_at
            if isinstance(event.fact, ParcelDelivered):
                assert _time(event) == event.fact.delivered_at

    def test_registers_and_offers_before_it_sells(self, streams: dict[str, list[Decoded]]) -> None:
        for stream in streams.values():
            operators, listings = set(), set()
            for _, fact in stream:
                if isinstance(fact, OperatorRegistered):
                    operators.add(fact.operator_ref)
                elif isinstance(fact, ListingPublished):
                    assert fact.operator_ref in operators
                    listings.add(fact.listing_ref)
                elif isinstance(fact, OrderPlaced):
                    assert {line.operator_ref for line in fact.lines} <= operators
                    assert {line.listing_ref for line in fact.lines} <= listings

    def test_sells_nothing_of_a_banned_merchant(self, streams: dict[str, list[Decoded]]) -> None:
        for stream in streams.values():
            banned = set()
            for _, fact in stream:
                if isinstance(fact, OperatorDeregistered):
                    assert fact.reason == "banned"
                    banned.add(fact.operator_ref)
                elif isinstance(fact, OrderPlaced):
                    assert not banned & {line.operator_ref for line in fact.lines}
            assert banned

    def test_places_every_order_before_its_documents(self, streams: dict[str, list[Decoded]]) -> None:
        documents = (PaymentMade, ParcelShipped, ParcelDelivered, ReviewPosted, OrderCancelled)
        for stream in streams.values():
            placed = set()
            for _, fact in stream:
                if isinstance(fact, OrderPlaced):
                    assert fact.order_ref not in placed
                    placed.add(fact.order_ref)
                elif isinstance(fact, documents):
                    assert fact.order_ref in placed

    def test_has_every_kind_of_document(self, everything: list[Decoded]) -> None:
        kinds = Counter(type(event.fact) for event in everything)
        orders = facts_of(OrderPlaced, everything)

        assert all(kinds[kind] for kind in (OrderCancelled, ParcelShipped, ParcelDelivered, ReviewPosted))
        assert kinds[PaymentMade] > kinds[ParcelShipped] > kinds[ParcelDelivered] > kinds[ReviewPosted]
        assert {len(order.lines) for order in orders} == {1, 2, 3}
        assert any(len({line.operator_ref for line in order.lines}) > 1 for order in orders)

    def test_trades_in_each_platforms_own_currency(self, streams: dict[str, list[Decoded]]) -> None:
        for platform in PLATFORMS:
            orders = facts_of(OrderPlaced, streams[platform.id])
            assert {order.currency for order in orders} == {platform.currency}

    def test_follows_a_zipf_like_popularity(self) -> None:
        orders = facts_of(OrderPlaced, decoded(marketplace(events=40_000).events("jade-mall")))
        sales = [count for _, count in Counter(order.lines[0].operator_ref for order in orders).most_common()]

        assert sum(sales[: len(sales) // 5]) > 0.45 * sum(sales)
        assert sales[0] > 15 * sales[-1]


class TestNumbers:
    def test_registers_merchants_with_numbers_that_pass_their_check(self, everything: list[Decoded]) -> None:
        files = [file for file in facts_of(OperatorRegistered, everything) if file.registration]
        wrong = [file for file in files if file.registration and not passes_check(file.registration)]
        planted = {
            ref
            for scheme in marketplace().truth()
            if scheme.note.startswith("check digit")
            for ref in scheme.operator_refs
        }

        assert len({file.jurisdiction for file in files}) > 3
        assert {file.operator_ref for file in wrong} == planted

    def test_gives_listings_valid_gtins(self, everything: list[Decoded]) -> None:
        listings = facts_of(ListingPublished, everything)

        assert all(listing.gtin and is_valid_gtin(listing.gtin) for listing in listings)

    def test_names_people_only_by_hashes(self, everything: list[Decoded]) -> None:
        hashed = re.compile(r"[0-9a-f]{24}")

        for order in facts_of(OrderPlaced, everything):
            refs = (order.buyer_ref, order.device_ref, order.address_ref, order.ip_ref)
            assert all(ref and hashed.fullmatch(ref) for ref in refs)

    def test_gives_a_person_another_hash_on_each_platform(self, streams: dict[str, list[Decoded]]) -> None:
        people = [{order.buyer_ref for order in facts_of(OrderPlaced, stream)} for stream in streams.values()]

        assert not people[0] & people[1]


class TestComplaints:
    def test_name_orders_and_consumers_of_the_stream(self, streams: dict[str, list[Decoded]]) -> None:
        source, filed = marketplace(), 0
        for platform_id, stream in streams.items():
            orders = {order.order_ref: order for order in facts_of(OrderPlaced, stream)}
            for complaint in source.complaints(platform_id):
                order = orders[complaint.order_ref]
                assert complaint.consumer_ref == order.buyer_ref
                assert complaint.operator_ref == order.lines[0].operator_ref
                assert order.placed_at < complaint.at < BASE
                filed += 1

        assert filed

    def test_are_resolved_for_a_third(self) -> None:
        source = marketplace(events=60_000)
        outcomes = [complaint.outcome for ref in source.platform_ids for complaint in source.complaints(ref)]

        assert 0.2 < sum(outcome is not None for outcome in outcomes) / len(outcomes) < 0.5
