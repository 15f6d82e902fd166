"""Door 2: transactions, reviews and what identity found, in micro-batches."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import assessments, operators, review_signals
from services.risk.day_store import Days
from services.risk.rules import RuleBook
from shared.clock import utc_now
from shared.consumer import Handlers, Received
from shared.events.identity import (
    OperatorDeregistered,
    OperatorRejected,
    OperatorUnverified,
    OperatorVerified,
)
from shared.events.listings import (
    ReviewRecorded,
    TransactionMatched,
    TransactionMismatched,
    TransactionRecorded,
)


class Door:
    """The handlers, with what they keep between batches."""

    def __init__(self) -> None:
        self._rules = RuleBook()
        self._days = Days()

    async def on_transactions(self, session: AsyncSession, received: Sequence[Received]) -> None:
        """Assess transactions."""
        active = await self._rules.active(session, stream="transactions", on=utc_now().date())
        await assessments.assess(session, [one.event for one in received], active, self._days)

    async def on_reviews(self, session: AsyncSession, received: Sequence[Received]) -> None:
        """Watch reviews."""
        active = await self._rules.active(session, stream="reviews", on=utc_now().date())
        await review_signals.watch(session, [one.event for one in received], active, self._days)

    async def on_operators(self, session: AsyncSession, received: Sequence[Received]) -> None:
        """Watch operators."""
        active = await self._rules.active(session, stream="operators", on=utc_now().date())
        await operators.watch(session, [one.event for one in received], active)


_DOOR = Door()

HANDLERS: Handlers = {
    TransactionRecorded: _DOOR.on_transactions,
    TransactionMatched: _DOOR.on_transactions,
    TransactionMismatched: _DOOR.on_transactions,
    ReviewRecorded: _DOOR.on_reviews,
    OperatorVerified: _DOOR.on_operators,
    OperatorRejected: _DOOR.on_operators,
    OperatorUnverified: _DOOR.on_operators,
    OperatorDeregistered: _DOOR.on_operators,
}
