"""Rules are data: SQL expressions over a stream's features, checked when loaded, evaluated a batch at a time."""

import time
from collections.abc import Mapping, Sequence
from datetime import date
from operator import itemgetter
from typing import Any, NamedTuple, cast

import numpy as np
import polars as pl
from polars.exceptions import PolarsError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.catalogue import STREAMS
from services.risk.models import Rule
from shared.errors import Invalid
from shared.events.risk import Severity

FRESH_SECONDS = 2.0


class RuleRefused(Invalid):
    """An expression that names what does not exist, or does not say yes or no."""


class Compiled(NamedTuple):
    """A rule ready to be evaluated, with the features it names."""

    code: str
    version: int
    scope: str
    severity: Severity
    points: float
    reason: str
    expression: pl.Expr
    features: list[str]


class Hit(NamedTuple):
    """One rule that holds for one row, with the values behind it."""

    rule: Compiled
    values: dict[str, float]


def compile_rule(rule: Rule) -> Compiled:
    """Check a rule against its stream's features. Raises RuleRefused."""
    catalogue = STREAMS.get(rule.stream)
    if catalogue is None:
        raise RuleRefused(f"{rule.code}: no stream {rule.stream!r}; there are {', '.join(STREAMS)}")
    try:
        expression = pl.sql_expr(rule.expression)
        names = expression.meta.root_names()
    except PolarsError as error:
        raise RuleRefused(f"{rule.code}: {error}") from error
    unknown = sorted(set(names) - set(catalogue))
    if unknown or not names:
        raise RuleRefused(f"{rule.code}: no such feature: {', '.join(unknown) or 'none is named'}")
    _try(rule, expression)
    features = sorted(set(names))
    return Compiled(
        rule.code,
        rule.version,
        rule.scope,
        cast("Severity", rule.severity),
        rule.points,
        rule.reason,
        expression,
        features,
    )


def _try(rule: Rule, expression: pl.Expr) -> None:
    schema = {name: feature.kind for name, feature in STREAMS[rule.stream].items()}
    try:
        result = pl.DataFrame(schema=schema).select(expression.alias("hit"))
    except PolarsError as error:
        raise RuleRefused(f"{rule.code}: {error}") from error
    if result.schema["hit"] != pl.Boolean:
        raise RuleRefused(f"{rule.code}: gives {result.schema['hit']}, not yes or no")


class RuleBook:
    """The rules in force, read again every few seconds: a change is active within `FRESH_SECONDS`."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, date, list[Compiled]]] = {}

    async def active(self, session: AsyncSession, *, stream: str, on: date) -> list[Compiled]:
        """Return the rules of a stream that hold on a date."""
        known = self._kept.get(stream)
        if known is None or known[0] < time.monotonic() or known[1] != on:
            rules = await active(session, stream=stream, on=on)
            known = self._kept[stream] = (time.monotonic() + FRESH_SECONDS, on, rules)
        return known[2]


async def active(session: AsyncSession, *, stream: str, on: date) -> list[Compiled]:
    """Return the newest version of each rule of a stream that holds on a date."""
    statement = select(Rule).where(Rule.stream == stream, Rule.valid_from <= on).order_by(Rule.version)
    newest: dict[str, Rule] = {}
    for rule in (await session.execute(statement)).scalars():
        newest[rule.code] = rule
    return [compile_rule(r) for r in newest.values() if r.valid_to is None or on < r.valid_to]


def evaluate(rules: Sequence[Compiled], stream: str, rows: Sequence[Mapping[str, Any]]) -> list[list[Hit]]:
    """Return, for each row of features, the rules that hold; a comparison with what is unknown does not hold.

    At most 64 rules of one stream can be in force.
    """
    hits: list[list[Hit]] = [[] for _ in rows]
    if not rules or not rows:
        return hits
    schema = {name: feature.kind for name, feature in STREAMS[stream].items()}
    # One name alone would not give a tuple; asked for together they take a third of the time.
    values = map(itemgetter(*schema), rows) if len(schema) > 1 else ((row[name],) for row in rows for name in schema)
    columns = {name: list(column) for name, column in zip(schema, zip(*values, strict=True), strict=True)}
    frame = pl.DataFrame(columns, schema=schema)
    # One column with a bit for each rule: asking for a column a rule costs more than the rules.
    bits = [rule.expression.fill_null(value=False).cast(pl.UInt64) * (1 << i) for i, rule in enumerate(rules)]
    verdicts = frame.select(pl.sum_horizontal(bits)).to_series().to_numpy()
    for at in np.flatnonzero(verdicts).tolist():
        verdict = int(verdicts[at])
        hits[at] = [_hit(rule, rows[at]) for i, rule in enumerate(rules) if verdict >> i & 1]
    return hits


def _hit(rule: Compiled, row: Mapping[str, Any]) -> Hit:
    return Hit(rule, {name: _number(row[name]) for name in rule.features})


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
