"""Rules are data: SQL expressions over a stream's features, checked when saved, evaluated a batch at a time."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import Any, NamedTuple, cast

import numpy as np
import polars as pl
from polars.exceptions import PolarsError

from services.risk.catalogue import STREAMS
from services.risk.expressions import problems
from services.risk.models import Rule
from shared.errors import Invalid
from shared.events.risk import Severity


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
    # One in shadow is evaluated and counted, and raises nothing.
    is_live: bool = True

    def __str__(self) -> str:
        return f"{self.code} version {self.version}"


class Hit(NamedTuple):
    """One rule that holds for one row, with the values behind it."""

    rule: Compiled
    values: dict[str, float]


def compile_rule(rule: Rule) -> Compiled:
    """Check a rule against its stream's features. Raises RuleRefused."""
    expression, features = _checked(rule.code, rule.stream, rule.expression)
    severity = cast("Severity", rule.severity)
    is_live = rule.state in (None, "approved")
    return Compiled(
        rule.code, rule.version, rule.scope, severity, rule.points, rule.reason, expression, features, is_live
    )


@lru_cache(maxsize=1_024)
def _checked(code: str, stream: str, stated: str) -> tuple[pl.Expr, list[str]]:
    """Return an expression with the features it names. A worker asks for the same ones every few seconds."""
    catalogue = STREAMS.get(stream)
    if catalogue is None:
        raise RuleRefused(f"{code}: no stream {stream!r}; there are {', '.join(STREAMS)}", pointer="/stream")
    faults = problems(stated, catalogue)
    if faults:
        raise RuleRefused(f"{code}: {'; '.join(map(str, faults))}", pointer="/expression")
    try:
        expression = pl.sql_expr(stated)
        result = pl.DataFrame(schema=_schema(stream)).select(expression.alias("hit"))
        features = sorted(set(expression.meta.root_names()))
    except PolarsError as error:
        raise RuleRefused(f"{code}: {error}", pointer="/expression") from error
    if result.schema["hit"] != pl.Boolean:
        raise RuleRefused(f"{code}: gives {result.schema['hit']}, not yes or no", pointer="/expression")
    if not features:
        raise RuleRefused(f"{code}: none is named of the features", pointer="/expression")
    return expression, features


def frame_of(stream: str, rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """Return rows of features as columns of their types."""
    schema = _schema(stream)
    # One name alone would not give a tuple; asked for together they take a third of the time.
    values = map(itemgetter(*schema), rows) if len(schema) > 1 else ((row[name],) for row in rows for name in schema)
    columns = {name: list(column) for name, column in zip(schema, zip(*values, strict=True), strict=True)}
    return pl.DataFrame(columns, schema=schema)


def _schema(stream: str) -> dict[str, type[pl.DataType]]:
    return {name: feature.kind for name, feature in STREAMS[stream].items()}


def evaluate(rules: Sequence[Compiled], stream: str, rows: Sequence[Mapping[str, Any]]) -> list[Sequence[Hit]]:
    """Return, for each row of features, the rules that hold; a comparison with what is unknown does not hold."""
    return hits_of(rules, frame_of(stream, rows)) if rows else []


def hits_of(rules: Sequence[Compiled], frame: pl.DataFrame) -> list[Sequence[Hit]]:
    """Return the same of rows that are columns already. At most 64 rules can be evaluated together."""
    hits: list[Sequence[Hit]] = [()] * frame.height
    if not rules:
        return hits
    # One column with a bit for each rule: asking for a column a rule costs more than the rules.
    bits = [holds(rule).cast(pl.UInt64) * (1 << i) for i, rule in enumerate(rules)]
    verdicts = frame.select(pl.sum_horizontal(bits)).to_series().to_numpy()
    for at in np.flatnonzero(verdicts).tolist():
        verdict, row = int(verdicts[at]), frame.row(at, named=True)
        hits[at] = [_hit(rule, row) for i, rule in enumerate(rules) if verdict >> i & 1]
    return hits


def holds(rule: Compiled) -> pl.Expr:
    """Return yes or no for each row; what is unknown is no."""
    return rule.expression.fill_null(value=False)


def _hit(rule: Compiled, row: Mapping[str, Any]) -> Hit:
    return Hit(rule, {name: _number(row[name]) for name in rule.features})


def _number(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
