"""The planted schemes: kept apart from the stream, and really in it."""

from collections import Counter, defaultdict
from datetime import date
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest

from services.listings.claims import lexicon, places
from shared.events.platform import (
    ListingPublished,
    OperatorDeregistered,
    OperatorRegistered,
    OrderPlaced,
    ParcelDelivered,
    ParcelShipped,
    PaymentMade,
    ReviewPosted,
)
from simulator.truth import Planted, write_truth
from tests.unit.simulator.streams import Decoded, decoded, facts_of, marketplace

SCHEMES = {
    "brushing_ring",
    "bought_reviews",
    "unlicensed_seller",
    "amount_mismatch",
    "missing_waybill",
    "time_order",
    "banned_returns",
    "undervalued_declaration",
    "uncertified_channel",
    "false_propaganda",
    "missing_licence_display",
}


@pytest.fixture(scope="module")
def planted() -> list[Planted]:
    return marketplace(events=12_000).truth()


@pytest.fixture(scope="module")
def streams() -> dict[str, list[Decoded]]:
    source = marketplace(events=12_000)
    return {platform_id: list(decoded(source.events(platform_id))) for platform_id in source.platform_ids}


def of(scheme: str, planted: list[Planted]) -> list[Planted]:
    return [entry for entry in planted if entry.scheme == scheme]


class TestTruth:
    def test_holds_every_scheme(self, planted: list[Planted]) -> None:
        assert {entry.scheme for entry in planted} == SCHEMES

    def test_is_written_as_a_list(self, planted: list[Planted], tmp_path: Path) -> None:
        write_truth(tmp_path / "truth.json", planted)

        assert msgspec.json.decode((tmp_path / "truth.json").read_bytes(), type=list[Planted]) == planted

    def test_is_never_sent(self) -> None:
        source = marketplace(events=2_000)
        bodies = b"".join(event.body for ref in source.platform_ids for event in source.events(ref))

        assert not any(word.encode() in bodies for word in (*SCHEMES, "scheme_", "planted", "strength"))


class TestSchemes:
    def test_let_payments_differ_exactly_where_planted(
        self, planted: list[Planted], streams: dict[str, list[Decoded]]
    ) -> None:
        wrong = {ref for entry in of("amount_mismatch", planted) for ref in entry.order_refs}
        found = set()
        for stream in streams.values():
            paid: dict[str, int] = defaultdict(int)
            for payment in facts_of(PaymentMade, stream):
                paid[payment.order_ref] += payment.amount_minor
            for order in facts_of(OrderPlaced, stream):
                due = sum(line.quantity * line.unit_price_minor + line.freight_minor for line in order.lines)
                if order.order_ref in paid and abs(paid[order.order_ref] - due) > 100:
                    found.add(order.order_ref)

        assert wrong
        # An order of the last minute may lack its second payment.
        assert wrong <= found
        assert len(found - wrong) <= 2

    def test_leave_paid_orders_without_parcels(self, planted: list[Planted], streams: dict[str, list[Decoded]]) -> None:
        for entry in of("missing_waybill", planted):
            stream = streams[entry.platform_id]
            shipped = {parcel.order_ref for parcel in facts_of(ParcelShipped, stream)}
            paid = {payment.order_ref for payment in facts_of(PaymentMade, stream)}
            assert not shipped & set(entry.order_refs)
            assert set(entry.order_refs) <= paid

    def test_deliver_before_shipping_exactly_where_planted(
        self, planted: list[Planted], streams: dict[str, list[Decoded]]
    ) -> None:
        wrong = {ref for entry in of("time_order", planted) for ref in entry.order_refs}
        found = set()
        for stream in streams.values():
            shipped = {parcel.order_ref: parcel.shipped_at for parcel in facts_of(ParcelShipped, stream)}
            for parcel in facts_of(ParcelDelivered, stream):
                if parcel.order_ref in shipped and parcel.delivered_at < shipped[parcel.order_ref]:
                    found.add(parcel.order_ref)

        assert wrong
        assert found == wrong

    def test_let_rings_share_devices_and_send_light_parcels_or_none(
        self, planted: list[Planted], streams: dict[str, list[Decoded]]
    ) -> None:
        for ring in of("brushing_ring", planted):
            stream, refs = streams[ring.platform_id], set(ring.order_refs)
            orders = [order for order in facts_of(OrderPlaced, stream) if order.order_ref in refs]
            parcels = [parcel for parcel in facts_of(ParcelShipped, stream) if parcel.order_ref in refs]
            reviews = [review for review in facts_of(ReviewPosted, stream) if review.order_ref in refs]
            assert len(orders) == len(refs)
            assert len({order.device_ref for order in orders}) <= 3
            assert len({order.buyer_ref for order in orders}) <= 8
            assert {line.operator_ref for order in orders for line in order.lines} >= set(ring.operator_refs)
            assert len(parcels) < len(orders)
            assert all(parcel.weight_g is not None and parcel.weight_g < 25 for parcel in parcels)
            assert {review.rating for review in reviews} == {5}
            assert {review.review_ref for review in reviews} == set(ring.review_refs)

    def test_paste_the_same_praise_in_a_burst(self, planted: list[Planted], streams: dict[str, list[Decoded]]) -> None:
        for campaign in of("bought_reviews", planted):
            reviews = [
                review
                for review in facts_of(ReviewPosted, streams[campaign.platform_id])
                if review.review_ref in campaign.review_refs
            ]
            openings = {(review.text or "")[:4] for review in reviews}
            assert len(reviews) == len(campaign.review_refs) >= 8
            assert len(openings) == 1
            assert {review.rating for review in reviews} == {5}

    def test_bring_the_banned_back_under_another_name(
        self, planted: list[Planted], streams: dict[str, list[Decoded]]
    ) -> None:
        for entry in of("banned_returns", planted):
            if len(entry.operator_refs) == 1:
                continue  # of a firm that another platform banned
            stream = streams[entry.platform_id]
            files = {file.operator_ref: file for file in facts_of(OperatorRegistered, stream)}
            before, after = (files[ref] for ref in entry.operator_refs)
            sequence = [
                event.envelope.subject
                for event in stream
                if isinstance(event.fact, OperatorDeregistered | OperatorRegistered)
                and event.envelope.subject in entry.operator_refs
            ]
            assert before.legal_name != after.legal_name
            assert before.registration != after.registration
            assert before.bank_accounts == after.bank_accounts
            assert (before.devices == after.devices) == (entry.strength == "strong")
            assert sequence == [before.operator_ref, before.operator_ref, after.operator_ref]

    def test_open_an_account_elsewhere_under_the_same_number_after_a_ban(self) -> None:
        source = marketplace(events=120_000, seed=5)
        entries = [entry for entry in of("banned_returns", source.truth()) if len(entry.operator_refs) == 1]
        banned: dict[str, tuple[str, str]] = {}
        opened: dict[tuple[str, str], tuple[str, str]] = {}
        for platform_id in source.platform_ids:
            stream = list(decoded(source.events(platform_id)))
            files = {file.operator_ref: file for file in facts_of(OperatorRegistered, stream)}
            for event in stream:
                if isinstance(event.fact, OperatorDeregistered):
                    banned[str(files[event.fact.operator_ref].registration)] = (platform_id, event.envelope.time or "")
                elif isinstance(event.fact, OperatorRegistered):
                    opened[platform_id, event.fact.operator_ref] = (
                        str(event.fact.registration),
                        event.envelope.time or "",
                    )

        late = {
            place
            for place, (number, at) in opened.items()
            if (ban := banned.get(number)) is not None and ban[0] != place[0] and at > ban[1]
        }
        assert {(entry.platform_id, entry.operator_refs[0]) for entry in entries} == late != set()

    def test_keep_their_serials_apart_from_ordinary_ones(self, planted: list[Planted]) -> None:
        campaigns = of("brushing_ring", planted) + of("bought_reviews", planted)
        refs = sorted((entry.platform_id, ref) for entry in campaigns for ref in entry.order_refs)

        assert all(first != second for first, second in pairwise(refs))

    def test_pay_without_certificate_exactly_where_planted(
        self, planted: list[Planted], streams: dict[str, list[Decoded]]
    ) -> None:
        wrong = {ref for entry in of("uncertified_channel", planted) for ref in entry.order_refs}
        certified: dict[tuple[str | None, str | None], list[tuple[date, date]]] = defaultdict(list)
        for row in marketplace(events=12_000).institutions():
            certified[row.institution_id, row.channel].append((row.certified_from, row.certified_to or date.max))

        found = {
            payment.order_ref
            for stream in streams.values()
            for payment in facts_of(PaymentMade, stream)
            if not any(
                first <= payment.paid_at.date() < end
                for first, end in certified[payment.institution_id, payment.channel]
            )
        }

        assert found
        assert found == wrong

    def test_claim_and_disappoint_where_planted_and_do_one_of_both_elsewhere(
        self, planted: list[Planted], streams: dict[str, list[Decoded]]
    ) -> None:
        source, words = marketplace(events=12_000), lexicon()
        false = {(entry.platform_id, ref) for entry in of("false_propaganda", planted) for ref in entry.operator_refs}
        claiming, complained, ordered = set(), Counter[tuple[str, str]](), Counter[tuple[str, str]]()
        for platform_id, stream in streams.items():
            for offer in facts_of(ListingPublished, stream):
                if places(offer.description or "", date(2026, 3, 1), words):
                    claiming.add((platform_id, offer.operator_ref))
            ordered.update((platform_id, order.lines[0].operator_ref) for order in facts_of(OrderPlaced, stream))
            complained.update((platform_id, one.operator_ref) for one in source.complaints(platform_id))

        def rate(shops: set[tuple[str, str]]) -> float:
            return sum(complained[shop] for shop in shops) / sum(ordered[shop] for shop in shops)

        others = ordered.keys() - claiming
        unlucky = {shop for shop in others if ordered[shop] >= 10 and complained[shop] > 0.1 * ordered[shop]}
        assert false < claiming
        assert rate(false) > 0.1 > 3 * rate(claiming - false)
        assert len(unlucky) >= 3
        assert rate(set(others - unlucky)) < 0.03
