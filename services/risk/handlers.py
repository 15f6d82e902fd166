"""Door 2: trade, reviews, offers, complaints, declarations, incidents, totals and operators, in micro-batches."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import (
    activity,
    assessments,
    claims,
    incidents,
    numbered,
    operators,
    parcel_weights,
    persons,
    removals,
    review_signals,
    totals,
    triaging,
)
from services.risk.certified import Registry
from services.risk.day_store import Days
from shared.clock import utc_now
from shared.consumer import Handlers
from shared.database import kept
from shared.events.customs import DeclarationCleared, DeclarationLodged, InspectionRecorded
from shared.events.disputes import ComplaintFiled, ComplaintResolved
from shared.events.identity import (
    BreachOverdue,
    ConsentViolated,
    ConsentViolationCleared,
    DisplayCorrected,
    DisplayViolated,
    OperatorCleared,
    OperatorDeregistered,
    OperatorLapsed,
    OperatorRejected,
    OperatorReturned,
    OperatorUnverified,
    OperatorVerified,
)
from shared.events.listings import (
    ClaimFound,
    ListingRecorded,
    ReviewRecorded,
    ReviewRemoved,
    TransactionMatched,
    TransactionMismatched,
    TransactionRecorded,
)
from shared.events.numbers import IdentityNumbersReceived, ListingsNumbersReceived, RiskNumbersReceived
from shared.events.platform import SecurityIncidentReported, TotalsStated
from shared.events.risk import KeysSighted
from shared.identifiers import platform_of
from shared.received import Received


async def on_transactions(session: AsyncSession, received: Sequence[Received]) -> None:
    """Assess transactions."""
    events = [one.event for one in received]
    registry = kept(session, Registry)
    await registry.refresh(session)
    await assessments.assess(session, events, kept(session, Days), kept(session, assessments.Earlier), registry)


async def on_reviews(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch reviews."""
    await review_signals.watch(session, [one.event for one in received], kept(session, Days))


async def on_sightings(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch what keys do over all operators."""
    await activity.watch(session, [one.event for one in received])


async def on_removed_reviews(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep which reviews were removed."""
    await removals.record(session, [one.event for one in received])


async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch operators."""
    await operators.watch(session, [one.event for one in received])


async def on_returns(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch accounts that are linked to banned ones."""
    await operators.watch_returns(session, [one.event for one in received])


async def on_displays(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch how shops display their licences."""
    await operators.watch_displays(session, [one.event for one in received])


async def on_declarations(session: AsyncSession, received: Sequence[Received]) -> None:
    """Channel declarations and learn from inspections."""
    await triaging.record(session, received)


async def on_incidents(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep security incidents and see which belong together."""
    await incidents.record(session, [(platform_of(one.source), one.event) for one in received])


async def on_totals(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep what platforms say their months come to."""
    await totals.record(session, received, at=utc_now())


async def on_offers(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep what offers claim, and of which category they are."""
    events = [one.event for one in received]
    await claims.record(session, events)
    await parcel_weights.record_offers(session, events)


async def on_complaints(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep complaints and how they ended."""
    await claims.file(session, [one.event for one in received])


async def on_contacts(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch who writes to persons without consent."""
    await persons.record_contacts(session, [one.event for one in received])


async def on_leaks(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch leaks that were told of late."""
    await persons.record_leaks(session, [one.event for one in received])


async def on_numbers(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep which of a platform's numbers came."""
    await numbered.record(session, [one.event for one in received])


HANDLERS: Handlers = {
    DeclarationLodged: on_declarations,
    DeclarationCleared: on_declarations,
    InspectionRecorded: on_declarations,
    SecurityIncidentReported: on_incidents,
    TotalsStated: on_totals,
    TransactionRecorded: on_transactions,
    TransactionMatched: on_transactions,
    TransactionMismatched: on_transactions,
    ReviewRecorded: on_reviews,
    KeysSighted: on_sightings,
    ListingRecorded: on_offers,
    ClaimFound: on_offers,
    ComplaintFiled: on_complaints,
    ComplaintResolved: on_complaints,
    ReviewRemoved: on_removed_reviews,
    IdentityNumbersReceived: on_numbers,
    ListingsNumbersReceived: on_numbers,
    RiskNumbersReceived: on_numbers,
    OperatorVerified: on_operators,
    OperatorRejected: on_operators,
    OperatorUnverified: on_operators,
    OperatorLapsed: on_operators,
    OperatorDeregistered: on_operators,
    OperatorReturned: on_returns,
    OperatorCleared: on_returns,
    DisplayViolated: on_displays,
    DisplayCorrected: on_displays,
    ConsentViolated: on_contacts,
    ConsentViolationCleared: on_contacts,
    BreachOverdue: on_leaks,
}
