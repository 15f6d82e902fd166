"""A rule tried on history: what it would have hit, against the live version and against analysts' verdicts."""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import polars as pl
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import feature_log
from services.risk.models import Alert, Rule
from services.risk.rule_book import in_force
from services.risk.rules import Compiled, compile_rule, holds
from shared.clock import utc_now

_MOST_EXAMPLES = 20


class Example(NamedTuple):
    """One thing a rule hits, with the values behind it."""

    subject: UUID
    values: dict[str, Any]


class Backtest(NamedTuple):
    """What a version came to on the features kept between two moments. A subject is what alerts are about."""

    since: datetime
    until: datetime
    rows: int
    subjects: int
    hits: int
    live_hits: int
    # Of the hits, those that the live version does not have, and the other way round.
    new_hits: int
    lost_hits: int
    judged: int
    confirmed: int
    # Of how many subjects the features are kept: of each one in so many.
    one_in: int
    examples: list[Example]

    @property
    def precision(self) -> float | None:
        """Return the share of judged hits that an analyst confirmed."""
        return self.confirmed / self.judged if self.judged else None


async def backtest(session: AsyncSession, rule: Rule, *, since: datetime, until: datetime) -> Backtest:
    """Try a version of a rule on the features of its stream; a subject counts as its newest row says.

    Raises RuleRefused where the rule is none any more.
    """
    compiled = compile_rule(rule)
    live = [
        one
        for one in await in_force(session, stream=rule.stream, on=utc_now().date())
        if one.code == rule.code and one.is_live
    ]
    batches = await feature_log.kept_between(session, rule.stream, since, until)
    rows, judged = await asyncio.to_thread(_tried, batches, compiled, live[0] if live else None)
    verdicts = await _verdicts(session, rule.code)
    hits = judged.filter("hit")
    known = [verdicts[subject] for subject in map(_uuid, hits["subject"]) if subject in verdicts]
    return Backtest(
        since,
        until,
        rows=rows,
        subjects=judged.height,
        hits=hits.height,
        live_hits=int(judged["live"].sum()),
        new_hits=judged.filter(pl.col("hit") & ~pl.col("live")).height,
        lost_hits=judged.filter(~pl.col("hit") & pl.col("live")).height,
        judged=len(known),
        confirmed=sum(known),
        one_in=feature_log.ONE_IN.get(rule.stream, 1),
        examples=[
            Example(_uuid(row["subject"]), {name: row[name] for name in compiled.features})
            for row in hits.head(_MOST_EXAMPLES).iter_rows(named=True)
        ],
    )


def _tried(batches: Iterable[pl.DataFrame], rule: Compiled, live: Compiled | None) -> tuple[int, pl.DataFrame]:
    """Return how many rows there were, and for each subject its newest: features, hit, and hit by the live one."""
    wanted = [
        pl.col("subject"),
        *map(pl.col, rule.features),
        holds(rule).alias("hit"),
        (holds(live) if live is not None else pl.lit(value=False)).alias("live"),
    ]
    parts = [batch.select(wanted).drop_nulls("subject") for batch in batches]
    if not parts:
        empty = {"subject": pl.Binary, "hit": pl.Boolean, "live": pl.Boolean}
        return 0, pl.DataFrame(schema=empty | dict.fromkeys(rule.features, pl.Null))
    every = pl.concat(parts)
    return every.height, every.unique("subject", keep="last", maintain_order=True)


async def _verdicts(session: AsyncSession, code: str) -> dict[UUID, bool]:
    """Return what analysts found of a rule's alerts, the newest of each subject: true where confirmed."""
    judged = (Alert.rule == code, Alert.verdict.in_(["confirmed", "false_alarm"]))
    statement = select(Alert.subject, Alert.verdict).where(*judged).order_by(Alert.judged_at, Alert.id)
    found = (await session.execute(statement)).all()
    return {subject: verdict == "confirmed" for subject, verdict in found if subject is not None}


def _uuid(content: bytes) -> UUID:
    return UUID(bytes=content)
