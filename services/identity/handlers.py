"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import registrations
from shared.consumer import Handlers, Received
from shared.events.platform import OperatorChanged, OperatorDeregistered, OperatorRegistered


async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
    """Add versions to accounts' files, in order."""
    for one in received:
        if isinstance(one.event, OperatorDeregistered):
            await registrations.end(session, one)
        else:
            await registrations.record(session, one)


HANDLERS: Handlers = {
    OperatorRegistered: on_operators,
    OperatorChanged: on_operators,
    OperatorDeregistered: on_operators,
}
