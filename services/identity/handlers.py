"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import consents, links, personal_reads, registrations, search_store, shops
from services.identity.registrations import Step
from services.identity.shops import Shops
from services.identity.vault import Vault
from shared.consumer import Handlers
from shared.events.platform import (
    ConsentRecorded,
    MessageSent,
    OperatorChanged,
    OperatorDeregistered,
    OperatorRegistered,
)
from shared.messaging import publish
from shared.received import Received


def handlers(vault: Vault) -> Handlers:
    """Return what is done with each event; the vault opens what the door sealed."""

    async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
        """Add versions to accounts' files, in order, and see whom they are linked to."""
        personal_reads.note_verification(session, received)
        opened = await vault.opened(received)
        statements = links.stated(vault.blind, opened)
        steps = await registrations.steps(session, vault.blind, received, opened)
        # Nothing is locked before, and nothing slow is left to do after it.
        await links.take_turn(session)
        recorded, found_by = await registrations.record(session, steps)
        owners = [own.operator_id for own in recorded]
        await shops.record(session, [_shops(step, owner) for step, owner in zip(steps, owners, strict=True)])
        await search_store.record(session, found_by)
        found = await links.record(session, steps, owners, statements)
        events = [event for own, linked in zip(recorded, found, strict=True) for event in [*own.events, *linked]]
        await publish(session, events, source="identity")

    about_operators: Handlers = dict.fromkeys((OperatorRegistered, OperatorChanged, OperatorDeregistered), on_operators)
    return {**about_operators, ConsentRecorded: on_contacts, MessageSent: on_contacts}


async def on_contacts(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep consents and messages, and see which messages had no consent."""
    await publish(session, await consents.record(session, received), source="identity")


def _shops(step: Step, owner: UUID) -> Shops:
    """Return where an account has shops after an event: an ended one nowhere."""
    urls = () if isinstance(step.event, OperatorDeregistered) else step.event.shop_urls
    return Shops(step.account_id, owner, step.platform_id, urls)
