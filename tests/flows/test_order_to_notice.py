"""One order, from a platform to a signed notice, through every service in one process and without Kafka."""

from typing import Any

import httpx

from services.gateway.sending import Sender
from shared.auth import Role
from shared.identifiers import account_id, operator_id
from tests.flows.conftest import Marketplace
from tests.services.gateway.receiver import Receiver, body_of, verifies
from tests.services.identity.factories import USCC, operator_registered
from tests.services.listings.factories import (
    listing_published,
    order_placed,
    parcel_delivered,
    parcel_shipped,
    payment_made,
    review_posted,
)
from tests.services.platform_events import send

LEGAL_ENTITY = operator_id("CN", "uscc", USCC)


async def trade(marketplace: Marketplace) -> None:
    """Let a platform send a merchant, and an order of theirs that was paid for twice."""
    identity, listings = marketplace.services["identity"], marketplace.services["listings"]
    await send(identity, [operator_registered()])
    documents = [
        listing_published(),
        order_placed(),
        payment_made(amount_minor=20_000),
        parcel_shipped(),
        parcel_delivered(),
        review_posted(text="Bright!"),
    ]
    answer = await send(listings, documents)
    assert answer.json() == {"accepted": 6, "duplicate": 0, "rejected": []}


async def complain(marketplace: Marketplace) -> None:
    """Let a buyer complain and a regulator uphold it."""
    disputes = marketplace.services["disputes"]
    body = {
        "platform_id": "north",
        "operator_ref": "shop",
        "category": "refund_refused",
        "description": "Paid twice.",
        "desired_outcome": "refund",
    }
    who = {**disputes.bearer(Role.CONSUMER), "idempotency-key": "key"}
    filed = (await disputes.client.post("/v1/complaints", json=body, headers=who)).json()
    await disputes.post(f"/v1/complaints/{filed['id']}/resolution", {"outcome": "upheld"}, Role.REGULATOR)


class TestOrder:
    async def test_becomes_a_signed_notice(self, marketplace: Marketplace) -> None:
        await trade(marketplace)

        await marketplace.pump()
        gateway, receiver = marketplace.services["gateway"], Receiver()
        async with receiver.client() as client:
            await Sender(gateway.sessions, client, gateway.app.state.wrapping, 4).send_once()

        (request,) = receiver.requests
        notice = body_of(request)
        keys = (await gateway.client.get("/.well-known/webhook-keys.json")).json()["keys"]
        assert verifies(request, keys) == [True]
        assert (notice["type"], notice["data"]["rule"]) == ("risk.alert.raised.v1", "amount_mismatch")
        assert notice["data"]["operator_id"] == str(LEGAL_ENTITY)
        assert notice["data"]["order_ref"] == "order"

    async def test_is_seen_at_every_door_it_passed(self, marketplace: Marketplace) -> None:
        await trade(marketplace)
        await complain(marketplace)

        await marketplace.pump()

        async def ask(service: str, path: str) -> Any:
            answer: httpx.Response = await marketplace.services[service].get(path)
            assert answer.status_code == 200
            return answer.json()

        operator = await ask("identity", f"/v1/operators/{LEGAL_ENTITY}")
        order = await ask("listings", "/v1/transactions/north/order")
        assessment = await ask("risk", "/v1/assessments/north/order")
        facts = await ask("credit", f"/v1/profiles/{LEGAL_ENTITY}/facts")
        deliveries = await ask("gateway", "/v1/deliveries")
        assert [a["account_id"] for a in operator["accounts"]] == [str(account_id("north", "shop"))]
        assert (order["match"], order["reasons"], order["reviews"]) == ("amount_mismatch", ["overpaid"], 1)
        assert assessment["hits"] == ["amount_mismatch"]
        assert sorted(fact["kind"] for fact in facts["items"]) == [
            "alert.high",
            "complaint.upheld",
            "identity.verified",
            "trade.amount_mismatch",
        ]
        assert [d["type"] for d in deliveries["items"]] == ["risk.alert.raised.v1"]

    async def test_delivered_again_changes_nothing_anywhere(self, marketplace: Marketplace) -> None:
        await trade(marketplace)
        await complain(marketplace)
        brought = await marketplace.pump()
        before = await marketplace.holdings()

        again = await marketplace.redeliver()
        moved_on = await marketplace.pump()

        assert again == brought > 10
        assert moved_on == 0
        assert await marketplace.holdings() == before

    async def test_leaves_nothing_in_quarantine(self, marketplace: Marketplace) -> None:
        await trade(marketplace)

        await marketplace.pump()

        for service in marketplace.services.values():
            assert await service.rows("SELECT * FROM quarantine") == []
