"""What identity says of operators, and the rules about it."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import alerts, registered
from services.risk.alerts import Raised, Subject
from services.risk.catalogue import OPERATORS
from services.risk.decisions import decide
from services.risk.models import Operator
from services.risk.rule_book import RuleBook
from shared.clock import utc_now
from shared.database import kept
from shared.events.identity import (
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
from shared.identifiers import derived_id

Linked = OperatorReturned | OperatorCleared
Displayed = DisplayViolated | DisplayCorrected
Checked = OperatorVerified | OperatorRejected | OperatorUnverified | OperatorLapsed | OperatorDeregistered

_VERDICTS: dict[type[Any], str] = {
    OperatorVerified: "verified",
    OperatorRejected: "rejected",
    OperatorUnverified: "unverified",
    OperatorLapsed: "lapsed",
    OperatorDeregistered: "deregistered",
}


_OF_RETURNS = frozenset({"returned", "beside_banned", "return_score"})
_OF_DISPLAYS = frozenset({"display_violated", "display_faults"})


async def watch(session: AsyncSession, events: Sequence[Checked]) -> None:
    """Remember what identity found and raise what the rules find in it."""
    for event in events:
        await _remember(session, event)
    await registered.note(session, events)
    raised: list[Raised] = []
    kept_as = [_about("checked", event.account_id) for event in events]
    found = await decide(session, "operators", [*map(_features, events)], kept_as)
    for event, about, hits in zip(events, kept_as, found, strict=True):
        whose = (event.platform_id, event.account_id)
        subject = Subject(*whose, None, None, event.occurred_at, "operator", about=about)
        raised.extend(Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits)
    await alerts.raise_alerts(session, raised)


async def watch_returns(session: AsyncSession, events: Sequence[Linked]) -> None:
    """Raise what the rules find in accounts that are linked to banned ones, and withdraw what they no longer find.

    Of several events about one account only the newest says how things are. What an account is alerted of is dated to
    when it opened, whichever ban or file was heard of last.
    """
    newest: dict[UUID, Linked] = {event.account_id: event for event in events}
    kept_as = [_about("linked", account_id) for account_id in newest]
    found = await decide(session, "operators", [*map(_return_features, newest.values())], kept_as)
    rules = await kept(session, RuleBook).in_force(session, stream="operators", on=utc_now().date())
    about_returns = {rule.code for rule in rules if _OF_RETURNS.intersection(rule.features)}
    raised: list[Raised] = []
    for event, about, hits in zip(newest.values(), kept_as, found, strict=True):
        evidence = [reason.kind for reason in event.reasons] if isinstance(event, OperatorReturned) else []
        whose = (event.platform_id, event.account_id)
        subject = Subject(*whose, None, None, event.opened_at, "operator", evidence, about)
        raised.extend(Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits)
        gone = about_returns - {hit.rule.code for hit in hits}
        ids = [alerts.alert_id(code, subject) for code in sorted(gone)]
        await alerts.withdraw(session, ids, at=event.opened_at)
    await alerts.raise_alerts(session, raised)


async def watch_displays(session: AsyncSession, events: Sequence[Displayed]) -> None:
    """Raise what the rules find in how accounts display their licences, and withdraw what they no longer find.

    Of several events about one account only the newest says how things are.
    """
    newest: dict[UUID, Displayed] = {event.account_id: event for event in events}
    kept_as = [_about("displayed", account_id) for account_id in newest]
    found = await decide(session, "operators", [*map(_display_features, newest.values())], kept_as)
    rules = await kept(session, RuleBook).in_force(session, stream="operators", on=utc_now().date())
    about_displays = {rule.code for rule in rules if _OF_DISPLAYS.intersection(rule.features)}
    raised: list[Raised] = []
    for event, about, hits in zip(newest.values(), kept_as, found, strict=True):
        evidence = event.codes if isinstance(event, DisplayViolated) else []
        whose = (event.platform_id, event.account_id)
        subject = Subject(*whose, None, None, event.occurred_at, "display", evidence, about)
        raised.extend(Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits)
        gone = about_displays - {hit.rule.code for hit in hits}
        ids = [alerts.alert_id(code, subject) for code in sorted(gone)]
        await alerts.withdraw(session, ids, at=event.occurred_at)
    await alerts.raise_alerts(session, raised)


def _about(what: str, account_id: UUID) -> UUID:
    """Return what rows of one kind about an account are kept under: they have other features than those of another."""
    return derived_id(what, account_id)


def _display_features(event: Displayed) -> dict[str, Any]:
    codes = event.codes if isinstance(event, DisplayViolated) else []
    return {
        **dict.fromkeys(OPERATORS),
        "display_violated": isinstance(event, DisplayViolated),
        "display_faults": len(codes),
    }


def _return_features(event: Linked) -> dict[str, Any]:
    returned = event if isinstance(event, OperatorReturned) else None
    return {
        **dict.fromkeys(OPERATORS),
        "returned": returned is not None and returned.came_back,
        "beside_banned": returned is not None and not returned.came_back,
        "return_score": returned.score if returned is not None else None,
    }


def _reasons(event: Checked) -> list[str]:
    return event.reasons if isinstance(event, OperatorRejected | OperatorUnverified | OperatorLapsed) else []


def _features(event: Checked) -> dict[str, Any]:
    reasons = _reasons(event)
    return {
        **dict.fromkeys(OPERATORS),
        "verdict": _VERDICTS[type(event)],
        "licence_fault": any(reason.startswith("licence_") for reason in reasons),
        "qualification_fault": any(reason.startswith("qualification_") for reason in reasons),
        "number_fault": any(reason.startswith("number_") for reason in reasons),
        "reasons": len(reasons),
        "banned": isinstance(event, OperatorDeregistered) and event.reason == "banned",
    }


async def _remember(session: AsyncSession, event: Checked) -> None:
    row = {
        "account_id": event.account_id,
        "platform_id": event.platform_id,
        "operator_ref": event.operator_ref,
        "operator_id": event.operator_id,
        "verdict": _VERDICTS[type(event)],
        "reasons": _reasons(event),
        "version": event.version,
    }
    statement = insert(Operator).values(row)
    await session.execute(statement.on_conflict_do_update(index_elements=[Operator.account_id], set_=row))
