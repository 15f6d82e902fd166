"""Rounds of sending: in which order notices leave, who may send them, and what is sent again."""

import asyncio
from collections import defaultdict

import httpx

from services.gateway.sending import OF_A_LINE_AT_ONCE, Sender
from shared.auth import Role
from shared.identifiers import account_id
from tests.services.gateway.customs import Gateway
from tests.services.gateway.factories import alert_raised
from tests.services.gateway.receiver import Receiver, body_of
from tests.services.inbox import handle


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
