"""A seeded marketplace, streamed into a stack at a steady rate while things are killed under it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from deploy.stack import Stack
from deploy.streaming import Supply
from shared.auth import Role
from simulator.cloudevents import Outgoing
from simulator.complaints import Complaint
from simulator.retries import Patience
from simulator.sender import SenderOptions, Source, stream
from simulator.totals import Totals

_BATCH_EVENTS = 50
_DOORS = ("identity", "listings", "disputes")


@dataclass
class Cut:
    """A source that ends as soon as it has served its purpose."""

    source: Source
    is_over: Callable[[], bool]
    platform_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        self.platform_ids = self.source.platform_ids

    def events(self, platform_id: str) -> Iterator[Outgoing]:
        """Yield a platform's events until it is over."""
        for event in self.source.events(platform_id):
            if self.is_over():
                return
            yield event

    def complaints(self, platform_id: str) -> Iterator[Complaint]:
        """Yield none: what they are about may not have been sent."""
        yield from ()


async def send_steadily(
    stack: Stack,
    supply: Supply,
    *,
    events_per_second: float | None,
    on_progress: Callable[[Totals], None] = lambda _: None,
) -> Totals:
    """Send a supply in small batches; a door that is away is tried again at least once a second."""

    def _token(role: str, platform_id: str | None, subject: str | None) -> str:
        return stack.issuer.issue(Role(role), platform_id=platform_id, subject=subject, lifetime=timedelta(hours=3))

    options = SenderOptions(
        services={name: stack.ports.url(name) for name in _DOORS},
        batch_events=_BATCH_EVENTS,
        events_per_second=events_per_second,
        patience=Patience(longest_delay_seconds=1.0),
    )
    return await stream(supply.source, token_for=_token, options=options, on_progress=on_progress)
