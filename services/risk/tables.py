"""Files of things to be scored: their columns under our names, and the values that cannot be."""

from collections.abc import Mapping
from typing import NamedTuple

import polars as pl

from shared.errors import Invalid

# A time: seconds since 1970, or a date and time as ISO 8601 writes it, which becomes such seconds.
MOMENT = pl.Float64
# With an offset, without one (then it is UTC), and without seconds.
_ISO_8601 = ("%+", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M")


class Column(NamedTuple):
    """One column: its type, the headers it has in published data, its meaning, and whether a file must have it."""

    kind: type[pl.DataType]
    headers: tuple[str, ...]
    meaning: str
    required: bool = False
    is_moment: bool = False


class Problem(NamedTuple):
    """A value that cannot be, in row `row` from 0; it is taken for unknown and the rest of its row stays."""

    row: int
    column: str
    reason: str


class Fault(NamedTuple):
    """How to say that a value cannot be, and what makes one of the right type impossible."""

    reason: str
    impossible: pl.Expr | None = None


def read(
    raw: pl.DataFrame, columns: Mapping[str, Column], names: Mapping[str, str], faults: Mapping[str, Fault]
) -> tuple[pl.DataFrame, list[Problem]]:
    """Return a table under our names, in its order, and what could not be read of it.

    `raw` holds text; `names` says under which header a column of ours is found, where it is neither our name nor one
    of the known headers. Raises Invalid where a required column is missing, or a name is none of ours.
    """
    strangers = sorted(set(names) - set(columns))
    if strangers:
        raise Invalid(f"--columns {strangers[0]}=…: there is {', '.join(columns)}")
    headers = found(raw, columns, names)
    missing = [ours for ours, column in columns.items() if column.required and headers[ours] is None]
    if missing:
        raise Invalid(f"no column for {', '.join(missing)}; name it: --columns {missing[0]}=…")
    texts = raw.select(
        pl.col(theirs).str.strip_chars().replace("", None).alias(ours)
        for ours, theirs in headers.items()
        if theirs is not None
    ).with_columns(pl.lit(None, pl.String).alias(ours) for ours, theirs in headers.items() if theirs is None)
    table = texts.select(_read_as(name, column) for name, column in columns.items())
    wrong = {name: texts[name].is_not_null() & table[name].is_null() for name in columns}
    for name, fault in faults.items():
        if fault.impossible is not None:
            wrong[name] |= table.select(fault.impossible.fill_null(value=False)).to_series()
    problems = [
        Problem(row, name, f"{texts[name][row]!r} {faults[name].reason if name in faults else 'is not of its type'}")
        for name, rows in wrong.items()
        for row in rows.arg_true()
    ]
    cleaned = table.with_columns(
        pl.when(~rows).then(pl.col(name)).alias(name) for name, rows in wrong.items() if rows.any()
    )
    return cleaned, sorted(problems)


def found(raw: pl.DataFrame, columns: Mapping[str, Column], names: Mapping[str, str]) -> dict[str, str | None]:
    """Return the header of each of our columns in a file, None where it is not there. Raises Invalid."""
    return {ours: _header(raw, ours, column, names) for ours, column in columns.items()}


def _read_as(name: str, column: Column) -> pl.Expr:
    text = pl.col(name)
    if column.kind is pl.Date:
        return text.str.to_date("%Y-%m-%d", strict=False)
    if column.is_moment:
        day = text.str.to_date("%Y-%m-%d", strict=False)
        whole = text.str.replace(" ", "T")
        # A form for each: without one, that of the first value would be expected of all.
        stated = [
            whole.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False).dt.epoch("us") / 1e6
            for form in _ISO_8601
        ]
        return pl.coalesce(text.cast(MOMENT, strict=False), *stated, day.dt.epoch("s").cast(MOMENT)).alias(name)
    return text.cast(column.kind, strict=False)


def _header(raw: pl.DataFrame, ours: str, column: Column, names: Mapping[str, str]) -> str | None:
    if ours in names:
        if names[ours] not in raw.columns:
            raise Invalid(f"--columns {ours}={names[ours]}: there is no such column")
        return names[ours]
    return next((name for name in (ours, *column.headers) if name in raw.columns), None)
