"""Sending: what a receiver gets, and what each of its answers means."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import aiohttp
import httpx
import pytest

from services.gateway.sending import PAUSES_SECONDS, SPREAD, retry_after
from shared.auth import Role
from shared.events.identity import OperatorLinked
from shared.events.risk import AlertRaised, DeclarationChannelled
from shared.identifiers import new_id
from tests.services.gateway.customs import URL, Gateway
from tests.services.gateway.factories import SHOP, alert_raised, declaration_channelled
from tests.services.gateway.receiver import body_of, verifies
from tests.services.inbox import handle


class TestNotice:
    async def test_carries_a_signature_that_others_can_check(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        (request,) = gateway.receiver.requests
        body = body_of(request)
        assert verifies(request, await gateway.keys()) == [True]
        assert set(body) == {"type", "timestamp", "data"}
        assert (body["type"], body["data"]["seq"]) == (AlertRaised.type, 1)
        stamped = datetime.fromtimestamp(int(request.headers["webhook-timestamp"]), UTC)
        assert abs(datetime.now(UTC) - stamped) < timedelta(minutes=1)

    async def test_of_a_declaration_goes_to_who_asked_for_it_whatever_the_severity(self, gateway: Gateway) -> None:
        declarations = "https://customs.example/declarations"
        await gateway.subscribe(declarations, kind=DeclarationChannelled, least_severity="critical")
        owner = new_id()
        linked = OperatorLinked(
            occurred_at=datetime.now(UTC),
            account_id=SHOP,
            operator_id=owner,
            platform_id="north",
            operator_ref="shop",
            version=1,
            linked_from=datetime.now(UTC),
        )
        await handle(gateway.service, [linked])

        await handle(gateway.service, [declaration_channelled(1), declaration_channelled(2, channel="release")])
        await gateway.send_all()

        bodies = [body_of(request) for request in gateway.receiver.requests]
        assert {str(request.url) for request in gateway.receiver.requests} == {declarations}
        assert [body["type"] for body in bodies] == ["risk.declaration.channelled.v1"] * 2
        told = [(b["data"]["operator_id"], b["data"]["seq"], b["data"]["channel"]) for b in bodies]
        assert told == [(str(owner), 1, "inspection"), (str(owner), 2, "release")]

    async def test_carries_both_signatures_while_keys_rotate(self, gateway: Gateway) -> None:
        before = await gateway.keys()
        await gateway.service.post("/v1/keys/rotation", None, Role.ADMINISTRATOR)
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        (request,) = gateway.receiver.requests
        after = await gateway.keys()
        assert len(after) == 2
        assert verifies(request, after) == [True, True]
        assert sorted(verifies(request, before)) == [False, True]

    async def test_is_not_signed_with_a_key_retired_twice_over(self, gateway: Gateway) -> None:
        first = await gateway.keys()
        for _ in range(2):
            await gateway.service.post("/v1/keys/rotation", None, Role.ADMINISTRATOR)
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        assert verifies(gateway.receiver.requests[0], first) == [False, False]

    async def test_carries_a_new_key_from_the_next_round_on(self, gateway: Gateway) -> None:
        async with gateway.sender() as sender:
            for number in range(3):
                await handle(gateway.service, [alert_raised(number)])
                await sender.send_once()
                if number < 2:
                    await gateway.service.post("/v1/keys/rotation", None, Role.ADMINISTRATOR)

        first, second, third = gateway.receiver.requests
        keys = await gateway.keys()
        assert verifies(first, keys) == [False]
        assert verifies(second, keys) == [True, False]
        assert verifies(third, keys) == [True, True]

    async def test_keeps_its_id_when_it_is_sent_again(self, gateway: Gateway) -> None:
        gateway.receiver.answers = [httpx.Response(500)]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()
        await gateway.let_time_pass()
        await gateway.send_all()

        first, second = gateway.receiver.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.content == second.content


class TestAnswers:
    async def test_that_fail_are_tried_again_after_longer_and_longer_pauses(self, gateway: Gateway) -> None:
        gateway.receiver.answers = [httpx.Response(500) for _ in range(len(PAUSES_SECONDS) + 1)]
        await handle(gateway.service, [alert_raised()])

        pauses = []
        for _ in range(len(PAUSES_SECONDS) + 1):
            await gateway.let_time_pass()
            await gateway.send()
            pauses.append(await gateway.pause_seconds())

        schedule = [*PAUSES_SECONDS, PAUSES_SECONDS[-1]]
        for pause, planned in zip(pauses, schedule, strict=True):
            assert planned * (1 - SPREAD) - 2 < pause <= planned * (1 + SPREAD)
        assert PAUSES_SECONDS == (5, 300, 1_800, 7_200, 18_000, 36_000, 36_000)

    @pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
    async def test_may_ask_to_wait_longer(self, gateway: Gateway, status: int) -> None:
        gateway.receiver.answers = [httpx.Response(status, headers={"retry-after": "4000"})]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        assert 3_900 < await gateway.pause_seconds() <= 4_000
        assert await gateway.states() == ["pending"]

    async def test_of_410_disable_the_endpoint(self, gateway: Gateway) -> None:
        gateway.receiver.answers = [httpx.Response(410)]
        await handle(gateway.service, [alert_raised(1), alert_raised(2)])

        await gateway.send_all()
        await gateway.let_time_pass()
        await gateway.send_all()

        (endpoint,) = (await gateway.service.get("/v1/endpoints", Role.CUSTOMS)).json()
        assert endpoint["state"] == "disabled"
        assert len(gateway.receiver.requests) == 1
        assert await gateway.states() == ["pending", "pending"]

    @pytest.mark.parametrize("status", [301, 302, 307, 308, 400, 401, 404, 422])
    async def test_that_refuse_for_good_park_the_notice_and_let_the_next_one_go(
        self, gateway: Gateway, status: int
    ) -> None:
        elsewhere = {"location": "http://169.254.169.254/latest/meta-data/"}
        gateway.receiver.answers = [httpx.Response(status, headers=elsewhere)]
        await handle(gateway.service, [alert_raised(1), alert_raised(2)])

        await gateway.send_all()

        assert await gateway.states() == ["parked", "delivered"]
        assert gateway.receiver.seqs() == [1, 2]
        assert {str(request.url) for request in gateway.receiver.requests} == {URL}

    async def test_never_come_and_the_notice_waits(self, gateway: Gateway) -> None:
        gateway.receiver.patience_seconds = 0.2
        gateway.receiver.answers = [TimeoutError("slow"), aiohttp.ClientConnectionError("away")]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        assert await gateway.states() == ["pending"]
        (delivery,) = (await gateway.service.get("/v1/deliveries", Role.CUSTOMS)).json()["items"]
        attempts = await gateway.service.get(f"/v1/deliveries/{delivery['id']}/attempts", Role.CUSTOMS)
        assert [(a["status"], a["error"]) for a in attempts.json()] == [
            (None, "SocketTimeoutError: Timeout on reading data from socket")
        ]

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500, content=b"nul \x00 and \xff bytes"),
            httpx.Response(500, content=b"text", headers={"content-type": "text/plain; charset=hex"}),
            httpx.Response(503, headers={"retry-after": "9" * 5_000}),
            httpx.Response(503, headers={"retry-after": f"Mon, 01 Jan {'9' * 30} 00:00:00 GMT"}),
            httpx.Response(503, headers={"content-encoding": "gzip"}, content=None, stream=httpx.ByteStream(b"none")),
            aiohttp.InvalidURL("what is no URL after all"),
            aiohttp.ClientPayloadError("nul \x00 and half a pair \ud800"),
        ],
        ids=["bytes", "charset", "digits", "year", "coding", "url", "error"],
    )
    async def test_that_are_odd_harm_nobody(self, gateway: Gateway, answer: httpx.Response | Exception) -> None:
        gateway.receiver.answers = [answer]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()
        await gateway.let_time_pass()
        await gateway.send_all()

        assert await gateway.states() == ["delivered"]

    async def test_cannot_come_from_what_is_no_url_for_this_client(self, gateway: Gateway) -> None:
        await gateway.service.rows("UPDATE endpoints SET url = 'https://[::1'")
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        assert await gateway.states() == ["pending"]
        assert gateway.receiver.requests == []

    async def test_without_an_end_are_read_no_further_than_needed(self, gateway: Gateway) -> None:
        sent: list[int] = []

        class Endless(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                while len(sent) < 10_000:
                    sent.append(1)
                    yield b"x" * 100
                    await asyncio.sleep(0.001)

        gateway.receiver.answers = [httpx.Response(500, stream=Endless())]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        assert len(sent) < 100


def retry_afters() -> Iterator[tuple[str, float]]:
    yield "120", 120.0
    yield "999999999", 86_400.0
    yield "-5", 0.0
    yield "soon", 0.0
    yield "", 0.0
    yield format_datetime(datetime(2001, 1, 1, tzinfo=UTC), usegmt=True), 0.0
    yield format_datetime(datetime(2199, 1, 1, tzinfo=UTC), usegmt=True), 86_400.0


@pytest.mark.parametrize(("stated", "seconds"), list(retry_afters()))
def test_retry_after_is_read_in_both_forms(stated: str, seconds: float) -> None:
    assert retry_after(stated) == seconds
