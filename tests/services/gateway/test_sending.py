"""Sending: what a receiver gets, in which order, and what each of its answers means."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from services.gateway.sending import PAUSES_SECONDS, SPREAD, Sender, retry_after
from services.gateway.signing import Wrapping, ensure_key
from shared.auth import Role
from shared.database import transaction
from shared.events.risk import AlertRaised
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.gateway.factories import alert_raised
from tests.services.gateway.receiver import Receiver, body_of, verifies
from tests.services.inbox import handle

URL = "https://customs.example/hooks"


class Gateway:
    """The gateway with one endpoint of customs, and what stands behind its URL."""

    def __init__(self, service: Service, wrapping: Wrapping) -> None:
        self.service = service
        self.wrapping = wrapping
        self.receiver = Receiver()

    async def subscribe(self, url: str = URL) -> None:
        body = {"department": "customs", "url": url, "types": [AlertRaised.type], "least_severity": "low"}
        answer = await self.service.post("/v1/endpoints", body, Role.CUSTOMS)
        assert answer.status_code == 201

    async def send(self) -> int:
        """Send what is due once, and return how many were tried."""
        async with self.receiver.client() as client:
            return await Sender(self.service.sessions, client, self.wrapping, 4).send_once()

    async def send_all(self) -> None:
        while await self.send():
            pass

    async def states(self) -> list[str]:
        rows = await self.service.rows("SELECT state FROM deliveries ORDER BY subject, seq")
        return [row["state"] for row in rows]

    async def pause_seconds(self) -> float:
        """Return how long the only line waits from now on."""
        (row,) = await self.service.rows(
            "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 AS pause FROM lines"
        )
        return float(row["pause"])

    async def let_time_pass(self) -> None:
        await self.service.rows("UPDATE lines SET due_at = now()")

    async def keys(self) -> list[dict[str, str]]:
        answer = await self.service.client.get("/.well-known/webhook-keys.json")
        keys: list[dict[str, str]] = answer.json()["keys"]
        return keys


@pytest_asyncio.fixture
async def gateway(open_service: OpenService, tmp_path: Path) -> AsyncIterator[Gateway]:
    service = await open_service("gateway")
    wrapping: Wrapping = service.app.state.wrapping
    async with transaction(service.sessions) as session:
        await ensure_key(session, wrapping)
    gateway = Gateway(service, wrapping)
    await gateway.subscribe()
    yield gateway


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

    async def test_keeps_its_id_when_it_is_sent_again(self, gateway: Gateway) -> None:
        gateway.receiver.answers = [httpx.Response(500)]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()
        await gateway.let_time_pass()
        await gateway.send_all()

        first, second = gateway.receiver.requests
        assert first.headers["webhook-id"] == second.headers["webhook-id"]
        assert first.content == second.content


class TestOrder:
    async def test_is_kept_for_each_operator(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised(n) for n in range(1, 6)])

        await gateway.send_all()

        assert gateway.receiver.seqs() == [1, 2, 3, 4, 5]

    async def test_holds_one_operator_back_and_no_other(self, gateway: Gateway) -> None:
        gateway.receiver.answers = [httpx.Response(503)]
        await handle(gateway.service, [alert_raised(1), alert_raised(2)])
        await gateway.send_all()

        await handle(gateway.service, [alert_raised(3, account=account_id("north", "other"))])
        await gateway.send_all()

        assert await gateway.states() in (
            ["pending", "pending", "delivered"],
            ["delivered", "pending", "pending"],
        )


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
        gateway.receiver.answers = [httpx.ReadTimeout("slow"), httpx.ConnectError("away")]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        assert await gateway.states() == ["pending"]
        (delivery,) = (await gateway.service.get("/v1/deliveries", Role.CUSTOMS)).json()["items"]
        attempts = await gateway.service.get(f"/v1/deliveries/{delivery['id']}/attempts", Role.CUSTOMS)
        assert [(a["status"], a["error"]) for a in attempts.json()] == [(None, "ReadTimeout('slow')")]

    @pytest.mark.parametrize(
        "answer",
        [
            httpx.Response(500, content=b"nul \x00 and \xff bytes"),
            httpx.Response(500, content=b"text", headers={"content-type": "text/plain; charset=hex"}),
            httpx.Response(503, headers={"retry-after": "9" * 5_000}),
            httpx.Response(503, headers={"retry-after": f"Mon, 01 Jan {'9' * 30} 00:00:00 GMT"}),
            httpx.InvalidURL("what is no URL after all"),
        ],
        ids=["bytes", "charset", "digits", "year", "url"],
    )
    async def test_that_are_odd_harm_nobody(self, gateway: Gateway, answer: httpx.Response | Exception) -> None:
        gateway.receiver.answers = [answer]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()
        await gateway.let_time_pass()
        await gateway.send_all()

        assert await gateway.states() == ["delivered"]

    async def test_without_an_end_are_read_no_further_than_needed(self, gateway: Gateway) -> None:
        sent: list[int] = []

        class Endless(httpx.AsyncByteStream):
            async def __aiter__(self) -> AsyncIterator[bytes]:
                while len(sent) < 10_000:
                    sent.append(1)
                    yield b"x" * 100

        gateway.receiver.answers = [httpx.Response(500, stream=Endless())]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        assert len(sent) < 100


class TestLease:
    async def test_that_was_lost_settles_nothing(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised()])
        service = gateway.service

        class Overtaken(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                await service.rows("UPDATE endpoints SET lease = gen_random_uuid()")
                return httpx.Response(200)

        async with httpx.AsyncClient(transport=Overtaken()) as client:
            await Sender(service.sessions, client, gateway.wrapping, 4).send_once()

        assert await gateway.states() == ["pending"]
        assert await service.rows("SELECT 1 FROM attempts") == []

    async def test_keeps_a_second_sender_away(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised()])
        sending, answered = asyncio.Event(), asyncio.Event()

        class Slow(httpx.AsyncBaseTransport):
            async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
                sending.set()
                await answered.wait()
                return httpx.Response(200)

        async with httpx.AsyncClient(transport=Slow()) as client:
            sender = Sender(gateway.service.sessions, client, gateway.wrapping, 4)
            first = asyncio.create_task(sender.send_once())
            await sending.wait()
            second = await gateway.send()
            answered.set()
            await first

        assert (second, gateway.receiver.requests) == (0, [])
        assert await gateway.states() == ["delivered"]

    async def test_ends_with_its_time(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised()])
        await gateway.service.rows(
            "UPDATE endpoints SET lease = gen_random_uuid(), leased_until = now() - interval '1 second'"
        )

        await gateway.send_all()

        assert await gateway.states() == ["delivered"]


class TestReplay:
    async def test_sends_everything_since_a_moment_again_in_its_order(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised(n) for n in (1, 2, 3)])
        await gateway.send_all()
        (endpoint,) = (await gateway.service.get("/v1/endpoints", Role.CUSTOMS)).json()
        path = f"/v1/endpoints/{endpoint['id']}/replay"

        answer = await gateway.service.post(path, {"since": "2020-01-01T00:00:00Z"}, Role.CUSTOMS)
        await gateway.send_all()

        assert answer.json() == {"replayed": 3}
        assert gateway.receiver.seqs() == [1, 2, 3, 1, 2, 3]
        ids = [request.headers["webhook-id"] for request in gateway.receiver.requests]
        assert ids[:3] == ids[3:]

    async def test_refuses_a_moment_that_cannot_be(self, gateway: Gateway) -> None:
        (endpoint,) = (await gateway.service.get("/v1/endpoints", Role.CUSTOMS)).json()
        path = f"/v1/endpoints/{endpoint['id']}/replay"

        for since in ("2026-01-01T00:00:00", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", 1e400):
            answer = await gateway.service.client.post(
                path,
                content=f'{{"since": "{since}"}}',
                headers={**gateway.service.bearer(Role.CUSTOMS), "content-type": "application/json"},
            )
            assert answer.status_code == 422

    async def test_is_not_for_another_department(self, gateway: Gateway) -> None:
        (endpoint,) = (await gateway.service.get("/v1/endpoints", Role.CUSTOMS)).json()
        path = f"/v1/endpoints/{endpoint['id']}/replay"

        answer = await gateway.service.post(path, {"since": "2020-01-01T00:00:00Z"}, Role.TAX)

        assert answer.status_code == 404


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
    assert retry_after(httpx.Response(503, headers={"retry-after": stated})) == seconds
