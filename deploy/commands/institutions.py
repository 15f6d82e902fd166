"""The registry of payment institutions: loaded from a file, each row answered."""

import asyncio
import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec
import typer

from deploy.commands.options import PortBase, VarDir
from deploy.commands.refusals import or_end
from deploy.institutions import enter
from deploy.layout import Ports
from deploy.preflight import StackError
from deploy.tokens import Issuer

institutions = typer.Typer(help="The registry of payment institutions.", no_args_is_help=True)

# A row as the registry takes it, or why it is none.
_Row: TypeAlias = dict[str, Any] | str
_LINES = {".jsonl", ".ndjson"}


@institutions.command()
def load(
    file: Annotated[Path, typer.Argument(help="CSV with a header, or JSON lines (.jsonl, .ndjson)")],
    *,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
) -> None:
    """Register institutions, certifications and channels; ends with status 1 where a row was refused.

    Columns: institution_id; name, jurisdiction; scheme, number, authority, certified_from, certified_to; channel,
    channel_from, channel_to. A row may leave a group out.
    """
    rows = or_end(lambda: _read(file))
    sound = [(place, row) for place, row in enumerate(rows) if isinstance(row, dict)]
    issuer = Issuer(var / "keys")
    answers = or_end(lambda: asyncio.run(enter([row for _, row in sound], Ports(port_base), issuer)))
    said = {place: _words(answer) for (place, _), answer in zip(sound, answers, strict=True)}
    said |= {place: f"refused: {row}" for place, row in enumerate(rows) if isinstance(row, str)}
    for place, words in sorted(said.items()):
        typer.echo(f"row {place + 1}: {words}")
    refused = sum(words.startswith("refused") for words in said.values())
    typer.echo(f"{len(rows) - refused:,} of {len(rows):,} rows stand in the registry")
    if refused:
        raise typer.Exit(1)


def _words(answer: dict[str, Any]) -> str:
    if answer["outcome"] != "refused":
        return str(answer["outcome"])
    return f"refused: {answer['detail']}{' at ' + answer['pointer'] if answer['pointer'] else ''}"


def _read(file: Path) -> list[_Row]:
    try:
        rows = list(_json_rows(file) if file.suffix in _LINES else _csv_rows(file))
    except UnicodeDecodeError as error:
        raise StackError(f"{file} is not UTF-8: {error}") from error
    except csv.Error as error:
        raise StackError(f"{file} is not CSV: {error}") from error
    if not rows:
        raise StackError(f"{file} has no rows")
    return rows


def _json_rows(file: Path) -> Iterator[_Row]:
    with file.open("rb") as lines:
        for line in filter(bytes.strip, lines):
            try:
                yield msgspec.json.decode(line, type=dict[str, Any])
            except (msgspec.MsgspecError, UnicodeDecodeError) as error:
                yield f"no JSON object: {error}"


def _csv_rows(file: Path) -> Iterator[_Row]:
    with file.open(newline="", encoding="utf-8-sig") as lines:
        for row in csv.DictReader(lines):
            if None in row:
                yield "it has more cells than the header"
            else:
                # An empty cell states nothing.
                yield {name: value.strip() for name, value in row.items() if value is not None and value.strip()}
