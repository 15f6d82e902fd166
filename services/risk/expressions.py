"""Rule expressions: what SQL they may be made of, checked when one is saved, each refusal with its place."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from services.risk.catalogue import Feature

# By which people could be named: they are in no stream, and a rule that asks for one is told why.
PERSONAL = frozenset({"buyer_ref", "payer_ref", "consignee_ref", "person_ref", "device_ref", "address_ref", "ip_ref"})
MOST_CHARACTERS = 2_000
_ALLOWED: tuple[type[exp.Expr], ...] = (
    exp.Column,
    exp.Identifier,
    exp.Literal,
    exp.Boolean,
    exp.Null,
    exp.Paren,
    exp.And,
    exp.Or,
    exp.Not,
    exp.EQ,
    exp.NEQ,
    exp.GT,
    exp.GTE,
    exp.LT,
    exp.LTE,
    exp.Between,
    exp.In,
    exp.Is,
    exp.Like,
    exp.Add,
    exp.Sub,
    exp.Mul,
    exp.Div,
    exp.Mod,
    exp.Neg,
    exp.Abs,
    exp.Round,
    exp.Coalesce,
    exp.Nullif,
    exp.Least,
    exp.Greatest,
    exp.Case,
    exp.If,
)


class Problem(NamedTuple):
    """What is wrong with an expression, at which character of it, counting from 1."""

    position: int
    what: str

    def __str__(self) -> str:
        return f"at character {self.position}: {self.what}"


def problems(expression: str, catalogue: Mapping[str, Feature]) -> list[Problem]:
    """Return everything that keeps an expression from being a rule of a stream; types are checked elsewhere."""
    if len(expression) > MOST_CHARACTERS:
        return [Problem(MOST_CHARACTERS, f"longer than {MOST_CHARACTERS} characters")]
    try:
        statements = sqlglot.parse(expression, dialect="postgres")
    except ParseError as error:
        first = error.errors[0]
        return [Problem(_offset(expression, first["line"], first["col"]), str(first["description"]))]
    except TokenError as error:
        return [Problem(1, str(error))]
    if len(statements) != 1 or statements[0] is None:
        return [Problem(1, "one expression is needed")]
    return sorted(_faults(statements[0], catalogue))


def bounds(expression: str) -> list[tuple[str, bool, float]]:
    """Return the features that an expression compares with a number: which, whether from below, and the number."""
    found = []
    for node in sqlglot.parse_one(expression, dialect="postgres").walk():
        if isinstance(node, exp.GT | exp.GTE | exp.LT | exp.LTE):
            left, right, is_lower = node.this, node.expression, isinstance(node, exp.GT | exp.GTE)
            if isinstance(right, exp.Column):
                left, right, is_lower = right, left, not is_lower
            if isinstance(left, exp.Column) and isinstance(right, exp.Literal) and not right.is_string:
                found.append((left.name, is_lower, float(right.name)))
    return found


def _faults(tree: exp.Expr, catalogue: Mapping[str, Feature]) -> Iterator[Problem]:
    for node in tree.walk():
        if isinstance(node, exp.Column):
            yield from _column_faults(node, catalogue)
        elif isinstance(node, exp.Div | exp.Mod) and not _is_never_zero(node.expression):
            divisor = node.expression.sql(dialect="postgres")
            yield Problem(_position(node.expression), f"{divisor} may be zero: divide by NULLIF({divisor}, 0)")
        elif not isinstance(node, _ALLOWED):
            name = node.name if isinstance(node, exp.Anonymous) else node.key
            yield Problem(_position(node), f"{name.upper()} is not for rules")


def _column_faults(column: exp.Column, catalogue: Mapping[str, Feature]) -> Iterator[Problem]:
    if column.name in PERSONAL:
        yield Problem(_position(column), f"{column.name} is personal data, which no rule may name")
    elif column.name not in catalogue or column.table:
        yield Problem(_position(column), f"no such feature: {column.sql(dialect='postgres')}")


def _is_never_zero(divisor: exp.Expr) -> bool:
    while isinstance(divisor, exp.Paren):
        divisor = divisor.this
    if isinstance(divisor, exp.Nullif):
        return bool(divisor.expression.sql() == "0")
    return isinstance(divisor, exp.Literal) and not divisor.is_string and float(divisor.name) != 0


def _position(node: exp.Expr) -> int:
    """Return where a node, or the first of its parts that knows its place, begins."""
    places = [part.meta["start"] for part in node.walk() if "start" in part.meta]
    return min(places) + 1 if places else 1


def _offset(expression: str, line: int, column: int) -> int:
    """Return the character of a line and the last column of what was read there."""
    return sum(len(one) + 1 for one in expression.split("\n")[: line - 1]) + column
