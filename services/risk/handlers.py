"""Door 2: transactions, reviews, declarations, incidents, totals and what identity found, in micro-batches."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import assessments, incidents, operators, removals, review_signals, totals, triaging
from services.risk.day_store import Days
from shared.clock import utc_now
from shared.consumer import Handlers, Received
from shared.database import kept
from shared.events.customs import DeclarationCleared, DeclarationLodged, InspectionRecorded
from shared.events.identity import (
    OperatorDeregistered,
    OperatorRejected,
    OperatorUnverified,
    OperatorVerified,
)
from shared.events.listings import (
    ReviewRecorded,
    ReviewRemoved,
    TransactionMatched,
    TransactionMismatched,
    TransactionRecorded,
)
from shared.events.platform import SecurityIncidentReported, TotalsStated
from shared.identifiers import platform_of


async def on_transactions(session: AsyncSession, received: Sequence[Received]) -> None:
    """Assess transactions."""
    events = [one.event for one in received]
    await assessments.assess(session, events, kept(session, Days), kept(session, assessments.Earlier))


async def on_reviews(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch reviews."""
    await review_signals.watch(session, [one.event for one in received], kept(session, Days))


async def on_removed_reviews(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep which reviews were removed."""
    await removals.record(session, [one.event for one in received])


async def on_operators(session: AsyncSession, received: Sequence[Received]) -> None:
    """Watch operators."""
    await operators.watch(session, [one.event for one in received])


async def on_declarations(session: AsyncSession, received: Sequence[Received]) -> None:
    """Channel declarations and learn from inspections."""
    await triaging.record(session, received)


async def on_incidents(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep security incidents and see which belong together."""
    await incidents.record(session, [(platform_of(one.source), one.event) for one in received])


async def on_totals(session: AsyncSession, received: Sequence[Received]) -> None:
    """Keep what platforms say their months come to."""
    await totals.record(session, received, at=utc_now())


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
    ReviewRemoved: on_removed_reviews,
    OperatorVerified: on_operators,
    OperatorRejected: on_operators,
    OperatorUnverified: on_operators,
    OperatorDeregistered: on_operators,
}
