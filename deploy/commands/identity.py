"""Numbers of a file checked, extracts of public registers loaded, keys wrapped anew, by identity's own functions."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands import screen
from deploy.commands.refusals import or_end
from deploy.commands.registry import registry
from deploy.commands.rewrapping import rewrap
from deploy.commands.rows import ColumnMissing, Row, Rows, names_of, shown
from services.identity.numbers import check_number

identity = typer.Typer(help="The registers and keys of the identity service.", no_args_is_help=True)
identity.command("registry")(registry)
identity.command("rewrap")(rewrap)


@identity.command("check")
def check(
    *,
    source: Annotated[Path, typer.Option("--input", help="CSV, JSON lines or Parquet (also .gz) of any size")],
    out: Annotated[Path, typer.Option(help="CSV to write: row (from 0), verdict (valid, invalid), code")],
    jurisdiction: Annotated[str, typer.Option(help="of rows without a column of that name; ISO 3166-1")] = "CN",
    columns: Annotated[str, typer.Option(help="our name=name in the file, separated by commas")] = "",
) -> None:
    """Check registration numbers: a column `uscc`, or `scheme` and `number` (a `jurisdiction` of each row if there)."""
    counts = or_end(lambda: _check(source, out, jurisdiction, names_of(columns)))
    total = sum(counts.values())
    invalid = total - counts.pop("", 0)
    screen.console.print(f"{total:,} rows, {invalid:,} invalid, into {out}", markup=False)
    for code, count in sorted(counts.items(), key=lambda pair: -pair[1]):
        screen.console.print(f"{count:>12,} {code}", markup=False)


def _check(source: Path, out: Path, jurisdiction: str, names: Mapping[str, str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    rows = Rows(source)
    _look_for_columns(rows, names)
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["row", "verdict", "code"])
        for row in shown(rows):
            code = _code(row, jurisdiction, names)
            writer.writerow([row.number, "invalid" if code else "valid", code])
            counts[code] = counts.get(code, 0) + 1
    return counts


def _look_for_columns(rows: Rows, names: Mapping[str, str]) -> None:
    there = rows.columns()
    uscc, scheme, number = (names.get(name, name) for name in ("uscc", "scheme", "number"))
    if uscc not in there and not {scheme, number} <= there:
        known = ", ".join(map(repr, sorted(there))) or "none"
        raise ColumnMissing(f"{rows.path}: a column {uscc!r}, or {scheme!r} and {number!r}, is needed; it has {known}")


def _code(row: Row, jurisdiction: str, names: Mapping[str, str]) -> str:
    """Return what is wrong with a row's number; nothing if it can be."""
    if row.code is not None:
        return row.code
    uscc, scheme, number, where = (
        row.fields.get(names.get(n, n)) for n in ("uscc", "scheme", "number", "jurisdiction")
    )
    if uscc is not None:
        return check_number("CN", "uscc", uscc).code or ""
    return check_number((where or jurisdiction).strip(), (scheme or "").strip(), number or "").code or ""
