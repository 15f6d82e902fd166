"""Rows of a user's file, one after another however large it is: CSV, JSON lines or Parquet, plain or gzipped."""

import csv
import gzip
import io
import json
import shutil
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple, cast

import duckdb
import msgspec
import typer
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.commands import screen
from shared.errors import Invalid

_GZIP = b"\x1f\x8b"
_LINES = (".jsonl", ".ndjson", ".json")
_TABLES = {".csv": ",", ".txt": ",", ".tsv": "\t"}
_LONGEST_FIELD = 1 << 24
_CHUNK = 10_000
_SHOWN_EVERY = 1_000
_LOOKED_AT = 1_000


class Unreadable(Invalid):
    """A file cannot be read any further."""

    code = "file_unreadable"


class ColumnMissing(Invalid):
    """A file lacks a column that is needed."""

    code = "column_missing"


class Row(NamedTuple):
    """A row, counted from 0: its fields as text, or why it cannot be read."""

    number: int
    fields: Mapping[str, str]
    code: str | None = None
    detail: str = ""


class Rows:
    """The rows of a file. `done` of `size` bytes (of Parquet: rows) have been read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.size = path.stat().st_size
        self.done = 0
        with path.open("rb") as file:
            self._is_gzipped = file.read(2) == _GZIP
        name = Path(path.stem) if path.suffix == ".gz" else path
        self._suffix = name.suffix.lower()
        if self._suffix not in (*_LINES, *_TABLES, ".parquet"):
            raise Unreadable(f"{path}: .csv, .tsv, .jsonl or .parquet (also .gz) is needed, to tell how to read it")

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows. Raises Unreadable where the file ends early or is none of its kind."""
        with self._faults():
            yield from self._parquet() if self._suffix == ".parquet" else self._text()

    def columns(self) -> set[str]:
        """Return the names of the columns, of JSON lines those of the first thousand rows. Raises Unreadable."""
        if self._suffix in _TABLES:
            with self._faults(), self.path.open("rb") as raw, self._lines(raw) as lines:
                return set(_header(csv.reader(lines, delimiter=_TABLES[self._suffix])))
        return {name for row in islice(self, _LOOKED_AT) for name in row.fields}

    @contextmanager
    def _faults(self) -> Iterator[None]:
        try:
            yield
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unreadable(f"{self.path}: the compressed file is damaged or cut off: {error}") from error
        except (duckdb.Error, csv.Error) as error:
            raise Unreadable(f"{self.path}: {str(error).splitlines()[0]}") from error

    def _lines(self, raw: BinaryIO) -> io.TextIOWrapper:
        plain = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if self._is_gzipped else raw
        # What is no UTF-8 is carried along and found in the row that it spoils.
        return io.TextIOWrapper(plain, encoding="utf-8-sig", errors="surrogateescape", newline="")

    def _text(self) -> Iterator[Row]:
        with self.path.open("rb") as raw, self._lines(raw) as lines:
            for row in _json(lines) if self._suffix in _LINES else _csv(lines, _TABLES[self._suffix]):
                self.done = raw.tell()
                yield row
        self.done = self.size

    def _parquet(self) -> Iterator[Row]:
        with tempfile.TemporaryDirectory() as directory, duckdb.connect() as database:
            path = self.path
            if self._is_gzipped:
                path = Path(directory) / "rows.parquet"
                with gzip.open(self.path) as packed, path.open("wb") as plain:
                    shutil.copyfileobj(packed, plain)
            counted = database.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchone()
            self.size, self.done = int(counted[0]) if counted else 0, 0
            found = database.execute("SELECT * FROM read_parquet(?)", [str(path)])
            names = [column[0] for column in found.description or []]
            while rows := found.fetchmany(_CHUNK):
                for values in rows:
                    pairs = zip(names, values, strict=True)
                    yield _checked(self.done, {name: _as_text(value) for name, value in pairs if value is not None})
                    self.done += 1


def shown(rows: Rows) -> Iterator[Row]:
    """Yield rows while a bar shows how far the file has been read."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"))
    with Progress(*columns, TimeElapsedColumn(), console=screen.console) as bar:
        task = bar.add_task(f"reading {rows.path.name}", total=None)
        for row in rows:
            if row.number % _SHOWN_EVERY == 0:
                bar.update(task, total=max(rows.size, 1), completed=rows.done)
            yield row
        bar.update(task, total=1, completed=1)


def names_of(columns: str) -> dict[str, str]:
    """Return the file's names of our columns, from `ours=theirs,…`."""
    pairs = [pair.partition("=") for pair in columns.split(",") if pair]
    for ours, equals, theirs in pairs:
        if not (ours.strip() and equals and theirs.strip()):
            raise typer.BadParameter(f"{ours + equals!r} is not ours=theirs", param_hint="--columns")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _header(reader: Iterator[list[str]]) -> list[str]:
    header = next(reader, None)
    if header is None:
        raise Unreadable("the file is empty")
    return [name.strip() for name in header]


def _csv(lines: io.TextIOWrapper, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_LONGEST_FIELD)
    reader = csv.reader(lines, delimiter=delimiter)
    names, number = _header(reader), 0
    while True:
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            yield Row(number, {}, "row_unreadable", str(error))
        else:
            if not cells:
                continue
            yield _table_row(number, names, cells)
        number += 1


def _json(lines: io.TextIOWrapper) -> Iterator[Row]:
    for number, line in enumerate(line for line in lines if line.strip()):
        try:
            found = msgspec.json.decode(line.encode("utf-8", "surrogateescape"), type=dict[str, object])
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            yield Row(number, {}, "row_unreadable", f"no JSON object: {error}")
        else:
            yield _checked(number, {name: _as_text(value) for name, value in found.items() if value is not None})


def _table_row(number: int, names: list[str], cells: list[str]) -> Row:
    if len(cells) > len(names):
        return Row(number, {}, "row_too_long", f"{len(cells)} cells; the header has {len(names)}")
    if len(cells) < len(names):
        return Row(number, {}, "row_too_short", f"{len(cells)} cells; the header has {len(names)}")
    return _checked(number, dict(zip(names, cells, strict=True)))


def _checked(number: int, fields: dict[str, str]) -> Row:
    for name, value in fields.items():
        if not value.isascii() and any("\ud800" <= sign <= "\udfff" for sign in value):
            return Row(number, {}, "not_utf8", f"{_readable(name)} is not UTF-8")
        if "\0" in value:
            return Row(number, {}, "not_text", f"{name} has U+0000")
    return Row(number, fields)


def _as_text(value: object) -> str:
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list | bool) else str(value)


def _readable(text: str) -> str:
    return text.encode("utf-8", "replace").decode()
