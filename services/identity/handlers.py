"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import registrations
from shared.consumer import Handlers
from shared.events.base import Event
from shared.events.platform import OperatorChanged, OperatorDeregistered, OperatorRegistered
from shared.messaging import publish
from shared.received import Received


async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
    """Add versions to accounts' files, in order."""
    events: list[Event] = []
    for one in received:
        step = registrations.end if isinstance(one.event, OperatorDeregistered) else registrations.record
        events.extend(await step(session, one))
    await publish(session, events, source="identity")


HANDLERS: Handlers = {
    OperatorRegistered: on_operators,
    OperatorChanged: on_operators,
    OperatorDeregistered: on_operators,
}
