"""A look over the history of weeks, again and again: rings, shops whose trade is arranged, and parcels that never came.

A process of its own, so that the stream never waits for it. What it finds are rows of features like any other, and
rules decide over them.
"""

import asyncio
import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import polars as pl
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import (
    alerts,
    declared_values,
    feature_log,
    flips,
    known_rings,
    opinions,
    parcel_weights,
    propaganda,
    removals,
    sales,
    standings,
    weights,
)
from services.risk.alerts import Raised, Subject
from services.risk.decisions import decide
from services.risk.opinions import Reputation
from services.risk.pasts import Weeks
from services.risk.shops import SALES, Judged, Shop, judge
from shared.clock import utc_now, wait
from shared.database import CONNECTION_ERRORS, Sessions, driver, transaction

log = structlog.get_logger(__name__)

WINDOW_DAYS = 30
_KEPT_DAYS = 2 * WINDOW_DAYS
_LEDGERS = (sales.LEDGER, opinions.LEDGER, removals.LEDGER, parcel_weights.LEDGER)
_STREAMS = ("shops", "parcels", "reputations", weights.STREAM, propaganda.STREAM, flips.STREAM)
# A round begins when nothing has come for so long, or so long after the last one.
_QUIET_SECONDS, _LONGEST_SECONDS = 3.0, 60.0
_POLL_SECONDS = 1.0

_SOME_ORDERS = pl.DataFrame(
    [(bytes(16), "order", buyer, "device", "address", datetime(2016, 1, 1, tzinfo=UTC)) for buyer in "ab"],
    schema=SALES,
    orient="row",
)
_UNSHIPPED = """
    SELECT transaction_id, part, order_ref, account_id, unshipped_since FROM assessments
    WHERE platform_id = $1 AND unshipped_since < $2 AND account_id IS NOT NULL
"""
_SHIPPED_AFTER_ALL = """
    SELECT a.id FROM alerts a JOIN assessments s ON s.transaction_id = a.transaction_id AND s.account_id = a.account_id
    WHERE a.rule IN (SELECT code FROM rules WHERE stream = $1) AND a.state = 'open' AND s.unshipped_since IS NULL
"""
# What is arranged is said by the rules of one requirement, of an order or with orders as evidence.
_FICTITIOUS = """
    SELECT platform_id, array_agg(DISTINCT ref) AS refs FROM (
        SELECT platform_id, unnest(array_remove(evidence, NULL) || ('order:' || order_ref)) AS said FROM alerts
        WHERE state = 'open' AND window_start > $1 AND rule IN (SELECT code FROM rules WHERE source LIKE '%RK1')
    ) a, LATERAL (SELECT substr(said, 7) AS ref WHERE said LIKE 'order:%') o GROUP BY platform_id
"""
_OPEN = """
    SELECT id, account_id FROM alerts
    WHERE rule IN (SELECT code FROM rules WHERE stream = $1) AND platform_id = $2 AND state = 'open'
        AND (window_start > $3 OR $4 AND raised_at > $3)
"""
_FINISH = """
    INSERT INTO patrol_rounds (id, applied, orders, shops, rings, seconds, finished_at)
    VALUES (1, $1, $2, $3, $4, $5, $6)
    ON CONFLICT (id) DO UPDATE SET applied = excluded.applied, orders = excluded.orders, shops = excluded.shops,
        rings = excluded.rings, seconds = excluded.seconds, finished_at = excluded.finished_at
"""
_APPLIED = "SELECT coalesce(sum(applied), 0)::bigint FROM stream_offsets"
_LAST = "SELECT coalesce(max(applied), 0) FROM patrol_rounds"
# One round at a time, however many processes patrol: the second finds the work done.
_ALONE = "SELECT pg_advisory_xact_lock(hashtext('risk.patrol'))"


class Beat(NamedTuple):
    """One platform's part in a round: until when it has orders, and what they say."""

    platform_id: str
    until: datetime
    judged: Judged
    # Streams whose features of today are kept already: a round a minute would fill the log with the same shops.
    kept: frozenset[str] = frozenset()


class Window(NamedTuple):
    """One platform, until when its weeks are looked over, and which streams are kept already."""

    platform_id: str
    until: datetime
    kept: frozenset[str]


async def patrol(sessions: Sessions, stop: asyncio.Event) -> None:
    """Go round whenever there is something new, until told to stop."""
    # What compiles at its first use does so now, and not when there is something to find.
    await asyncio.to_thread(judge, _SOME_ORDERS)
    changed_at = finished_at = time.monotonic()
    before = 0
    while not stop.is_set():
        try:
            async with transaction(sessions) as session:
                waiting = await unpatrolled(session)
            now = time.monotonic()
            if waiting != before:
                before, changed_at = waiting, now
            due = now - changed_at >= _QUIET_SECONDS or now - finished_at >= _LONGEST_SECONDS
            if waiting and due:
                await go_round(sessions)
                finished_at = time.monotonic()
        except CONNECTION_ERRORS as error:
            log.info("patrol_waits", error=repr(error))
        await wait(stop, _POLL_SECONDS)


async def go_round(sessions: Sessions) -> None:
    """Look over the whole window once; store rings, raise and withdraw alerts."""
    started = time.monotonic()
    async with transaction(sessions) as session:
        applied = await (await driver(session)).fetchval(_APPLIED)
        until = await sales.LEDGER.newest(session)
        bought, reviewed, removed, weighed = [
            await ledger.window(session, until=until or utc_now(), days=WINDOW_DAYS) for ledger in _LEDGERS
        ]
        kept = await feature_log.kept_since(session, _STREAMS, _midnight(utc_now()))
    beats = [beat._replace(kept=kept) for beat in await asyncio.to_thread(_beats, bought)]
    async with transaction(sessions) as session:
        await (await driver(session)).execute(_ALONE)
        for beat in beats:
            await _shops(session, beat)
            await _parcels(session, beat)
        fictitious = await _fictitious(session, until or utc_now())
    found = await asyncio.to_thread(_reputed, reviewed, removed, fictitious)
    async with transaction(sessions) as session:
        connection = await driver(session)
        await connection.execute(_ALONE)
        for beat in beats:
            await _reputations(session, beat, found.get(beat.platform_id, []))
        await _propaganda(session, bought, until or utc_now(), kept)
        await _weights(session, weighed, until or utc_now(), kept)
        await declared_values.look(session, at=utc_now())
        if until is not None:
            await flips.watch(session, bought, on=utc_now().date(), is_kept=flips.STREAM in kept)
            await standings.assess(session, at=until, weeks=Weeks(bought, reviewed))
            await _forget_before(session, until - timedelta(days=_KEPT_DAYS))
        orders, seconds = bought.height, time.monotonic() - started
        shops, rings = (sum(len(beat.judged[part]) for beat in beats) for part in (0, 1))
        await connection.execute(_FINISH, applied, orders, shops, rings, seconds, utc_now())
    log.info("patrolled", orders=orders, shops=shops, rings=rings, seconds=round(seconds, 2))


async def _forget_before(session: AsyncSession, moment: datetime) -> None:
    await feature_log.forget_before(session, utc_now())
    for ledger in _LEDGERS:
        await ledger.forget_before(session, moment)
    await propaganda.forget_before(session, moment)


def _midnight(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


async def unpatrolled(session: AsyncSession) -> int:
    """Return how many messages were applied since the last round began."""
    connection = await driver(session)
    return int(await connection.fetchval(_APPLIED)) - int(await connection.fetchval(_LAST))


def _beats(bought: pl.DataFrame) -> list[Beat]:
    beats = []
    for platform, part in sorted(bought.partition_by("platform_id", as_dict=True, include_key=False).items()):
        until = part["placed_at"].max()
        assert isinstance(until, datetime), "there is an order of each platform"
        beats.append(Beat(str(platform[0]), until, judge(part)))
    return beats


def _reputed(
    reviewed: pl.DataFrame, removed: pl.DataFrame, fictitious: Mapping[str, Collection[str]]
) -> dict[str, list[Reputation]]:
    """Return what the reviews of each platform say."""
    reviews, gone = (
        {str(key[0]): part for key, part in one.partition_by("platform_id", as_dict=True, include_key=False).items()}
        for one in (reviewed, removed)
    )
    none, nothing = pl.DataFrame(schema=opinions.OPINIONS), removals.NONE
    return {
        platform: opinions.judge(reviews.get(platform, none), gone.get(platform, nothing), fictitious.get(platform, ()))
        for platform in sorted(reviews | gone)
    }


async def _fictitious(session: AsyncSession, until: datetime) -> dict[str, list[str]]:
    """Return the orders of each platform that open alerts say were arranged."""
    rows = await (await driver(session)).fetch(_FICTITIOUS, until - timedelta(days=_KEPT_DAYS))
    return {row["platform_id"]: row["refs"] for row in rows}


async def _shops(session: AsyncSession, beat: Beat) -> None:
    """Raise what rules find of shops, and withdraw what the same window no longer shows."""
    ids = await known_rings.store(session, beat.platform_id, beat.judged.rings, at=beat.until)
    subjects = [_subject(beat.platform_id, shop, ids) for shop in beat.judged.shops]
    await _decided(
        session, beat, "shops", [(s, shop.features) for s, shop in zip(subjects, beat.judged.shops, strict=True)]
    )


async def _reputations(session: AsyncSession, beat: Beat, found: Sequence[Reputation]) -> None:
    """Raise what rules find of shops by their reviews, and withdraw what the same window no longer shows."""
    rows = []
    for one in found:
        first = datetime.fromtimestamp(one.first, UTC)
        rows.append((Subject(beat.platform_id, one.account_id, None, None, first, "", one.evidence), one.features))
    await _decided(session, beat, "reputations", rows)


async def _propaganda(session: AsyncSession, bought: pl.DataFrame, until: datetime, kept: frozenset[str]) -> None:
    """Raise what rules find of claims beside complaints, and withdraw what the same window no longer shows."""
    found = await propaganda.look(session, bought, since=until - timedelta(days=WINDOW_DAYS))
    for platform_id, rows in sorted(found.items()):
        await _decided(session, Window(platform_id, until, kept), propaganda.STREAM, rows)


async def _weights(session: AsyncSession, weighed: pl.DataFrame, until: datetime, kept: frozenset[str]) -> None:
    """Raise what rules find of parcels that are too light, and withdraw what the same window no longer shows."""
    offers = set(weighed.select("platform_id", "listing_ref").unique().iter_rows())
    found = await asyncio.to_thread(weights.judge, weighed, await parcel_weights.categories(session, offers))
    for platform_id, rows in found.items():
        await _decided(session, Window(platform_id, until, kept), weights.STREAM, rows)


async def _decided(
    session: AsyncSession, beat: Beat | Window, stream: str, rows: Sequence[tuple[Subject, dict[str, Any]]]
) -> None:
    raised = []
    about = [subject.kept_as for subject, _ in rows] if stream not in beat.kept else []
    for (subject, _), hits in zip(rows, await decide(session, stream, [row for _, row in rows], about), strict=True):
        raised += [Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits]
    await alerts.raise_alerts(session, raised)
    start = beat.until - timedelta(days=WINDOW_DAYS)
    # A claim may have stood since long before the window in which an alert of it is cleared.
    old_too = stream == propaganda.STREAM
    standing = await (await driver(session)).fetch(_OPEN, stream, beat.platform_id, start, old_too)
    judged, holds = {subject.account_id for subject, _ in rows}, {one.id for one in raised}
    over = [row["id"] for row in standing if row["account_id"] in judged and row["id"] not in holds]
    await alerts.withdraw(session, over, at=beat.until)


def _subject(platform_id: str, shop: Shop, rings: Sequence[UUID]) -> Subject:
    evidence = [f"order:{ref}" for ref in shop.evidence]
    if shop.ring is not None:
        evidence.insert(0, f"ring:{rings[shop.ring]}")
    first = datetime.fromtimestamp(shop.first_order, UTC)
    return Subject(platform_id, shop.account_id, None, None, first, "", evidence)


async def _parcels(session: AsyncSession, beat: Beat) -> None:
    """Raise what rules find of orders that were paid and never shipped; withdraw what was shipped after all."""
    connection = await driver(session)
    rows = await connection.fetch(_UNSHIPPED, beat.platform_id, beat.until - timedelta(days=1))
    features = [{"unshipped_h": (beat.until - row["unshipped_since"]).total_seconds() / 3600} for row in rows]
    raised = []
    about = [row["transaction_id"] for row in rows] if "parcels" not in beat.kept else []
    for row, hits in zip(rows, await decide(session, "parcels", features, about), strict=True):
        transaction_id = row["transaction_id"]
        subject = Subject(
            beat.platform_id,
            row["account_id"],
            transaction_id,
            row["order_ref"],
            row["unshipped_since"],
            str(transaction_id),
        )
        raised += [Raised(alerts.alert_id(hit.rule.code, subject), subject, hit) for hit in hits]
    await alerts.raise_alerts(session, raised)
    over = await connection.fetch(_SHIPPED_AFTER_ALL, "parcels")
    await alerts.withdraw(session, [row["id"] for row in over], at=beat.until)
