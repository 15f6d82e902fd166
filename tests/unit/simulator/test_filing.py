"""Complaints are filed by their consumers and resolved by a regulator, each once."""

import httpx
import msgspec

from simulator.complaints import Complaint, Outcome
from simulator.sender import stream
from tests.unit.simulator.service import FakeServices, FixedSource
from tests.unit.simulator.streams import BASE


def complaint(number: int, *, outcome: Outcome | None = None) -> Complaint:
    return Complaint(
        at=BASE,
        consumer_ref=f"consumer-{number}",
        platform_id="jade-mall",
        operator_ref="jm-1",
        order_ref=f"order-{number}",
        category="not_delivered",
        description="Nothing has arrived.",
        desired_outcome="refund",
        claimed_minor=1_999,
        currency="CNY",
        outcome=outcome,
    )


class TestFiling:
    async def test_posts_what_the_contract_asks_for(self) -> None:
        services = FakeServices()

        await stream(FixedSource([], [complaint(1)]), token_for=services.token_for, options=services.options())

        (request,) = services.requests
        assert str(request.url) == "http://disputes/v1/complaints"
        assert request.headers["idempotency-key"] == "jade-mall/order-1"
        assert services.tokens == [("consumer", "jade-mall", "consumer-1")]
        assert msgspec.json.decode(request.content) == {
            "platform_id": "jade-mall",
            "operator_ref": "jm-1",
            "order_ref": "order-1",
            "category": "not_delivered",
            "description": "Nothing has arrived.",
            "desired_outcome": "refund",
            "claimed_minor": 1_999,
            "currency": "CNY",
        }

    async def test_resolves_as_a_regulator(self) -> None:
        services = FakeServices()

        totals = await stream(
            FixedSource([], [complaint(1, outcome="upheld")]),
            token_for=services.token_for,
            options=services.options(),
        )

        _, resolution = services.requests
        assert resolution.url.path == "/v1/complaints/complaint-1/resolution"
        assert msgspec.json.decode(resolution.content)["outcome"] == "upheld"
        assert services.tokens[-1] == ("regulator", None, None)
        assert (totals.complaints_filed, totals.complaints_resolved) == (1, 1)

    async def test_counts_a_second_run_as_repeated(self) -> None:
        services = FakeServices()
        source = FixedSource([], [complaint(number, outcome="dismissed") for number in range(9)])
        await stream(source, token_for=services.token_for, options=services.options())

        totals = await stream(source, token_for=services.token_for, options=services.options())

        assert (totals.complaints_filed, totals.complaints_repeated, totals.complaints_resolved) == (0, 9, 9)
        assert totals.sent["complaints"] == 9

    async def test_counts_a_refusal_and_goes_on(self) -> None:
        def fault(request: httpx.Request) -> httpx.Response | None:
            return httpx.Response(404, text="no such order") if b"order-3" in request.content else None

        services = FakeServices(before=fault)
        totals = await stream(
            FixedSource([], [complaint(number) for number in range(6)]),
            token_for=services.token_for,
            options=services.options(),
        )

        assert (totals.complaints_filed, totals.rejected) == (5, 1)
        assert totals.examples[0].detail == "no such order"

    async def test_repeats_a_filing_whose_answer_was_lost(self) -> None:
        lost: list[int] = []

        def fault(request: httpx.Request) -> httpx.Response | None:
            if lost:
                return None
            lost.append(1)
            raise httpx.ReadTimeout("lost", request=request)

        services = FakeServices(after=fault)
        totals = await stream(FixedSource([], [complaint(1)]), token_for=services.token_for, options=services.options())

        first, second = services.requests
        assert first.content == second.content
        assert first.headers["idempotency-key"] == second.headers["idempotency-key"]
        assert (totals.complaints_filed, totals.complaints_repeated, totals.retries) == (0, 1, 1)
