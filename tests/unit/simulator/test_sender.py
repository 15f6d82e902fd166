"""The sender: order, batches, retries and honest counts, against a fake of the services' doors."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import msgspec
import pytest

from simulator.cloudevents import Outgoing
from simulator.retries import SendError
from simulator.sender import stream
from simulator.totals import Totals
from tests.unit.simulator.service import FakeServices, Fault, FixedSource, outgoing
from tests.unit.simulator.streams import marketplace


def once(fault: Fault) -> Fault:
    """Let a fault happen at the first request only."""
    happened: list[bool] = []

    def first_time(request: httpx.Request) -> httpx.Response | None:
        if happened:
            return None
        happened.append(True)
        return fault(request)

    return first_time


def answers(status: int, **headers: str) -> Fault:
    return lambda _: httpx.Response(status, headers=headers)


def breaks(error: type[httpx.TransportError]) -> Fault:
    def fault(request: httpx.Request) -> httpx.Response:
        raise error("broken", request=request)

    return fault


async def sent(services: FakeServices, events: list[Outgoing]) -> Totals:
    return await stream(FixedSource(events), token_for=services.token_for, options=services.options())


class TestStream:
    async def test_sends_a_whole_marketplace(self) -> None:
        services, source = FakeServices(), marketplace(events=3_000)
        seen: list[int] = []

        totals = await stream(
            source,
            token_for=services.token_for,
            options=services.options(batch_events=100),
            on_progress=lambda totals: seen.append(totals.events),
        )

        events = [event for platform_id in source.platform_ids for event in source.events(platform_id)]
        complaints = sum(1 for platform_id in source.platform_ids for _ in source.complaints(platform_id))
        kinds = Counter(event.kind for event in events)
        assert totals.events == totals.accepted == len(events) == seen[-1]
        assert totals.sent == {
            **kinds,
            "order_lines": sum(event.order_lines for event in events),
            "complaints": complaints,
        }
        assert totals.complaints_filed == complaints
        assert (totals.duplicate, totals.rejected, totals.unaccounted, totals.retries) == (0, 0, 0, 0)
        assert seen == sorted(seen)

    async def test_reports_everything_as_duplicate_the_second_time(self) -> None:
        services, source = FakeServices(), marketplace(events=3_000)
        options = services.options(batch_events=100)
        first = await stream(source, token_for=services.token_for, options=options)

        second = await stream(source, token_for=services.token_for, options=options)

        assert (second.accepted, second.duplicate) == (0, first.accepted)
        assert second.duplicate_after_lost_answer == 0
        assert (second.complaints_filed, second.complaints_repeated) == (0, first.complaints_filed)

    async def test_keeps_the_order_of_each_lane(self) -> None:
        services = FakeServices()
        events = [outgoing(number, to="identity" if number % 7 == 0 else "listings") for number in range(95)]

        await sent(services, events)

        for service in ("identity", "listings"):
            arrived = [event_id for event_id in services.order if event_id.startswith(service)]
            assert arrived == sorted(arrived)
        assert len(services.order) == 95

    async def test_does_not_hold_merchants_back_until_their_batch_is_full(self) -> None:
        services = FakeServices()

        await sent(services, [outgoing(0, to="identity"), *(outgoing(number) for number in range(100))])

        hosts = [request.url.host for request in services.requests]
        assert hosts.index("identity") < 3

    async def test_fills_batches_by_count_and_by_bytes(self) -> None:
        services, events = FakeServices(), [outgoing(number) for number in range(25)]
        room_for_four = 4 * (len(events[0].body) + 1)

        await sent(services, events)
        by_count = [len(request.content.splitlines()) for request in services.requests]
        services.requests.clear()
        options = services.options(batch_bytes=room_for_four)
        await stream(FixedSource(events), token_for=services.token_for, options=options)
        by_bytes = [len(request.content) for request in services.requests]

        assert by_count == [10, 10, 5]
        assert max(by_bytes) <= room_for_four

    async def test_sends_ndjson_with_the_platforms_token(self) -> None:
        services = FakeServices()

        await sent(services, [outgoing(1)])

        (request,) = services.requests
        assert str(request.url) == "http://listings/v1/events"
        assert request.headers["content-type"] == "application/x-ndjson"
        assert request.headers["authorization"] == "Bearer token-1"
        assert services.tokens == [("platform", "jade-mall", None)]

    async def test_counts_the_wait_of_late_batches_at_a_fixed_rate(self) -> None:
        def slow(_: httpx.Request) -> None:
            services.seconds += 0.25

        services = FakeServices(before=slow)
        totals = await stream(
            FixedSource([outgoing(number) for number in range(40)]),
            token_for=services.token_for,
            options=services.options(rate=100.0),
        )

        # Every 0.1 s a batch is due and every 0.25 s one is answered: each is 0.15 s later than the last.
        waits = [round(later - earlier, 3) for earlier, later in pairwise(totals.latencies)]
        assert totals.accepted == 40
        assert waits == [0.15, 0.15, 0.15]


class TestRetries:
    @pytest.mark.parametrize(
        "fault",
        [
            answers(500),
            answers(502),
            answers(503),
            answers(429),
            breaks(httpx.ConnectError),
            breaks(httpx.ConnectTimeout),
            breaks(httpx.ReadTimeout),
            breaks(httpx.RemoteProtocolError),
        ],
    )
    async def test_repeat_the_same_bytes(self, fault: Fault) -> None:
        services = FakeServices(before=once(fault))

        totals = await sent(services, [outgoing(number) for number in range(5)])

        first, second = services.requests
        assert first.content == second.content
        assert (totals.accepted, totals.retries, totals.events) == (5, 1, 5)

    @pytest.mark.parametrize("fault", [breaks(httpx.ReadError), breaks(httpx.ReadTimeout), answers(504)])
    async def test_tell_duplicates_after_a_lost_answer_from_others(self, fault: Fault) -> None:
        services = FakeServices(after=once(fault))

        totals = await sent(services, [outgoing(number) for number in range(15)])

        assert (totals.accepted, totals.duplicate) == (5, 10)
        assert totals.duplicate_after_lost_answer == 10

    async def test_do_not_suspect_a_lost_answer_where_nothing_was_taken(self) -> None:
        services = FakeServices(before=once(answers(429)))
        services.stored[msgspec.json.decode(outgoing(0).body)["id"]] = b""

        totals = await sent(services, [outgoing(0), outgoing(1)])

        assert (totals.accepted, totals.duplicate, totals.duplicate_after_lost_answer) == (1, 1, 0)

    async def test_wait_longer_each_time_within_bounds(self) -> None:
        attempts: list[int] = []

        def fault(_: httpx.Request) -> httpx.Response | None:
            attempts.append(1)
            return httpx.Response(500) if len(attempts) <= 9 else None

        services = FakeServices(before=fault)
        await sent(services, [outgoing(1)])

        for number, pause in enumerate(services.pauses):
            middle = min(0.2 * 2**number, 10.0)
            assert 0.5 * middle <= pause <= 1.5 * middle
        assert len(set(services.pauses)) == 9

    @pytest.mark.parametrize("status", [429, 503])
    async def test_honour_retry_after_in_seconds(self, status: int) -> None:
        services = FakeServices(before=once(answers(status, **{"retry-after": "7"})))

        await sent(services, [outgoing(1)])

        assert services.pauses == [7.0]

    async def test_honour_retry_after_as_a_date(self) -> None:
        later = datetime.now(UTC) + timedelta(seconds=40)
        date = later.strftime("%a, %d %b %Y %H:%M:%S GMT")
        services = FakeServices(before=once(answers(503, **{"retry-after": date})))

        await sent(services, [outgoing(1)])

        assert 30 < services.pauses[0] <= 40

    @pytest.mark.parametrize("nonsense", ["soon", "nan", "-5", "inf"])
    async def test_ignore_a_senseless_retry_after(self, nonsense: str) -> None:
        services = FakeServices(before=once(answers(503, **{"retry-after": nonsense})))

        await sent(services, [outgoing(1)])

        assert 0 < services.pauses[0] < 1

    async def test_give_up_in_the_end(self) -> None:
        services = FakeServices(before=breaks(httpx.ConnectError))

        with pytest.raises(ExceptionGroup) as failure:
            await sent(services, [outgoing(number) for number in range(500)])

        assert failure.group_contains(SendError, match="http://listings/v1/events did not answer")
        assert sum(services.pauses) <= 60

    async def test_ask_for_a_new_token_when_the_old_one_expired(self) -> None:
        def fault(request: httpx.Request) -> httpx.Response | None:
            expired = request.headers["authorization"] == "Bearer token-1" and len(services.requests) > 1
            return httpx.Response(401) if expired else None

        services = FakeServices(before=fault)
        totals = await sent(services, [outgoing(number) for number in range(20)])

        assert (totals.accepted, totals.retries) == (20, 0)
        assert len(services.tokens) == 2

    async def test_stop_when_a_fresh_token_is_refused(self) -> None:
        services = FakeServices(before=answers(401))

        with pytest.raises(ExceptionGroup) as failure:
            await sent(services, [outgoing(1)])

        assert failure.group_contains(SendError, match="refuses a fresh token")
        assert len(services.requests) == 1


class TestCounts:
    async def test_keep_rejected_items_with_their_reasons(self) -> None:
        rejected = [
            {
                "index": 1,
                "id": "listings-00001",
                "code": "bad_amount",
                "detail": "negative",
                "pointer": "/data",
            }
        ]
        answer = {"accepted": 1, "duplicate": 1, "rejected": rejected}
        services = FakeServices(before=lambda _: httpx.Response(202, json=answer))

        totals = await sent(services, [outgoing(number) for number in range(3)])

        assert (totals.accepted, totals.duplicate, totals.rejected, totals.unaccounted) == (1, 1, 1, 0)
        assert [(example.id, example.code) for example in totals.examples] == [("listings-00001", "bad_amount")]

    @pytest.mark.parametrize("status", [400, 403, 413, 422])
    async def test_count_a_refused_batch_as_rejected(self, status: int) -> None:
        services = FakeServices(before=once(answers(status)))

        totals = await sent(services, [outgoing(number) for number in range(15)])

        assert (totals.accepted, totals.rejected, totals.events) == (5, 10, 15)
        assert totals.examples[0].code == str(status)

    async def test_notice_items_without_an_answer(self) -> None:
        services = FakeServices(before=lambda _: httpx.Response(202, json={"accepted": 1, "duplicate": 0}))

        totals = await sent(services, [outgoing(number) for number in range(3)])

        assert totals.unaccounted == 2

    async def test_stop_at_an_answer_without_counts(self) -> None:
        services = FakeServices(before=lambda _: httpx.Response(200, text="<html>"))

        with pytest.raises(ExceptionGroup) as failure:
            await sent(services, [outgoing(1)])

        assert failure.group_contains(SendError, match="without counts")
