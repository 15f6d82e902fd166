"""The gateway with one endpoint of customs, and what stands behind its URL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from services.gateway.sending import Sender
from services.gateway.signing import Wrapping
from shared.auth import Role
from shared.events.base import Event
from shared.events.risk import AlertRaised
from tests.services.doors import Service
from tests.services.gateway.receiver import Receiver

URL = "https://customs.example/hooks"


class Gateway:
    """A gateway whose notices reach a receiver of the test's."""

    def __init__(self, service: Service, wrapping: Wrapping) -> None:
        self.service = service
        self.wrapping = wrapping
        self.receiver = Receiver()

    async def subscribe(self, url: str = URL, *, kind: type[Event] = AlertRaised, least_severity: str = "low") -> None:
        body = {"department": "customs", "url": url, "types": [kind.type], "least_severity": least_severity}
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
