"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import personal_reads, registrations
from services.identity.vault import Vault
from shared.consumer import Handlers
from shared.events.base import Event
from shared.events.platform import OperatorChanged, OperatorDeregistered, OperatorRegistered
from shared.messaging import publish
from shared.received import Received


def handlers(vault: Vault) -> Handlers:
    """Return what is done with each event; the vault opens what the door sealed."""

    async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
        """Add versions to accounts' files, in order."""
        personal_reads.note_verification(session, received)
        events: list[Event] = []
        for sealed, one in zip(received, await vault.opened(received), strict=True):
            if isinstance(one.event, OperatorDeregistered):
                events += await registrations.end(session, one)
            else:
                events += await registrations.record(session, vault.blind, one, sealed.event)
        await publish(session, events, source="identity")

    return dict.fromkeys((OperatorRegistered, OperatorChanged, OperatorDeregistered), on_operators)
