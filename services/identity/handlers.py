"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import links, registrations
from services.identity.blind import BlindIndex
from shared.consumer import Handlers
from shared.events.base import Event
from shared.events.platform import OperatorChanged, OperatorDeregistered, OperatorRegistered
from shared.messaging import publish
from shared.received import Received


def handlers(blind: BlindIndex) -> Handlers:
    """Return what is done with each event; `blind` hides what is compared between operators."""

    async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
        """Add versions to accounts' files, in order, and see whom they are linked to."""
        await links.take_turn(session)
        verdicts: list[list[Event]] = []
        for one in received:
            step = registrations.end if isinstance(one.event, OperatorDeregistered) else registrations.record
            verdicts.append(await step(session, one))
        found = await links.record(session, blind, received)
        events = [event for pair in zip(verdicts, found, strict=True) for part in pair for event in part]
        await publish(session, events, source="identity")

    return dict.fromkeys((OperatorRegistered, OperatorChanged, OperatorDeregistered), on_operators)
