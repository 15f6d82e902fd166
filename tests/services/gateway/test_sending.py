"""Sending: what a receiver gets, in which order, and what each of its answers means."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import aiohttp
import httpx
import pytest
import pytest_asyncio

from services.gateway.sending import OF_A_LINE_AT_ONCE, PAUSES_SECONDS, SPREAD, Sender, retry_after
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
        async with self.sender() as sender:
            return await sender.send_once()

    @asynccontextmanager
    async def sender(self) -> AsyncIterator[Sender]:
        """Yield a sender that keeps what it knows from one round to the next."""
        async with self.receiver.client() as client:
            yield Sender(self.service.sessions, client, self.wrapping, 4)

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


class TestOrder:
    async def test_is_kept_for_each_operator(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised(n) for n in range(1, 6)])

        await gateway.send_all()

        assert gateway.receiver.seqs() == [1, 2, 3, 4, 5]

    async def test_is_kept_within_a_round_and_over_rounds(self, gateway: Gateway) -> None:
        shops = [account_id("north", name) for name in ("one", "two", "three")]
        long = OF_A_LINE_AT_ONCE + 5
        await handle(gateway.service, [alert_raised(n, account=shops[n % 3]) for n in range(3 * long)])

        rounds = [await gateway.send() for _ in range(3)]

        lines: dict[str, list[int]] = defaultdict(list)
        for body in map(body_of, gateway.receiver.requests):
            lines[body["data"]["account_id"]].append(body["data"]["seq"])
        assert rounds == [3 * OF_A_LINE_AT_ONCE, 15, 0]
        assert lines == {str(shop): list(range(1, long + 1)) for shop in shops}

    async def test_stops_a_line_at_its_first_failure(self, gateway: Gateway) -> None:
        gateway.receiver.answers = [httpx.Response(204), httpx.Response(400), httpx.Response(503)]
        await handle(gateway.service, [alert_raised(n) for n in range(5)])

        await gateway.send_all()
        tried = gateway.receiver.seqs()
        waiting = await gateway.states()
        await gateway.let_time_pass()
        await gateway.send_all()

        assert tried == [1, 2, 3]
        assert waiting == ["delivered", "parked", "pending", "pending", "pending"]
        assert gateway.receiver.seqs() == [1, 2, 3, 3, 4, 5]
        attempts = await gateway.service.rows(
            "SELECT d.seq, a.status FROM attempts a JOIN deliveries d ON d.id = a.delivery_id ORDER BY a.id"
        )
        assert [tuple(row) for row in attempts] == [(1, 204), (2, 400), (3, 503), (3, 204), (4, 204), (5, 204)]

    async def test_is_kept_by_a_sender_that_runs(self, gateway: Gateway) -> None:
        stop = asyncio.Event()
        long = 2 * OF_A_LINE_AT_ONCE + 1
        await handle(gateway.service, [alert_raised(n) for n in range(long)])

        class Stopping(Receiver):
            async def answer(self, request: httpx.Request) -> httpx.Response:
                if len(self.requests) == long - 1:
                    stop.set()
                return await super().answer(request)

        gateway.receiver = Stopping()
        async with gateway.sender() as sender, asyncio.timeout(20):
            await sender.run(stop)

        assert gateway.receiver.seqs() == list(range(1, long + 1))
        assert set(await gateway.states()) == {"delivered"}

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
        ],
        ids=["bytes", "charset", "digits", "year", "coding", "url"],
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
                    await asyncio.sleep(0.001)

        gateway.receiver.answers = [httpx.Response(500, stream=Endless())]
        await handle(gateway.service, [alert_raised()])

        await gateway.send_all()

        assert len(sent) < 100


class TestLease:
    async def test_that_was_lost_settles_nothing(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised()])
        service = gateway.service

        class Overtaken(Receiver):
            async def answer(self, request: httpx.Request) -> httpx.Response:
                await service.rows("UPDATE endpoints SET lease = gen_random_uuid()")
                return httpx.Response(200)

        async with Overtaken().client() as client:
            await Sender(service.sessions, client, gateway.wrapping, 4).send_once()

        assert await gateway.states() == ["pending"]
        assert await service.rows("SELECT 1 FROM attempts") == []

    async def test_keeps_a_second_sender_away(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised()])
        sending, answered = asyncio.Event(), asyncio.Event()

        class Slow(Receiver):
            async def answer(self, request: httpx.Request) -> httpx.Response:
                sending.set()
                await answered.wait()
                return httpx.Response(200)

        async with Slow().client() as client:
            sender = Sender(gateway.service.sessions, client, gateway.wrapping, 4)
            first = asyncio.create_task(sender.send_once())
            await sending.wait()
            second = await gateway.send()
            answered.set()
            await first

        assert (second, gateway.receiver.requests) == (0, [])
        assert await gateway.states() == ["delivered"]

    async def test_of_a_sender_that_was_killed_loses_nothing(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised(n) for n in range(3)])
        second = asyncio.Event()

        class Dying(Receiver):
            async def answer(self, request: httpx.Request) -> httpx.Response:
                self.requests.append(request)
                if len(self.requests) == 2:
                    second.set()
                    await asyncio.sleep(0.5)
                return httpx.Response(204)

        dying = Dying()
        async with dying.client() as client:
            sender = Sender(gateway.service.sessions, client, gateway.wrapping, 4)
            sending = asyncio.create_task(sender.send_once())
            await second.wait()
            sending.cancel()
        await gateway.service.rows("UPDATE endpoints SET leased_until = now() - interval '1 second'")
        await gateway.send_all()

        assert gateway.receiver.seqs() == [1, 2, 3]
        ids = [[request.headers["webhook-id"] for request in one.requests] for one in (dying, gateway.receiver)]
        assert ids[0] == ids[1][:2]

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

    async def test_while_later_notices_are_sent_puts_the_line_back(self, gateway: Gateway) -> None:
        await handle(gateway.service, [alert_raised(1), alert_raised(2)])
        await gateway.send_all()
        await handle(gateway.service, [alert_raised(3), alert_raised(4)])
        (endpoint,) = (await gateway.service.get("/v1/endpoints", Role.CUSTOMS)).json()
        path = f"/v1/endpoints/{endpoint['id']}/replay"

        class Interrupted(Receiver):
            async def answer(self, request: httpx.Request) -> httpx.Response:
                if not self.requests:
                    await gateway.service.post(path, {"since": "2020-01-01T00:00:00Z"}, Role.CUSTOMS)
                return await super().answer(request)

        gateway.receiver = Interrupted()
        await gateway.send_all()

        assert gateway.receiver.seqs() == [3, 4, 1, 2, 3, 4]
        assert await gateway.states() == ["delivered"] * 4

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
    assert retry_after(stated) == seconds
