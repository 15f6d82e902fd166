"""Alerts get the chance that an analyst confirms them: described once as they were raised, scored by the adopted model.

Beside the stream, in the patrol's process: an alert has its chance a few seconds after it was raised, or none.
"""

import asyncio
import base64
import binascii
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from uuid import UUID

import asyncpg
import msgspec
import numpy as np
import structlog
from sqlalchemy import func, select, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import champions
from services.risk.champions import name_of
from services.risk.chances import NUMBERS, ChanceModel, Described, Lookups, overs
from services.risk.expressions import bounds
from services.risk.models import Alert, Model
from shared.clock import wait
from shared.database import CONNECTION_ERRORS, Sessions, driver, transaction
from shared.errors import Invalid, Unavailable
from shared.paging import BadCursor

log = structlog.get_logger(__name__)

KIND = "alerts"
MOST = 500
_POLL_SECONDS = 3.0
_SEVERITIES = ("low", "medium", "high", "critical")
_CLASSES = "ABCD"
# Alerts that nobody has judged, those without a chance last.
UNKNOWN = -1.0
_CHANCE = func.coalesce(Alert.chance_confirmed, UNKNOWN)

# Of each alert only what was there before it: alerts that were raised and verdicts that were given earlier, the class
# of forecasts of earlier days. One that is being changed is described in the next round.
_DESCRIBE = """
    WITH due AS (
        SELECT * FROM alerts WHERE known IS NULL ORDER BY raised_at, id LIMIT $1 FOR UPDATE SKIP LOCKED
    )
    SELECT d.id, d.rule, d.severity, d.score, d.contributions::text AS contributions,
        cardinality(d.evidence) AS evidence, d.account_id, r.stream, r.expression, e.*, v.*, c.risk_class,
        least(d.raised_at, d.window_start)::date - f.first_day AS age_days
    FROM due d LEFT JOIN rules r ON r.code = d.rule AND r.version = d.rule_version
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE b.raised_at > d.raised_at - interval '7 days') AS alerts_7d,
            count(*) FILTER (WHERE b.raised_at > d.raised_at - interval '30 days') AS alerts_30d,
            count(*) FILTER (WHERE b.raised_at > d.raised_at - interval '30 days'
                AND b.severity IN ('high', 'critical')) AS severe_30d,
            count(*) FILTER (WHERE b.raised_at > d.raised_at - interval '30 days' AND b.rule = d.rule)
                AS same_rule_30d,
            count(*) FILTER (WHERE b.verdict = 'confirmed' AND b.judged_at < d.raised_at) AS confirmed_before,
            count(*) FILTER (WHERE b.verdict = 'false_alarm' AND b.judged_at < d.raised_at) AS dismissed_before
        FROM alerts b WHERE b.account_id = d.account_id AND b.raised_at < d.raised_at
    ) e ON true
    LEFT JOIN LATERAL (
        SELECT count(*) FILTER (WHERE b.verdict = 'confirmed') AS rule_confirmed,
            count(*) FILTER (WHERE b.verdict = 'false_alarm') AS rule_dismissed
        FROM alerts b
        WHERE b.rule = d.rule AND b.verdict IN ('confirmed', 'false_alarm') AND b.judged_at < d.raised_at
    ) v ON true
    LEFT JOIN LATERAL (
        SELECT f.risk_class FROM forecasts f
        WHERE f.operator_id IN (
            SELECT coalesce(o.operator_id, d.account_id) FROM (SELECT 1) one
            LEFT JOIN operators o ON o.account_id = d.account_id)
            AND f.made_on < least(d.raised_at, d.window_start)::date
        ORDER BY f.made_on DESC LIMIT 1
    ) c ON true
    LEFT JOIN LATERAL (
        SELECT min(day) AS first_day FROM day_features f
        WHERE f.account_id = d.account_id AND f.day <= least(d.raised_at, d.window_start)::date
    ) f ON true
    ORDER BY d.raised_at, d.id
"""
# Arrays of arrays are not taken apart by unnest: each alert's numbers come as a text.
_KNOWN = """
    UPDATE alerts a SET known = x.known::float8[]
    FROM unnest($1::uuid[], $2::text[]) AS x (id, known) WHERE a.id = x.id
"""
_SCORE = """
    UPDATE alerts a SET chance_confirmed = x.chance, chance_by = $4, chance_contributions = x.why::jsonb
    FROM unnest($1::uuid[], $2::float8[], $3::text[]) AS x (id, chance, why) WHERE a.id = x.id
"""
_STALE = """
    SELECT a.id, a.rule, a.known, coalesce(r.stream, '') AS stream
    FROM alerts a LEFT JOIN rules r ON r.code = a.rule AND r.version = a.rule_version
    WHERE a.state = 'open' AND a.verdict IS NULL AND cardinality(a.known) = $3 AND a.chance_by IS DISTINCT FROM $1
    LIMIT $2 FOR UPDATE OF a SKIP LOCKED
"""
_UNSCORE = """
    UPDATE alerts SET chance_confirmed = NULL, chance_by = NULL, chance_contributions = NULL
    WHERE state = 'open' AND verdict IS NULL AND chance_by IS NOT NULL
"""


class ChanceCursor(msgspec.Struct, frozen=True, array_like=True):
    """The last item seen in a list ordered by chance and id."""

    chance: float
    id: UUID

    def encode(self) -> str:
        """Return the text a caller sends back."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()


class Chancer:
    """What scores alerts in this process: the adopted model, or nothing."""

    def __init__(self) -> None:
        self.model: ChanceModel | None = None
        self.name: str | None = None
        # Whether older alerts may still have the chances of another model.
        self.is_behind = True
        self._seen: int | None = None

    async def refresh(self, session: AsyncSession) -> None:
        """Take over a model that was adopted since, or let go of one that was retired."""
        adopted = await champions.adopted_version(session, KIND)
        if adopted == self._seen:
            return
        found = await champions.champion(session, KIND)
        self._seen = adopted
        self.is_behind = True
        # A model that cannot be used is none: chances of the one before would be told as those of nobody.
        self.model = await asyncio.to_thread(usable, found) if found is not None else None
        self.name = name_of(found) if found is not None and self.model is not None else None
        log.info("model_taken", kind=KIND, model=self.name)


async def keep_scoring(sessions: Sessions, stop: asyncio.Event) -> None:
    """Describe and score alerts as they come, until told to stop."""
    chancer = Chancer()
    while not stop.is_set():
        try:
            more = await go_on(sessions, chancer)
        except CONNECTION_ERRORS as error:
            log.info("scoring_waits", error=repr(error))
            more = False
        if not more:
            await wait(stop, _POLL_SECONDS)


async def go_on(sessions: Sessions, chancer: Chancer) -> bool:
    """Describe and score some alerts; tell whether there may be more."""
    async with transaction(sessions) as session:
        await chancer.refresh(session)
        described = await _describe(session, chancer)
        rescored = await _rescore(session, chancer) if chancer.is_behind else 0
    chancer.is_behind = rescored == MOST
    return described == MOST or chancer.is_behind


async def worth_looking_at(
    session: AsyncSession, *, account_id: UUID | None, rule: str | None, after: ChanceCursor | None, limit: int
) -> tuple[list[Alert], str | None]:
    """Return a page of open alerts without a verdict, the likeliest to be confirmed first, and the next cursor."""
    statement = select(Alert, _CHANCE).where(Alert.state == "open", Alert.verdict.is_(None))
    if account_id is not None:
        statement = statement.where(Alert.account_id == account_id)
    if rule is not None:
        statement = statement.where(Alert.rule == rule)
    if after is not None:
        statement = statement.where(tuple_(_CHANCE, Alert.id) < (after.chance, after.id))
    statement = statement.order_by(_CHANCE.desc(), Alert.id.desc()).limit(limit + 1)
    found = (await session.execute(statement)).all()
    shown = [alert for alert, _ in found[:limit]]
    following = ChanceCursor(found[limit - 1][1], shown[-1].id).encode() if len(found) > limit else None
    return shown, following


def read_chance_cursor(text: str | None) -> ChanceCursor | None:
    """Return the position behind a caller's cursor. Raises BadCursor."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        return msgspec.json.decode(raw, type=ChanceCursor)
    except (binascii.Error, ValueError) as error:
        raise BadCursor("this cursor was not given by this list", pointer="/query/cursor") from error


def restored(model: Model) -> ChanceModel:
    """Return a stored model. Raises Invalid and Unavailable."""
    try:
        lookups = msgspec.convert(model.lookups, Lookups)
        trees = model.trees.decode()
    except (msgspec.ValidationError, UnicodeDecodeError) as error:
        raise Invalid(f"the stored model cannot be read: {error}") from error
    return ChanceModel.restored(trees, model.features, lookups)


def usable(model: Model) -> ChanceModel | None:
    """Return a stored model; None where it cannot be used, with an error in the log."""
    try:
        return restored(model)
    except (Invalid, Unavailable) as error:
        log.error("model_refused", model=name_of(model), error=str(error))  # noqa: TRY400 - no fault of ours
        return None


def described(rows: Sequence[asyncpg.Record]) -> Described:
    """Return alerts that have been described."""
    numbers = np.array([row["known"] for row in rows], dtype=np.float64).reshape(len(rows), len(NUMBERS))
    return Described(numbers, [row["rule"] for row in rows], [row["stream"] for row in rows])


async def _describe(session: AsyncSession, chancer: Chancer) -> int:
    rows = await (await driver(session)).fetch(_DESCRIBE, MOST)
    if rows:
        numbers = [_numbers(row) for row in rows]
        texts = ["{" + ",".join(map(repr, row)) + "}" for row in numbers]
        await (await driver(session)).execute(_KNOWN, [row["id"] for row in rows], texts)
        alerts = Described(np.array(numbers), [row["rule"] for row in rows], [row["stream"] or "" for row in rows])
        await _score(session, chancer, [row["id"] for row in rows], alerts)
    return len(rows)


async def _rescore(session: AsyncSession, chancer: Chancer) -> int:
    """Give older alerts that nobody judged the chance of the model that is adopted now."""
    if chancer.name is None:
        await (await driver(session)).execute(_UNSCORE)
        return 0
    rows = await (await driver(session)).fetch(_STALE, chancer.name, MOST, len(NUMBERS))
    await _score(session, chancer, [row["id"] for row in rows], described(rows))
    return len(rows)


async def _score(session: AsyncSession, chancer: Chancer, ids: Sequence[UUID], alerts: Described) -> None:
    if chancer.model is None or not ids:
        return
    found = await asyncio.to_thread(chancer.model.explained, alerts)
    why = [msgspec.json.encode(one.contributions).decode() for one in found]
    await (await driver(session)).execute(_SCORE, list(ids), [one.chance for one in found], why, chancer.name)


def _numbers(row: asyncpg.Record) -> list[float]:
    """Return what was known of an alert when it was raised, as `chances.NUMBERS` names it."""
    values = {one["feature"]: one["value"] for one in msgspec.json.decode(row["contributions"])}
    most, least = overs(_bounds(row["expression"]), values) if row["expression"] else (np.nan, np.nan)
    known: dict[str, Any] = {
        **{name: row[name] for name in NUMBERS if name in row.keys()},  # noqa: SIM118 - a record has no `in`
        "severity": _SEVERITIES.index(row["severity"]),
        "points": row["score"],
        "features": len(values),
        "over_most": most,
        "over_least": least,
        "risk_class": _CLASSES.index(row["risk_class"]) if row["risk_class"] is not None else None,
        "rule_precision": (row["rule_confirmed"] + 1) / (row["rule_confirmed"] + row["rule_dismissed"] + 2),
    }
    return [np.nan if known[name] is None else float(known[name]) for name in NUMBERS]


@lru_cache(maxsize=1_024)
def _bounds(expression: str) -> list[tuple[str, bool, float]]:
    return bounds(expression)
