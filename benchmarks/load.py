"""A load of platform events, made before it is sent, at a fixed rate that does not wait for answers."""

import asyncio
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus

import aiohttp
import msgspec

from simulator.marketplace import Marketplace

PROBE = "probe"


@dataclass(frozen=True)
class Batch:
    """One POST: its lane, its body, its events, and the probe order it carries."""

    platform_id: str
    service: str
    body: bytes
    events: int
    probe: str | None = None


@dataclass
class Sent:
    """What was sent and answered: when each probe was due, and every answer's latency in seconds."""

    events: int = 0
    refused: int = 0
    due: dict[tuple[str, str], float] = field(default_factory=dict)
    answers: list[float] = field(default_factory=list)


def make_batches(events: int, *, seed: int, size: int, probe_every: int) -> tuple[list[Batch], list[Batch]]:
    """Return the operators' batches, to be sent first, and the load with a probe order in every so many."""
    market = Marketplace(events=events, seed=seed, base=datetime(2026, 11, 1, tzinfo=UTC))
    first: list[Batch] = []
    lanes: dict[str, list[Batch]] = defaultdict(list)
    for platform in market.platform_ids:
        for service, bodies in _bodies(market, platform, size):
            probe = None
            carried = bodies
            if service == "listings" and len(lanes[platform]) % probe_every == 0:
                probe = f"{PROBE}-{len(lanes[platform])}"
                carried = [*bodies, *probe_events(platform, probe)]
            batch = Batch(platform, service, b"\n".join(carried), len(carried), probe)
            (first if service == "identity" else lanes[platform]).append(batch)
    ordered = [batch for group in _interleave(list(lanes.values())) for batch in group]
    return [*map(_probe_operator, market.platform_ids), *first], ordered


def _bodies(market: Marketplace, platform: str, size: int) -> Iterator[tuple[str, list[bytes]]]:
    waiting: dict[str, list[bytes]] = defaultdict(list)
    for outgoing in market.events(platform):
        lane = waiting[outgoing.to]
        lane.append(outgoing.body)
        if len(lane) >= size:
            yield outgoing.to, lane
            waiting[outgoing.to] = []
    yield from ((service, lane) for service, lane in waiting.items() if lane)


def _interleave(lanes: Sequence[Sequence[Batch]]) -> Iterator[list[Batch]]:
    """Yield the batches of all lanes in the order in which lanes of one length would end together."""
    places = [(index / len(lane), batch) for lane in lanes for index, batch in enumerate(lane)]
    yield [batch for _, batch in sorted(places, key=lambda place: place[0])]


def probe_events(platform: str, order_ref: str) -> list[bytes]:
    """Return an order of the probe operator with payment and waybill: it matches as soon as it is read."""
    at = "2026-10-31T12:00:00Z"
    line = {
        "line_ref": "1",
        "listing_ref": "p",
        "operator_ref": PROBE,
        "quantity": 1,
        "unit_price_minor": 100,
    }
    order = {
        "order_ref": order_ref,
        "buyer_ref": order_ref,
        "lines": [line],
        "currency": "CNY",
        "placed_at": at,
    }
    payment = {"payment_ref": order_ref, "order_ref": order_ref, "amount_minor": 100, "currency": "CNY"}
    parcel = {"waybill_ref": order_ref, "order_ref": order_ref, "shipped_at": at}
    return [
        _event(platform, f"{order_ref}-o", "platform.order.placed.v1", order),
        _event(platform, f"{order_ref}-p", "platform.payment.made.v1", {**payment, "paid_at": at}),
        _event(platform, f"{order_ref}-w", "platform.parcel.shipped.v1", parcel),
    ]


def _probe_operator(platform: str) -> Batch:
    file = {
        "operator_ref": PROBE,
        "legal_name": "Probe",
        "entity_type": "company",
        "jurisdiction": "CN",
    }
    body = _event(platform, f"{PROBE}-operator", "platform.operator.registered.v1", file)
    return Batch(platform, "identity", body, 1)


def _event(platform: str, identifier: str, kind: str, data: Mapping[str, object]) -> bytes:
    event = {"specversion": "1.0", "id": identifier, "source": f"/platforms/{platform}", "type": kind}
    return msgspec.json.encode({**event, "time": "2026-10-31T12:00:00Z", "data": data})


class Sender:
    """Sends batches on time. A lane keeps its order; what is late was due when it was due."""

    def __init__(self, urls: dict[str, str], tokens: dict[str, str], connections: int = 8) -> None:
        # The generator shares the machine with what it measures, so it must cost little itself.
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=connections), timeout=aiohttp.ClientTimeout(60)
        )
        self._urls = urls
        self._tokens = tokens
        self.sent = Sent()

    async def close(self) -> None:
        """Close connections."""
        await self._client.close()

    async def send(self, batches: Sequence[Batch], events_per_s: float | None) -> None:
        """Send batches at a rate, each lane in order; without one, as soon as the one before is answered."""
        lanes: dict[tuple[str, str], asyncio.Queue[tuple[float, Batch] | None]] = defaultdict(asyncio.Queue)
        tasks: dict[tuple[str, str], asyncio.Task[None]] = {}
        started, due = time.monotonic(), 0.0
        for batch in batches:
            key = (batch.platform_id, batch.service)
            if key not in tasks:
                tasks[key] = asyncio.create_task(self._drain(lanes[key]))
            at = started + due if events_per_s else time.monotonic()
            if events_per_s:
                due += batch.events / events_per_s
                await asyncio.sleep(max(0.0, at - time.monotonic()))
            lanes[key].put_nowait((at, batch))
        for queue in lanes.values():
            queue.put_nowait(None)
        await asyncio.gather(*tasks.values())

    async def _drain(self, queue: "asyncio.Queue[tuple[float, Batch] | None]") -> None:
        while (entry := await queue.get()) is not None:
            await self._post(*entry)

    async def _post(self, due: float, batch: Batch) -> None:
        if batch.probe is not None:
            self.sent.due[batch.platform_id, batch.probe] = due
        headers = {
            "authorization": f"Bearer {self._tokens[batch.platform_id]}",
            "content-type": "application/x-ndjson",
        }
        url = f"{self._urls[batch.service]}/v1/events"
        while True:
            async with self._client.post(url, data=batch.body, headers=headers) as response:
                await response.read()
                if response.status != HTTPStatus.TOO_MANY_REQUESTS:
                    response.raise_for_status()
                    break
            self.sent.refused += 1
            await asyncio.sleep(float(response.headers.get("retry-after", "1")))
        self.sent.answers.append(time.monotonic() - due)
        self.sent.events += batch.events
