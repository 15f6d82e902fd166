"""Loading an extract of a public register into identity."""

import asyncio
import csv
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Annotated, TextIO

import asyncpg
import typer

from deploy.commands import screen
from deploy.commands.databases import urls_of
from deploy.commands.options import DatabaseUrl, PortBase, VarDir
from deploy.commands.refusals import or_end
from deploy.commands.rows import ColumnMissing, Rows, names_of, shown
from deploy.layout import Ports
from services.identity.registry_loading import Loaded, Terms, load
from services.identity.registry_rows import Fault, Reading, read_row
from shared.clock import utc_now
from shared.process import plain_url

_OURS = ("number", "name", "status", "registered_on")


def registry(
    *,
    source: Annotated[Path, typer.Option("--input", help="CSV, JSON lines or Parquet (also .gz) of any size")],
    jurisdiction: Annotated[str, typer.Option(help="whose register it is; ISO 3166-1 alpha-2")],
    scheme: Annotated[str, typer.Option(help="which register: uscc, customs, vat and so on")],
    columns: Annotated[
        str, typer.Option(help="our name=name in the file, separated by commas: number, name, status, registered_on")
    ] = "",
    as_of: Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="the day it is true of (today)")] = None,
    complete: Annotated[bool, typer.Option("--complete", help="who is not in it is not registered any more")] = False,
    errors: Annotated[Path | None, typer.Option(help="CSV of broken rows: row (from 0), field, code, taken")] = None,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    database_url: DatabaseUrl = None,
) -> None:
    """Load an extract of a public register; what a later one says differently holds from its day on."""
    day = (as_of or utc_now()).date()
    terms = Terms(_country(jurisdiction), _scheme(scheme), day, complete, source.name)
    url = or_end(lambda: urls_of(var, Ports(port_base), database_url)["identity"].app)
    loaded = or_end(lambda: _load(source, names_of(columns), terms, url, errors))
    screen.console.print(
        f"{loaded.rows:,} rows of {source.name}: {loaded.changed:,} new or changed, {loaded.ended:,} ended, "
        f"{loaded.broken:,} broken and skipped, {loaded.irregular:,} with numbers that break their own rules",
        markup=False,
        soft_wrap=True,
    )


def _country(text: str) -> str:
    if len(text) != 2 or not (text.isascii() and text.isalpha()):
        raise typer.BadParameter(f"{text!r} is no ISO 3166-1 alpha-2 code", param_hint="--jurisdiction")
    return text.upper()


def _scheme(text: str) -> str:
    if not (text.isascii() and text.isidentifier() and len(text) <= 40):
        raise typer.BadParameter(f"{text!r} is no name of a register", param_hint="--scheme")
    return text.lower()


def _load(source: Path, names: Mapping[str, str], terms: Terms, url: str, errors: Path | None) -> Loaded:
    rows = Rows(source)
    names = {name: names.get(name, name) for name in _OURS} | dict(names)
    there = rows.columns()
    # A column that is named on purpose must be there; one that is not named may be left out, but for these two.
    needed = {names["number"], names["name"]} | {theirs for ours, theirs in names.items() if ours not in _OURS}
    if missing := sorted(needed - there):
        known = ", ".join(map(repr, sorted(there))) or "none"
        raise ColumnMissing(f"{source}: a column {missing[0]!r} is needed; it has {known} (--columns number=…,name=…)")
    with ExitStack() as stack:
        file = sys.stderr if errors is None else stack.enter_context(errors.open("w", newline="", encoding="utf-8"))
        return asyncio.run(_stream(rows, names, terms, url, file))


async def _stream(rows: Rows, names: Mapping[str, str], terms: Terms, url: str, errors: TextIO) -> Loaded:
    writer = csv.writer(errors)
    if errors is not sys.stderr:
        writer.writerow(["row", "field", "code", "taken"])

    def report(fault: Fault) -> None:
        writer.writerow([fault.row, fault.field, fault.code, "without the field" if fault.is_taken else "no"])

    connection = await asyncpg.connect(plain_url(url), timeout=10)
    try:
        return await load(connection, terms, _readings(rows, names, terms), report)
    finally:
        await connection.close()


def _readings(rows: Rows, names: Mapping[str, str], terms: Terms) -> Iterator[Reading]:
    ours = {theirs: name for name, theirs in names.items()}
    for row in shown(rows):
        if row.code is not None:
            yield Reading(None, [Fault(row.number, "", row.code)])
            continue
        fields = {ours.get(name, name): value for name, value in row.fields.items()}
        yield read_row(row.number, fields, jurisdiction=terms.jurisdiction, scheme=terms.scheme)
