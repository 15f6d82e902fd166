"""Door 2: registration files as they come back from the accepted log."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
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
from services.identity.attributes import Attributes
from services.identity.network import Network
from services.identity.registration_store import Book
from services.identity.registrations import Step
from services.identity.rule_values import RuleValues
from services.identity.search_spans import Line
from services.identity.shops import Shops
from services.identity.vault import Vault
from services.identity.writing import writing
from shared.consumer import Handlers
from shared.database import kept
from shared.events.base import Event
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
from shared.messaging import publish
from shared.received import Received


def handlers(vault: Vault) -> Handlers:
    """Return what is done with each event; the vault opens what the door sealed."""

    async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
        """Add versions to accounts' files, in order, and see whom they are linked to."""
        personal_reads.note_verification(session, received)
        batch = await _read(session, vault, received)
        events, moments = await _record(session, batch), _moments(batch.steps)
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


class _Batch(NamedTuple):
    """Files and ends of accounts, what each says by itself, and what is known of all they may touch."""

    steps: Sequence[Step]
    values: RuleValues
    book: Book
    statements: Sequence[Attributes | None]
    network: Network
    searched: Mapping[UUID, Line]
    files: changes.Files


async def _read(session: AsyncSession, vault: Vault, received: Sequence[Received]) -> _Batch:
    """Read all that is needed before anything is written: then PostgreSQL writes while we go on."""
    opened = await vault.opened(received)
    statements, digests = links.stated(vault.blind, opened), changes.stated(vault.blind, opened)
    steps = await registrations.steps(session, vault.blind, received, opened)
    values = kept(session, RuleValues)
    await values.refresh(session)
    accounts = {step.account_id for step in steps}
    # Nothing is locked before, and nothing slow is left to do after it: that files are read is written down by now.
    await session.flush()
    await links.take_turn(session)
    return _Batch(
        steps=steps,
        values=values,
        book=await registrations.read(session, steps),
        statements=statements,
        network=await links.read(session, values, steps, statements),
        searched=await search_store.known(session, [step.searched for step in steps if step.searched is not None]),
        files=changes.Files(await changes.known(session, accounts), digests),
    )


async def _record(session: AsyncSession, batch: _Batch) -> list[Event]:
    """Write what follows of a batch, and return what is to be published of it."""
    async with writing(session) as writes:
        # First what PostgreSQL has most work with.
        found = await links.record(writes, batch.network, batch.steps, batch.statements)
        recorded, named = await registrations.record(writes, batch.book, batch.values, batch.steps)
        owners = [own.operator_id for own in recorded]
        await search_store.record(writes, named, batch.searched)
        changed = await changes.record(writes, batch.steps, owners, batch.files)
        await shops.record(writes, [_shops(step, owner) for step, owner in zip(batch.steps, owners, strict=True)])
    return [
        event
        for own, linked, others in zip(recorded, found, changed, strict=True)
        for event in [*own.events, *linked, *others]
    ]


async def on_contacts(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep consents and messages, and see which messages had no consent."""
    await publish(session, await consents.record(session, received), source="identity")


async def on_hits(session: AsyncSession, received: Sequence[Received]) -> None:
    """Order platforms to remove what alerts and credit levels ask to remove, and take back what they no longer do."""
    await publish(session, await removals.record(session, [one.event for one in received]), source="identity")


async def on_offers(session: AsyncSession, received: Sequence[Received]) -> None:
    """Refuse offers of categories that their operators lack a qualification for."""
    await publish(session, await offers.record(session, [one.event for one in received]), source="identity")


def _moments(steps: Sequence[Step]) -> dict[UUID, datetime]:
    """Return the newest moment that events of each account are of."""
    moments: dict[UUID, datetime] = {}
    for step in steps:
        moments[step.account_id] = max(step.at, moments.get(step.account_id, step.at))
    return moments


def _shops(step: Step, owner: UUID) -> Shops:
    """Return where an account has shops after an event: an ended one nowhere."""
    urls = () if isinstance(step.event, OperatorDeregistered) else step.event.shop_urls
    return Shops(step.account_id, owner, step.platform_id, urls)
