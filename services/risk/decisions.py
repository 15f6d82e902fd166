"""Rules over a batch of features: live ones decide, those in shadow are counted, one that fails is switched off."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import polars as pl
from polars.exceptions import PanicException, PolarsError
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import feature_log
from services.risk.rule_book import RuleBook, suspend
from services.risk.rules import Compiled, Hit, frame_of, hits_of, holds
from shared.clock import utc_now
from shared.database import driver, kept

# A rule that held for more than this share of all rows it ever saw, at least so many, says nothing of any of them. All
# it ever saw, because a rule that has long been right is not to be switched off by a flood that it is right about.
MOST_HITS_SHARE, FEWEST_ROWS = 0.5, 2_000
# What a rule may cost for each row, measured on every so many batches of a stream, so often in a row.
MOST_NS_PER_ROW, TIMED_EVERY, MOST_SLOW = 20_000, 50, 3
_FLUSH_SECONDS = 5.0

_COUNT = """
    INSERT INTO rule_days (code, version, day, rows, hits, timed_rows, timed_ns)
    SELECT c, v, $3, r, h, t, n
    FROM unnest($1::text[], $2::int[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[]) AS x (c, v, r, h, t, n)
    ON CONFLICT (code, version, day) DO UPDATE SET rows = rule_days.rows + excluded.rows,
        hits = rule_days.hits + excluded.hits, timed_rows = rule_days.timed_rows + excluded.timed_rows,
        timed_ns = rule_days.timed_ns + excluded.timed_ns
"""
_EXCESSES = """
    SELECT code, version, sum(rows) AS rows, sum(hits) AS hits FROM rule_days
    WHERE (code, version) IN (SELECT * FROM unnest($1::text[], $2::int[]))
    GROUP BY code, version HAVING sum(rows) >= $3 AND sum(hits) > $4 * sum(rows) ORDER BY code, version
"""

Version = tuple[str, int]


@dataclass
class Count:
    """What a rule did in this process since it was last written down, and how often in a row it was slow."""

    rows: int = 0
    hits: int = 0
    timed_rows: int = 0
    timed_ns: int = 0
    slow: int = 0


@dataclass
class Watch:
    """What rules do in this process."""

    counts: dict[Version, Count] = field(default_factory=dict)
    batches: dict[str, int] = field(default_factory=dict)
    flush_at: float = 0.0


async def decide(
    session: AsyncSession, stream: str, rows: Sequence[Mapping[str, Any]], about: Sequence[UUID] = ()
) -> list[Sequence[Hit]]:
    """Return the live rules that hold for each row, and keep the features of rows that are `about` something."""
    return await decide_columns(session, stream, frame_of(stream, rows), about) if rows else []


async def decide_columns(
    session: AsyncSession, stream: str, frame: pl.DataFrame, about: Sequence[UUID] = ()
) -> list[Sequence[Hit]]:
    """Do the same for rows, at least one, that are columns already."""
    rules = await kept(session, RuleBook).in_force(session, stream=stream, on=utc_now().date())
    if about:
        await feature_log.keep(session, stream, frame, about)
    sound, found = await _evaluated(session, stream, rules, frame)
    await _watched(session, stream, sound, frame, found)
    return [[hit for hit in hits if hit.rule.is_live] if hits else hits for hits in found]


async def _evaluated(
    session: AsyncSession,
    stream: str,
    rules: Sequence[Compiled],
    frame: pl.DataFrame,
) -> tuple[Sequence[Compiled], list[Sequence[Hit]]]:
    """Evaluate; where that fails, suspend the rules that fail alone and go on without them."""
    try:
        return rules, hits_of(rules, frame)
    except (PolarsError, PanicException):
        failing = {(rule.code, rule.version): why for rule in rules if (why := _failure(rule, frame)) is not None}
        if not failing:
            raise
    for version, why in failing.items():
        await suspend(session, [version], because=why)
    kept(session, RuleBook).forget(stream)
    sound = [rule for rule in rules if (rule.code, rule.version) not in failing]
    return sound, hits_of(sound, frame)


def _failure(rule: Compiled, frame: pl.DataFrame) -> str | None:
    try:
        frame.select(holds(rule))
    except (PolarsError, PanicException) as error:
        return f"it fails: {str(error).splitlines()[0]}"
    return None


async def _watched(
    session: AsyncSession, stream: str, rules: Sequence[Compiled], frame: pl.DataFrame, found: Sequence[Sequence[Hit]]
) -> None:
    if not rules:
        return
    watch = kept(session, Watch)
    _count(watch, rules, frame.height, found)
    turn = watch.batches[stream] = watch.batches.get(stream, 0) + 1
    if turn % TIMED_EVERY == 1:
        _time(watch, rules, frame)
    if time.monotonic() >= watch.flush_at or max(count.rows for count in watch.counts.values()) >= FEWEST_ROWS:
        because = await _flush(session, watch)
        for version, why in because.items():
            await suspend(session, [version], because=why)
        if because:
            kept(session, RuleBook).forget(stream)


def _count(watch: Watch, rules: Sequence[Compiled], rows: int, found: Sequence[Sequence[Hit]]) -> None:
    for rule in rules:
        watch.counts.setdefault((rule.code, rule.version), Count()).rows += rows
    # Few rows have any.
    for hits in filter(None, found):
        for hit in hits:
            watch.counts[hit.rule.code, hit.rule.version].hits += 1


def _time(watch: Watch, rules: Sequence[Compiled], frame: pl.DataFrame) -> None:
    for rule in rules:
        started = time.perf_counter_ns()
        frame.select(holds(rule))
        count, spent = watch.counts[rule.code, rule.version], time.perf_counter_ns() - started
        count.timed_rows += frame.height
        count.timed_ns += spent
        # A few rows cost as much as a thousand: that is no measure of a rule.
        slow = frame.height >= FEWEST_ROWS // 10 and spent > MOST_NS_PER_ROW * frame.height
        count.slow = count.slow + 1 if slow else 0


async def _flush(session: AsyncSession, watch: Watch) -> dict[Version, str]:
    """Write down what was counted, in the order of rules: several processes count. Return who is to be suspended."""
    counted = sorted(((v, count) for v, count in watch.counts.items() if count.rows), key=lambda one: one[0])
    watch.flush_at = time.monotonic() + _FLUSH_SECONDS
    connection = await driver(session)
    codes, versions = [code for (code, _), _ in counted], [version for (_, version), _ in counted]
    await connection.execute(
        _COUNT,
        codes,
        versions,
        utc_now().date(),
        [count.rows for _, count in counted],
        [count.hits for _, count in counted],
        [count.timed_rows for _, count in counted],
        [count.timed_ns for _, count in counted],
    )
    for _, count in counted:
        count.rows = count.hits = count.timed_rows = count.timed_ns = 0
    slow = [version for version, count in watch.counts.items() if count.slow >= MOST_SLOW]
    for version in slow:
        watch.counts[version].slow = 0
    because = dict.fromkeys(slow, f"it takes more than {MOST_NS_PER_ROW / 1000:g} µs a row")
    for row in await connection.fetch(_EXCESSES, codes, versions, FEWEST_ROWS, MOST_HITS_SHARE):
        held = f"it held for {row['hits']:,} of {row['rows']:,} rows, and so says nothing of any"
        because[row["code"], row["version"]] = held
    return because
