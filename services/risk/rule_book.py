"""Which rules are in force: the newest version that was approved of each, and those in shadow beside them."""

import time
from collections.abc import Sequence
from datetime import date

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.models import Rule
from services.risk.rules import Compiled, RuleRefused, compile_rule
from shared.clock import utc_now
from shared.events.risk import RuleSuspended
from shared.identifiers import derived_id
from shared.messaging import publish

log = structlog.get_logger(__name__)

FRESH_SECONDS = 2.0
# So many can be evaluated together.
MOST_RULES = 64


class RuleBook:
    """The rules in force, read again every few seconds: a change is active within `FRESH_SECONDS`."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, date, list[Compiled]]] = {}

    async def in_force(self, session: AsyncSession, *, stream: str, on: date) -> list[Compiled]:
        """Return the rules of a stream that hold on a date, and those in shadow."""
        known = self._kept.get(stream)
        if known is None or known[0] < time.monotonic() or known[1] != on:
            rules = await in_force(session, stream=stream, on=on)
            known = self._kept[stream] = (time.monotonic() + FRESH_SECONDS, on, rules)
        return known[2]

    def forget(self, stream: str) -> None:
        """Read a stream's rules anew at the next batch."""
        self._kept.pop(stream, None)


async def in_force(session: AsyncSession, *, stream: str, on: date) -> list[Compiled]:
    """Return what is evaluated on a date. A stored rule that is none any more is suspended, not an error."""
    counts = or_(Rule.state == "shadow", Rule.valid_from <= on)
    statement = select(Rule).where(Rule.stream == stream, Rule.state != "draft", counts).order_by(Rule.version)
    newest: dict[str, Rule] = {}
    shadows: dict[str, Rule] = {}
    for rule in (await session.execute(statement)).scalars():
        (shadows if rule.state == "shadow" else newest)[rule.code] = rule
    live = [r for r in newest.values() if r.state == "approved" and (r.valid_to is None or on < r.valid_to)]
    found: list[Compiled] = []
    for rule in [*live, *shadows.values()][:MOST_RULES]:
        try:
            found.append(compile_rule(rule))
        except RuleRefused as error:
            await suspend(session, [(rule.code, rule.version)], because=error.detail)
    return found


async def suspend(session: AsyncSession, versions: Sequence[tuple[str, int]], *, because: str) -> None:
    """Switch versions of rules off, with an alarm: they have done what no rule may."""
    for code, version in versions:
        statement = (
            update(Rule)
            .where(Rule.code == code, Rule.version == version, Rule.state.in_(["approved", "shadow"]))
            .values(state="suspended", suspended_because=because)
            .returning(Rule.stream)
        )
        if (await session.execute(statement)).scalar_one_or_none() is not None:
            log.error("rule_suspended", code=code, version=version, because=because)
            event = RuleSuspended(
                occurred_at=utc_now(), rule_id=derived_id("rule", code), code=code, version=version, because=because
            )
            await publish(session, [event], source="risk")
