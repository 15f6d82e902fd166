"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import links, personal_reads, registrations, shops
from services.identity.shops import Shops
from services.identity.vault import Vault
from shared.consumer import Handlers
from shared.events.base import Event
from shared.events.platform import OperatorChanged, OperatorDeregistered, OperatorRegistered
from shared.identifiers import account_id
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
        await shops.record(session, [_shops(vault, one) for one in opened])
        found = await links.record(session, vault.blind, opened)
        events = [event for pair in zip(verdicts, found, strict=True) for part in pair for event in part]
        await publish(session, events, source="identity")

    return dict.fromkeys((OperatorRegistered, OperatorChanged, OperatorDeregistered), on_operators)


def _shops(vault: Vault, one: Received) -> Shops:
    """Return where an account has shops after an event: an ended one nowhere."""
    account = account_id(one.platform_id, one.event.operator_ref)
    if isinstance(one.event, OperatorDeregistered):
        return Shops(account, account, one.platform_id, ())
    operator = registrations.legal_entity(vault.blind, one.platform_id, one.event).id
    return Shops(account, operator, one.platform_id, one.event.shop_urls)
