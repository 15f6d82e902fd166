"""Door 2: events of other services become facts; the profiles they touch are evaluated with them."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from services.credit import facts, profiles
from services.credit.facts import State
from services.credit.trees import KeptTree
from shared.clock import utc_now
from shared.consumer import Handlers
from shared.database import kept
from shared.events.disputes import ComplaintFiled, ComplaintResolved
from shared.events.identity import (
    OperatorDeregistered,
    OperatorLinked,
    OperatorRejected,
    OperatorUnverified,
    OperatorVerified,
)
from shared.events.listings import TransactionMatched, TransactionMismatched, TransactionRecorded
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import as_key
from shared.received import Received


async def on_events(session: AsyncSession, received: Sequence[Received]) -> None:
    """Record what a batch says, then evaluate each operator it touches once."""
    now = utc_now()
    tree = await kept(session, KeptTree).tree_on(session, now.date())
    linked = [one.event for one in received if type(one.event) is OperatorLinked]
    operators = await profiles.link(session, linked, tree) if linked else set()
    states = [state for one in received if (state := state_of(one)) is not None]
    accounts = await facts.record(session, states, tree, kept(session, facts.Newest))
    await profiles.refresh(session, accounts, operators, tree, now)


def state_of(one: Received) -> State | None:
    """Return what an event says of an account; None where it names no operator."""
    reader = _STATES.get(type(one.event))
    return reader(one, one.event) if reader is not None else None


def _identity(kind: str) -> Callable[[Received, Any], State]:
    def read(one: Received, event: Any) -> State:  # one of identity's verdicts
        return State(as_key(event.account_id), "identity", "registration", kind, event.occurred_at, one.id, one.type)

    return read


def _deregistered(one: Received, event: OperatorDeregistered) -> State | None:
    if event.reason != "banned":
        return None
    return State(as_key(event.account_id), "identity", "ban", "identity.banned", event.occurred_at, one.id, one.type)


def _trade(one: Received, event: TransactionMatched) -> State | None:
    trade = event.trade
    if trade is None:
        return None
    return State(
        as_key(trade.account_id),
        "trade",
        str(as_key(event.transaction_id)),
        None if event.match == "awaiting_documents" else f"trade.{event.match}",
        event.occurred_at,
        one.id,
        one.type,
        trade.goods_minor + trade.freight_minor,
        event.currency,
        first=event.revision == 1,
    )


def _alert(one: Received, event: AlertRaised | AlertWithdrawn) -> State | None:
    if event.account_id is None:
        return None
    kind = f"alert.{event.severity}" if isinstance(event, AlertRaised) else None
    return State(as_key(event.account_id), "alert", str(event.alert_id), kind, event.occurred_at, one.id, one.type)


def _complaint(one: Received, event: ComplaintFiled | ComplaintResolved) -> State:
    kind = f"complaint.{event.outcome}" if isinstance(event, ComplaintResolved) else "complaint.open"
    return State(
        as_key(event.account_id), "complaint", str(event.complaint_id), kind, event.occurred_at, one.id, one.type
    )


_STATES: dict[type[Any], Callable[[Received, Any], State | None]] = {
    OperatorVerified: _identity("identity.verified"),
    OperatorRejected: _identity("identity.rejected"),
    OperatorUnverified: _identity("identity.unverified"),
    OperatorDeregistered: _deregistered,
    TransactionRecorded: _trade,
    TransactionMatched: _trade,
    TransactionMismatched: _trade,
    AlertRaised: _alert,
    AlertWithdrawn: _alert,
    ComplaintFiled: _complaint,
    ComplaintResolved: _complaint,
}

HANDLERS: Handlers = dict.fromkeys((*_STATES, OperatorLinked), on_events)
