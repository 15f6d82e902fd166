"""A stand-in for the services' HTTP doors: other people's HTTP, so it may be a fake."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import httpx
import msgspec

from simulator.cloudevents import Outgoing
from simulator.complaints import Complaint
from simulator.retries import Patience, Role
from simulator.sender import SenderOptions

Fault = Callable[[httpx.Request], httpx.Response | None]


def no_fault(_: httpx.Request) -> httpx.Response | None:
    return None


@dataclass
class FakeServices:
    """Takes events once by id and complaints once by key. A fault may answer, or raise, in its place."""

    before: Fault = no_fault
    after: Fault = no_fault
    requests: list[httpx.Request] = field(default_factory=list)
    stored: dict[str, bytes] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    tokens: list[tuple[Role, str | None, str | None]] = field(default_factory=list)
    seconds: float = 0.0

    def options(
        self,
        *,
        batch_events: int = 10,
        batch_bytes: int = 4_900_000,
        give_up: float = 60,
        rate: float | None = None,
    ) -> SenderOptions:
        return SenderOptions(
            services={name: f"http://{name}" for name in ("identity", "listings", "disputes")},
            batch_events=batch_events,
            batch_bytes=batch_bytes,
            events_per_second=rate,
            patience=Patience(
                give_up_after_seconds=60, sleep=self._sleep, clock=lambda: self.seconds, jitter=Random(1)
            ),
            transport=httpx.MockTransport(self._answer),
        )

    def token_for(self, role: Role, platform_id: str | None, subject: str | None) -> str:
        self.tokens.append((role, platform_id, subject))
        return f"token-{len(self.tokens)}"

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.seconds += seconds

    def _answer(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return self.before(request) or self._applied(request)

    def _applied(self, request: httpx.Request) -> httpx.Response:
        apply = self._disputes if request.url.host == "disputes" else self._events
        response = apply(request)
        return self.after(request) or response

    def _events(self, request: httpx.Request) -> httpx.Response:
        lines = request.content.splitlines()
        new = {msgspec.json.decode(line, type=_Id).id: line for line in lines}
        accepted = [event_id for event_id in new if event_id not in self.stored]
        self.stored |= new
        self.order += accepted
        counts = {"accepted": len(accepted), "duplicate": len(lines) - len(accepted), "rejected": []}
        return httpx.Response(202, json=counts)

    def _disputes(self, request: httpx.Request) -> httpx.Response:
        key = request.headers.get("idempotency-key") or request.url.path
        known = key in self.stored or request.url.path.endswith("/resolution")
        self.stored[key] = request.content
        return httpx.Response(200 if known else 201, json={"id": f"complaint-{len(self.stored)}"})


class _Id(msgspec.Struct):
    id: str


@dataclass
class FixedSource:
    """Events and complaints of one platform, as given."""

    outgoing: list[Outgoing]
    filed: list[Complaint] = field(default_factory=list)
    platform_ids: tuple[str, ...] = ("jade-mall",)

    def events(self, platform_id: str) -> Iterator[Outgoing]:
        assert platform_id in self.platform_ids
        return iter(self.outgoing)

    def complaints(self, platform_id: str) -> Iterator[Complaint]:
        assert platform_id in self.platform_ids
        return iter(self.filed)


def outgoing(number: int, *, to: str = "listings", kind: str = "payments", order_lines: int = 0) -> Outgoing:
    return Outgoing(to, kind, order_lines, msgspec.json.encode({"id": f"{to}-{number:05d}"}))
