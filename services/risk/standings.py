"""Where operators stand: classes, published when they change, forecasts that are checked, investigations proposed."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk import foreseeing
from services.risk.foreseeing import FORECAST_DAYS, Foreseen, Operators
from services.risk.pasts import NO_WEEKS, Weeks
from services.risk.rule_values import RuleValues
from services.risk.standing import CLASSES, Scale, Signal, Standing, probability, standing
from shared.database import driver, kept
from shared.events.base import Event
from shared.events.risk import InvestigationProposed, OperatorAssessed, Reason, RiskClass
from shared.identifiers import derived_id
from shared.messaging import publish

_SEVERITIES = ("low", "medium", "high", "critical")
# What is older than so many half-lives counts for nothing.
_HALF_LIVES = 6

_SIGNALS = """
    SELECT coalesce(o.operator_id, a.account_id) AS operator_id, a.rule, r.stream, a.severity, a.window_start,
        a.verdict = 'confirmed' AS confirmed
    FROM alerts a JOIN rules r ON r.code = a.rule AND r.version = a.rule_version
    LEFT JOIN operators o ON o.account_id = a.account_id
    WHERE a.state = 'open' AND a.account_id IS NOT NULL AND a.window_start > $1
"""
_KNOWN = "SELECT operator_id, risk_class FROM standings"
_OPERATORS = "SELECT DISTINCT operator_id FROM operators"
_STORE = """
    INSERT INTO standings (operator_id, points, risk_class, reasons, probability, since, assessed_at, forecast_by)
    SELECT o, p, c, r::jsonb, q, $6, $6, $7 FROM unnest($1::uuid[], $2::float8[], $3::text[], $4::text[], $5::float8[])
        AS x (o, p, c, r, q)
    ON CONFLICT (operator_id) DO UPDATE SET points = excluded.points, risk_class = excluded.risk_class,
        reasons = excluded.reasons, probability = excluded.probability, assessed_at = excluded.assessed_at,
        forecast_by = excluded.forecast_by,
        since = CASE WHEN standings.risk_class = excluded.risk_class THEN standings.since ELSE excluded.since END
"""
_PROPOSE = """
    INSERT INTO investigations (id, operator_id, points, reasons, proposed_at)
    SELECT i, o, p, r::jsonb, $5 FROM unnest($1::uuid[], $2::uuid[], $3::float8[], $4::text[]) AS x (i, o, p, r)
    ON CONFLICT DO NOTHING RETURNING operator_id
"""
# An alert of a day is known on that day; a forecast is about the days after its own.
_OUTCOMES = """
    UPDATE forecasts f SET violated = EXISTS (
        SELECT FROM alerts a LEFT JOIN operators o ON o.account_id = a.account_id
        WHERE coalesce(o.operator_id, a.account_id) = f.operator_id AND a.severity IN ('high', 'critical')
            AND a.state = 'open' AND a.window_start::date > f.made_on AND a.window_start::date <= f.made_on + $2::int)
    WHERE violated IS NULL AND made_on + $2::int < $1
"""
_CAME_TO = """
    SELECT risk_class, count(*) AS forecasts, count(*) FILTER (WHERE violated) AS violated,
        avg(probability) AS expected, avg((probability - violated::int) ^ 2) AS brier
    FROM forecasts WHERE violated IS NOT NULL GROUP BY risk_class
"""

_CLASSES_OF = """
    SELECT x.account_id, s.risk_class FROM unnest($1::uuid[]) AS x (account_id)
    LEFT JOIN operators o ON o.account_id = x.account_id
    JOIN standings s ON s.operator_id = coalesce(o.operator_id, x.account_id)
"""

_encode = msgspec.json.Encoder().encode


class Track(NamedTuple):
    """What forecasts of a class came to: how many, how many were right, and the Brier score (Brier 1950)."""

    forecasts: int
    violated: int
    expected: float
    brier: float


async def assess(session: AsyncSession, *, at: datetime, weeks: Weeks = NO_WEEKS) -> None:
    """Place every operator in its class, publish what changed, forecast and warn, and check forecasts that are due."""
    values = kept(session, RuleValues)
    await values.refresh(session)
    await (await driver(session)).execute(_OUTCOMES, at.date(), FORECAST_DAYS)
    scale, chances = _scale(values, at.date()), _chances(values, at.date(), await track(session))
    standings = await _standings(session, scale, at)
    ids = sorted(standings)
    classes = [standings[operator].risk_class for operator in ids]
    points = [standings[operator].points for operator in ids]
    operators = Operators(ids, classes, points, [chances[one] for one in classes])
    foreseen = await foreseeing.foresee(session, operators, weeks, at=at)
    reasons = {operator: _reasons(standings[operator]) for operator in ids}
    changed = await _place(session, operators, foreseen, reasons, at)
    proposed = [operator for operator in ids if standings[operator].to_investigate]
    await publish(session, [*changed, *await _propose(session, proposed, standings, reasons, at)], source="risk")
    await foreseeing.keep(session, operators, foreseen, values, at.date())
    await foreseeing.warn(session, operators, foreseen, values, at=at)


async def _place(
    session: AsyncSession,
    operators: Operators,
    foreseen: Foreseen,
    reasons: Mapping[UUID, list[Reason]],
    at: datetime,
) -> list[Event]:
    """Store where operators stand, and return whose class changed."""
    connection = await driver(session)
    before: dict[UUID, RiskClass] = {row["operator_id"]: row["risk_class"] for row in await connection.fetch(_KNOWN)}
    ids, classes, points, _ = operators
    texts = [_encode(reasons[operator]).decode() for operator in ids]
    await connection.execute(_STORE, ids, points, classes, texts, foreseen.chances, at, foreseen.by)
    return [
        OperatorAssessed(
            occurred_at=at,
            operator_id=operator,
            risk_class=risk_class,
            risk_class_before=before.get(operator),
            points=own,
            probability=chance,
            reasons=reasons[operator],
        )
        for operator, risk_class, own, chance in zip(ids, classes, points, foreseen.chances, strict=True)
        # Whoever begins in the best class is no news.
        if before.get(operator, CLASSES[0]) != risk_class
    ]


async def inspected_times(
    session: AsyncSession, accounts: Sequence[UUID | None], values: RuleValues, on: date
) -> list[float]:
    """Return how many times as often as others the goods of each account are drawn, by the class of its operator."""
    rows = await (await driver(session)).fetch(_CLASSES_OF, [account for account in accounts if account is not None])
    classes = {row["account_id"]: row["risk_class"] for row in rows}
    named = values.named(*(f"standing.inspected_times.{risk_class}" for risk_class in CLASSES), on=on)
    times = dict(zip(CLASSES, named, strict=True))
    return [times[classes[account]] if account in classes else 1.0 for account in accounts]


async def track(session: AsyncSession) -> dict[str, Track]:
    """Return what forecasts came to, by class."""
    rows = await (await driver(session)).fetch(_CAME_TO)
    return {
        row["risk_class"]: Track(row["forecasts"], row["violated"], float(row["expected"]), float(row["brier"]))
        for row in rows
    }


async def _standings(session: AsyncSession, scale: Scale, at: datetime) -> dict[UUID, Standing]:
    connection = await driver(session)
    signals: dict[UUID, list[Signal]] = defaultdict(list)
    for row in await connection.fetch(_SIGNALS, at - timedelta(days=_HALF_LIVES * scale.half_life_days)):
        own = Signal(row["rule"], row["stream"], row["severity"], row["window_start"], bool(row["confirmed"]))
        signals[row["operator_id"]].append(own)
    operators = {row["operator_id"] for row in await connection.fetch(_OPERATORS)} | signals.keys()
    return {operator: standing(signals.get(operator, []), scale, at) for operator in operators}


async def _propose(
    session: AsyncSession,
    operators: Sequence[UUID],
    standings: Mapping[UUID, Standing],
    reasons: Mapping[UUID, list[Reason]],
    at: datetime,
) -> list[InvestigationProposed]:
    """Propose an investigation of each operator once."""
    ids = {operator: derived_id("investigation", operator) for operator in operators}
    rows = await (await driver(session)).fetch(
        _PROPOSE,
        list(ids.values()),
        list(operators),
        [standings[operator].points for operator in operators],
        [_encode(reasons[operator]).decode() for operator in operators],
        at,
    )
    return [
        InvestigationProposed(
            occurred_at=at,
            investigation_id=ids[row["operator_id"]],
            operator_id=row["operator_id"],
            points=standings[row["operator_id"]].points,
            reasons=reasons[row["operator_id"]],
        )
        for row in rows
    ]


def _reasons(own: Standing) -> list[Reason]:
    return [Reason(rule=one.rule, alerts=one.alerts, points=one.points) for one in own.reasons]


def _scale(values: RuleValues, on: date) -> Scale:
    weights = values.named(*(f"standing.points.{severity}" for severity in _SEVERITIES), on=on)
    names = ("confirmed_times", "half_life", "begins.B", "begins.C", "begins.D")
    times, half_life, b, c, d = values.named(*(f"standing.{name}" for name in names), on=on)
    points, streams = values.named("standing.investigated_points", "standing.investigated_streams", on=on)
    return Scale(dict(zip(_SEVERITIES, weights, strict=True)), times, half_life, (b, c, d), points, int(streams))


def _chances(values: RuleValues, on: date, tracks: Mapping[str, Track]) -> dict[RiskClass, float]:
    (weight,) = values.named("forecast.prior_weight", on=on)
    priors = values.named(*(f"forecast.prior.{risk_class}" for risk_class in CLASSES), on=on)
    never = Track(0, 0, 0.0, 0.0)
    return {
        risk_class: probability(own.violated, own.forecasts, prior=prior, prior_weight=weight)
        for risk_class, prior in zip(CLASSES, priors, strict=True)
        for own in [tracks.get(risk_class, never)]
    }
