"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import links, personal_reads, registrations
from services.identity.vault import Vault
from shared.consumer import Handlers
from shared.events.base import Event
from shared.events.platform import OperatorChanged, OperatorDeregistered, OperatorRegistered
from shared.messaging import publish
from shared.received import Received


def handlers(vault: Vault) -> Handlers:
    """Return what is done with each event; the vault opens what the door sealed."""

    async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
        """Add versions to accounts' files, in order, and see whom they are linked to."""
        await links.take_turn(session)
        personal_reads.note_verification(session, received)
        opened = await vault.opened(received)
        verdicts: list[list[Event]] = []
        for sealed, one in zip(received, opened, strict=True):
            if isinstance(one.event, OperatorDeregistered):
                verdicts.append(await registrations.end(session, one))
            else:
                verdicts.append(await registrations.record(session, vault.blind, one, sealed.event))
        found = await links.record(session, vault.blind, opened)
        events = [event for pair in zip(verdicts, found, strict=True) for part in pair for event in part]
        await publish(session, events, source="identity")

    return dict.fromkeys((OperatorRegistered, OperatorChanged, OperatorDeregistered), on_operators)
