"""Declarations of the simulation, and customs' side of it against a stand-in for risk."""

import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any
from zlib import crc32

import httpx

from shared.events.platform import ListingPublished, OrderPlaced, ParcelDelivered
from simulator.customs import clear_customs
from simulator.retries import Patience, Role
from tests.unit.simulator.streams import decoded, facts_of, marketplace


@dataclass
class FakeRisk:
    """Takes declarations, and channels every second one to inspection."""

    lodged: dict[str, dict[str, Any]] = field(default_factory=dict)
    inspected: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    days: list[str] = field(default_factory=list)

    def token_for(self, role: Role, platform_id: str | None, subject: str | None) -> str:
        return f"{role}:{platform_id or subject}"

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return httpx.Response(200, json={"items": self.items(request.url.params), "next": None})
        who = request.headers["authorization"].removeprefix("Bearer ")
        events = [json.loads(line) for line in request.content.splitlines()]
        for event in events:
            self.sources[who].add(event["source"])
            kept = self.lodged if event["type"] == "customs.declaration.lodged.v1" else self.inspected
            kept[event["data"]["declaration_ref"]] = {**event["data"], "source": event["source"]}
        return httpx.Response(202, json={"accepted": len(events), "duplicate": 0, "rejected": []})

    def items(self, asked: httpx.QueryParams) -> list[dict[str, str]]:
        of_day = {ref: one for ref, one in self.lodged.items() if one["lodged_on"] == asked["day"]}
        if "channel" in asked:
            self.days.append(asked["day"])
            of_day = {ref: one for ref, one in of_day.items() if self.is_chosen(ref)}
        platforms = {ref: one["source"].removeprefix("/platforms/") for ref, one in of_day.items()}
        return [{"platform_id": platform, "declaration_ref": ref} for ref, platform in platforms.items()]

    def is_chosen(self, ref: str) -> bool:
        return crc32(ref.encode()) % 2 == 0


class TestDeclarations:
    def test_are_of_orders_in_the_stream_and_lodged_before_they_are_delivered(self) -> None:
        source = marketplace()
        declarations = list(source.declarations())
        stream = [event for ref in source.platform_ids for event in decoded(source.events(ref))]
        orders = {order.order_ref for order in facts_of(OrderPlaced, stream)}
        delivered = {parcel.order_ref: parcel.delivered_at for parcel in facts_of(ParcelDelivered, stream)}
        offers = {offer.operator_ref: offer.origin_country for offer in facts_of(ListingPublished, stream)}

        assert 0.01 * len(stream) < len(declarations) < 0.04 * len(stream)
        assert {one.order_ref for one in declarations} <= orders
        assert all(one.lodged.origin_country == offers[one.operator_ref] for one in declarations)
        late = [one for one in declarations if one.order_ref in delivered and one.at_ms > _ms(delivered[one.order_ref])]
        assert len(late) < 0.05 * len(declarations), "only where the parcel itself is out of its order"

    def test_are_the_same_for_the_same_seed(self) -> None:
        assert list(marketplace().declarations()) == list(marketplace().declarations())

    def test_state_far_less_than_was_paid_at_some_shops_and_the_price_elsewhere(self) -> None:
        source = marketplace(events=12_000)
        declarations = list(source.declarations())
        planted = [one for one in source.truth() if one.scheme == "undervalued_declaration"]

        undervaluing = {(one.platform_id, one.operator_refs[0]) for one in planted}
        assert undervaluing == {(one.platform_id, one.operator_ref) for one in declarations if one.undervalued}
        assert undervaluing.isdisjoint((o.platform_id, o.operator_ref) for o in declarations if not o.undervalued)
        assert 0.02 < sum(one.undervalued for one in declarations) / len(declarations) < 0.25


class TestCustoms:
    async def test_inspects_what_was_channelled_to_it_and_finds_the_truth(self) -> None:
        risk, declarations = FakeRisk(), list(marketplace().declarations())

        cleared = await clear_customs(
            declarations,
            url="http://risk",
            token_for=risk.token_for,
            patience=Patience(sleep=_no_sleep, clock=lambda: 0.0, jitter=Random(1)),
            transport=httpx.MockTransport(risk.answer),
        )

        truth = {one.lodged.declaration_ref: one.undervalued for one in declarations}
        chosen = {ref for ref in truth if risk.is_chosen(ref)}
        assert (cleared.lodged, cleared.inspected, cleared.refused) == (len(declarations), len(chosen), 0)
        assert {ref: one["result"] == "violation" for ref, one in risk.inspected.items()} == {
            ref: truth[ref] for ref in chosen
        }
        assert risk.days == sorted(risk.days), "a day is inspected before the next one is lodged"

    async def test_speaks_for_each_with_its_own_token(self) -> None:
        risk = FakeRisk()

        await clear_customs(
            marketplace().declarations(),
            url="http://risk",
            token_for=risk.token_for,
            transport=httpx.MockTransport(risk.answer),
        )

        assert risk.sources.pop("customs:single-window") == {"/customs/single-window"}
        assert risk.sources == {f"platform:{ref}": {f"/platforms/{ref}"} for ref in marketplace().platform_ids}


async def _no_sleep(_: float) -> None:
    return


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1_000)
