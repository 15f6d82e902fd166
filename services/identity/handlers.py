"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import (
    changes,
    consents,
    links,
    offers,
    personal_reads,
    registrations,
    removals,
    search_store,
    shops,
    snapshots,
)
from services.identity.registrations import Step
from services.identity.shops import Shops
from services.identity.vault import Vault
from shared.consumer import Handlers
from shared.events.credit import LevelChanged
from shared.events.listings import ListingRecorded
from shared.events.pages import PageCaptured
from shared.events.platform import (
    ConsentRecorded,
    MessageSent,
    OperatorChanged,
    OperatorDeregistered,
    OperatorRegistered,
)
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id
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
        changed = await changes.record(session, vault.blind, opened, owners)
        events = [
            event
            for own, linked, others in zip(recorded, found, changed, strict=True)
            for event in [*own.events, *linked, *others]
        ]
        moments = _moments(received)
        events += [*await removals.follow(session, moments), *await offers.follow(session, moments)]
        events += await snapshots.follow(session, vault.blind, moments)
        await publish(session, events, source="identity")

    async def on_pages(session: AsyncSession, received: Sequence[Received]) -> None:
        """Keep what pages show, and see which shops do not display their licence."""
        await publish(session, await snapshots.record(session, vault.blind, received), source="identity")

    about_operators: Handlers = dict.fromkeys((OperatorRegistered, OperatorChanged, OperatorDeregistered), on_operators)
    about_persons: Handlers = dict.fromkeys((ConsentRecorded, MessageSent), on_contacts)
    grounds: Handlers = dict.fromkeys((AlertRaised, AlertWithdrawn, LevelChanged), on_hits)
    return {**about_operators, **about_persons, **grounds, ListingRecorded: on_offers, PageCaptured: on_pages}


async def on_contacts(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep consents and messages, and see which messages had no consent."""
    await publish(session, await consents.record(session, received), source="identity")


async def on_hits(session: AsyncSession, received: Sequence[Received]) -> None:
    """Order platforms to remove what alerts and credit levels ask to remove, and take back what they no longer do."""
    await publish(session, await removals.record(session, [one.event for one in received]), source="identity")


async def on_offers(session: AsyncSession, received: Sequence[Received]) -> None:
    """Refuse offers of categories that their operators lack a qualification for."""
    await publish(session, await offers.record(session, [one.event for one in received]), source="identity")


def _moments(received: Sequence[Received]) -> dict[UUID, datetime]:
    """Return the newest moment that events of each account are of."""
    moments: dict[UUID, datetime] = {}
    for one in received:
        account = account_id(one.platform_id, one.event.operator_ref)
        moments[account] = max(one.time, moments.get(account, one.time))
    return moments


def _shops(step: Step, owner: UUID) -> Shops:
    """Return where an account has shops after an event: an ended one nowhere."""
    urls = () if isinstance(step.event, OperatorDeregistered) else step.event.shop_urls
    return Shops(step.account_id, owner, step.platform_id, urls)
