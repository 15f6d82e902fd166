"""How long a registration file is kept after its account ended: a clock that runs from that day on."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.models import Account
from services.identity.rule_values import OF_THE_LAW, RuleValues
from shared import clocks
from shared.calendars import calendar_of
from shared.clock_store import About, ClockRow
from shared.clocks import Clock
from shared.events.base import Event
from shared.events.identity import RetentionEnded
from shared.identifiers import derived_id
from shared.rule_values import NoSuchRule

KIND = "retention"


class Ended(Protocol):
    """What is to be known of an account that ended."""

    @property
    def id(self) -> UUID:
        """Return its id."""

    @property
    def version(self) -> int:
        """Return the version of its file that says that it ended."""

    @property
    def platform_id(self) -> str:
        """Return its platform."""


class Term(NamedTuple):
    """The clock of an ended account: when it began, until when its file is kept, and by which article."""

    row: ClockRow
    source: str


def begun(values: RuleValues, account: Ended, *, at: datetime) -> tuple[About, Clock] | None:
    """Return the clock of how long the file of an account that ended is kept; None of before its law."""
    try:
        rule = values.apply("retention.operator", on=at.date()).value
    except NoSuchRule:
        return None
    clock = clocks.begin(calendar_of(OF_THE_LAW), at=at, amount=round(rule.value), unit="months")
    content = {"version": account.version, "rule": "retention.operator", "source": rule.source}
    identifier = derived_id(KIND, account.id, account.version, at.isoformat())
    return About(identifier, KIND, account.id, account.platform_id, content), clock


async def term_of(session: AsyncSession, account: Account) -> Term | None:
    """Return the clock that was begun last for an account."""
    found = select(ClockRow).where(ClockRow.subject == account.id, ClockRow.kind == KIND)
    row = (await session.execute(found.order_by(ClockRow.started_at.desc(), ClockRow.id).limit(1))).scalar_one_or_none()
    return None if row is None else Term(row, str(row.content["source"]))


async def on_ended(session: AsyncSession, rows: Sequence[ClockRow]) -> list[Event]:
    """Tell that files need no longer be kept: they may be purged from now on."""
    events: list[Event] = []
    for row in rows:
        account = await session.get(Account, row.subject)
        if account is None or row.due_at is None or account.state == "active":
            continue
        events.append(
            RetentionEnded(
                occurred_at=row.due_at,
                account_id=account.id,
                operator_id=account.operator_id,
                platform_id=account.platform_id,
                operator_ref=account.operator_ref,
                version=account.version,
            )
        )
    return events
