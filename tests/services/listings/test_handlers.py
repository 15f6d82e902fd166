"""Listings' event door: transactions assembled in any order, offers with versions, reviews with their order."""

from datetime import UTC, datetime
from itertools import permutations

import msgspec
import pytest
import pytest_asyncio

from services.listings.handlers import HANDLERS
from services.listings.intake import INGEST
from shared.auth import Role
from shared.events.duties import OfferQualified, OfferRefused
from shared.events.listings import (
    ListingRecorded,
    ReviewRecorded,
    ReviewRemoved,
    TransactionEvent,
    TransactionMatched,
    TransactionMismatched,
    TransactionRecorded,
)
from shared.events.platform import PLATFORM_EVENTS
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import deliver_platform_events
from tests.services.listings.factories import (
    line,
    listing_published,
    listing_withdrawn,
    order_placed,
    parcel_delivered,
    parcel_shipped,
    payment_made,
    review_posted,
)
from tests.services.platform_events import Json, event, send


@pytest_asyncio.fixture
async def listings(open_service: OpenService) -> Service:
    return await open_service("listings")


async def told(service: Service, *events: Json) -> None:
    answer = await send(service, list(events))
    assert answer.json()["rejected"] == []
    await deliver_platform_events(service)


async def shown(service: Service, order_ref: str = "order") -> Json:
    answer = await service.get(f"/v1/transactions/north/{order_ref}")
    transaction: Json = answer.json()
    return transaction


async def last_published(service: Service) -> TransactionEvent:
    events = await service.published(TransactionMatched, TransactionMismatched, TransactionRecorded)
    return msgspec.json.decode(events[-1].data, type=_KINDS[events[-1].type])


_REVIEW = {"review_ref": "review", "order_ref": "order"}
_KINDS: dict[str, type[TransactionEvent]] = {
    kind.type: kind for kind in (TransactionMatched, TransactionMismatched, TransactionRecorded)
}


class TestTransactions:
    async def test_say_through_whom_they_were_paid(self, listings: Service) -> None:
        pairs = [
            ("pay", "card", 1, 9),
            ("pay", "card", 1, 7),
            ("pay", "card", 2, 7),
            (None, "wallet", 1, 8),
            (None, None, 1, 8),
        ]
        for number, (institution, channel, day, hour) in enumerate(pairs):
            named = {"institution_id": institution, "channel": channel, "paid_at": f"2026-03-0{day}T0{hour}:00:00Z"}
            stated = {name: value for name, value in named.items() if value is not None}
            await told(listings, payment_made(payment_ref=f"p{number}", **stated))

        published = (await last_published(listings)).paid_through

        assert [(one.institution_id, one.channel, [f"{at:%d %H}" for at in one.made_at]) for one in published] == [
            (None, "wallet", ["01 08"]),
            ("pay", "card", ["01 07", "02 07"]),
        ]
        paid = {
            one["payment_ref"]: (one["institution_id"], one["channel"]) for one in (await shown(listings))["payments"]
        }
        assert (paid["p0"], paid["p4"]) == (("pay", "card"), (None, None))

    async def test_are_assembled_in_any_order_of_arrival(self, listings: Service) -> None:
        orders = list(permutations(["order", "payment", "shipment", "delivery"]))
        for number, arrival in enumerate(orders):
            ref = {"order_ref": f"order-{number}"}
            documents = {
                "order": order_placed(**ref),
                "payment": payment_made(**ref, payer_ref="buyer"),
                "shipment": parcel_shipped(**ref, weight_g=900, courier="fast"),
                "delivery": parcel_delivered(**ref, weight_g=950),
            }
            for name in arrival:
                await send(listings, [documents[name]])
        await deliver_platform_events(listings)

        found = [await shown(listings, f"order-{number}") for number in range(len(orders))]

        for transaction in found:
            for one_by_one in ("id", "order_ref"):
                del transaction[one_by_one]
        assert all(transaction == found[0] for transaction in found)
        assert (found[0]["match"], found[0]["due_minor"], found[0]["paid_minor"]) == ("matched", 10_000, 10_000)

    async def test_are_published_to_each_of_their_operators(self, listings: Service) -> None:
        lines = [line(), line(line_ref="2", operator_ref="stall", unit_price_minor=500, quantity=2)]
        await told(listings, order_placed(lines=lines))

        events = await listings.published(TransactionRecorded)
        parts = [msgspec.json.decode(e.data, type=TransactionRecorded) for e in events]

        assert [(p.part, p.parts) for p in parts] == [(0, 2), (1, 2)]
        assert [p.trade.goods_minor for p in parts if p.trade] == [10_000, 1_000]
        assert [p.key() for p in parts] == [account_id("north", ref) for ref in ("shop", "stall")]

    async def test_say_who_paid_whichever_payment_came_first(self, listings: Service) -> None:
        buyers = payment_made(payment_ref="a", amount_minor=5_000, payer_ref="buyer")
        friends = payment_made(payment_ref="b", amount_minor=5_000, payer_ref="friend")
        await told(listings, order_placed(), buyers, friends)
        first = await last_published(listings)

        ref = {"order_ref": "another"}
        moved = [{**e, "id": f"{e['id']}-again", "data": {**e["data"], **ref}} for e in (friends, buyers)]
        await told(listings, order_placed(**ref), *moved)
        second = await last_published(listings)

        assert first.payer_ref == second.payer_ref == "friend"

    async def test_are_told_on_when_a_delivery_arrives_last(self, listings: Service) -> None:
        shipped, delivered = "2026-03-02T08:00:00Z", "2026-03-02T08:20:00Z"
        await told(listings, order_placed(), payment_made())
        await told(listings, parcel_shipped(shipped_at=shipped))
        await told(listings, parcel_delivered(delivered_at=delivered))

        newest = await last_published(listings)

        assert newest.match == "matched"
        assert newest.delivered_at is not None

    async def test_keep_what_the_first_sending_did_not_say(self, listings: Service) -> None:
        cancelled = event("order.cancelled", {"order_ref": "order", "cancelled_at": "2026-03-01T11:00:00Z"})
        returned = event("order.returned", {"order_ref": "order", "returned_at": "2026-03-09T11:00:00Z"})

        await told(listings, cancelled, order_placed(), returned)

        transaction = await shown(listings)
        assert transaction["cancelled_at"] == "2026-03-01T11:00:00Z"
        assert transaction["returned_at"] == "2026-03-09T11:00:00Z"

    async def test_are_in_exactly_one_class_each(self, listings: Service) -> None:
        await told(
            listings,
            payment_made(order_ref="no lines"),
            order_placed(order_ref="underpaid"),
            payment_made(order_ref="underpaid", amount_minor=1),
            order_placed(order_ref="waiting"),
        )

        summary = (await listings.get("/v1/summary")).json()

        assert summary["matching"] == {
            "matched": 0,
            "amount_mismatch": 1,
            "payment_without_lines": 1,
            "time_order": 0,
            "awaiting_documents": 1,
        }
        assert summary["accepted"]["orders"] == 2


class TestRollback:
    async def test_of_a_batch_leaves_no_document_behind(self, listings: Service) -> None:
        # The withdrawal fails its batch after the order was merged; the order is merged again alone.
        await told(listings, order_placed(), listing_withdrawn("never-published"))
        await told(listings, payment_made())

        transaction = await shown(listings)

        assert (transaction["revision"], transaction["reasons"]) == (2, ["waybill_missing"])
        assert len(await listings.rows("SELECT 1 FROM quarantine")) == 1


class TestListings:
    async def test_keep_every_version(self, listings: Service) -> None:
        await told(listings, listing_published(), listing_published(title="A better lamp"), listing_withdrawn())

        current = (await listings.get("/v1/listings/north/lamp")).json()
        versions = await listings.rows("SELECT version, state, content FROM listing_versions ORDER BY version")

        assert (current["version"], current["state"]) == (3, "withdrawn")
        assert current["content"]["title"] == "A better lamp"
        assert [(row["version"], row["state"]) for row in versions] == [
            (1, "published"),
            (2, "published"),
            (3, "withdrawn"),
        ]
        assert len(await listings.published(ListingRecorded)) == 3


class TestReviews:
    async def test_are_recorded_with_their_order_and_its_operator(self, listings: Service) -> None:
        await told(listings, order_placed(), review_posted(text="Bright!", listing_ref="lamp"))

        (published,) = await listings.published(ReviewRecorded)
        review = msgspec.json.decode(published.data, type=ReviewRecorded)

        assert review.account_id == account_id("north", "shop")
        assert b"Bright" not in bytes(published.data)
        assert (await shown(listings))["reviews"] == 1

    async def test_may_share_a_reference_on_several_orders(self, listings: Service) -> None:
        await told(listings, review_posted(), review_posted(order_ref="another"))

        assert (await listings.get("/v1/summary")).json()["accepted"]["reviews"] == 2

    async def test_are_published_once(self, listings: Service) -> None:
        await told(listings, review_posted(), review_posted())

        assert len(await listings.published(ReviewRecorded)) == 1

    async def test_carry_a_sketch_of_their_text_and_no_word_of_it(self, listings: Service) -> None:
        text = "Bright, sturdy, and here within three days; I would buy it again."
        await told(
            listings,
            review_posted(text=text),
            review_posted(review_ref="2", text=text.upper() + "!!"),
            review_posted(review_ref="3", text="fine"),
        )

        found = [
            msgspec.json.decode(one.data, type=ReviewRecorded).text_sketch
            for one in await listings.published(ReviewRecorded)
        ]

        assert found[0] == found[1] != found[2] is None

    @pytest.mark.parametrize("late", [False, True])
    async def test_are_told_of_when_they_are_removed(self, listings: Service, *, late: bool) -> None:
        removed = event("review.removed", {**_REVIEW, "removed_at": "2026-03-07T00:00:00Z"})
        posted = [order_placed(), review_posted(rating=1)]
        for one in [*posted, removed] if late else [removed, *posted]:
            await told(listings, one)
        await told(listings, removed)

        (row,) = await listings.rows("SELECT removed_at, posted_at FROM reviews")
        (published,) = await listings.published(ReviewRemoved)
        removal = msgspec.json.decode(published.data, type=ReviewRemoved)

        assert removal.occurred_at == row["removed_at"] == max(datetime(2026, 3, 7, tzinfo=UTC), row["posted_at"])
        assert (removal.rating, removal.account_id) == (1, account_id("north", "shop"))

    async def test_are_removed_when_the_platform_says_so_where_it_names_no_time(self, listings: Service) -> None:
        await told(listings, review_posted(), event("review.removed", _REVIEW))

        (row,) = await listings.rows("SELECT removed_at FROM reviews")
        assert row["removed_at"] is not None

    async def test_that_were_never_posted_are_not_told_of(self, listings: Service) -> None:
        await told(listings, event("review.removed", _REVIEW))

        assert await listings.published(ReviewRemoved) == []


class TestReaders:
    @pytest.mark.parametrize("path", ["/v1/listings/north/lamp", "/v1/transactions/north/order"])
    async def test_are_not_consumers(self, listings: Service, path: str) -> None:
        assert (await listings.get(path, Role.CONSUMER)).status_code == 403
        assert (await listings.get(path)).status_code == 404


def test_every_event_that_listings_takes_has_a_handler() -> None:
    taken = {kind for kind in PLATFORM_EVENTS if kind.to == "listings"}

    assert set(HANDLERS) == taken | {OfferRefused, OfferQualified}
    assert INGEST.types == {kind.type for kind in taken}
