"""Records of CSV files that may be dirty: every one is read, or named with the reason why not."""

import csv
import gzip
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO, TypeVar

_Value = TypeVar("_Value")
_Built = TypeVar("_Built")


class UnreadableError(Exception):
    """A record cannot be used, because of one of its fields."""

    def __init__(self, field_name: str, reason: str) -> None:
        super().__init__(f"{field_name}: {reason}")
        self.field_name = field_name
        self.reason = reason


class MissingFileError(Exception):
    """A directory lacks a file or a file lacks a column, so nothing of it can be read."""


@dataclass(frozen=True)
class Problem:
    """What could not be taken as it stands: file, record (from 1, without the header), field and reason."""

    file: str
    record: int
    field: str
    reason: str


@dataclass
class Findings:
    """What was noticed while reading: problems one by one, and remarks that are only counted."""

    problems: list[Problem] = field(default_factory=list)
    remarks: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Record:
    """One record. `variant` is empty unless its key was seen before with other content: `#2` and so on."""

    file: str
    number: int
    fields: Mapping[str, str]
    findings: Findings
    variant: str = ""

    def read(self, name: str, parse: Callable[[str], _Value]) -> _Value:
        """Return a field that the record is useless without."""
        try:
            return parse(self.fields[name])
        except ValueError as error:
            raise UnreadableError(name, str(error)) from error

    def read_if_given(self, name: str, parse: Callable[[str], _Value]) -> _Value | None:
        """Return a field or None; an unreadable one is named and left out, the record stays."""
        if not self.fields[name]:
            return None
        try:
            return parse(self.fields[name])
        except ValueError as error:
            self.report(name, f"{error}: left out")
            return None

    def report(self, name: str, reason: str) -> None:
        """Name a problem of this record."""
        self.findings.problems.append(Problem(self.file, self.number, name, reason))


def readable(records: Iterable[Record], build: Callable[[Record], _Built]) -> Iterator[_Built]:
    """Build something of each record; name those it cannot be built of."""
    for record in records:
        try:
            built = build(record)
        except UnreadableError as error:
            record.report(error.field_name, f"{error.reason}: record left out")
            continue
        yield built


def read_records(
    directory: Path,
    names: tuple[str, ...],
    *,
    columns: tuple[str, ...],
    key: tuple[str, ...],
    findings: Findings,
) -> Iterator[Record]:
    """Yield the records of the first file of these names, plain or gzip; equal ones only once."""
    path = _existing(directory, names)
    seen: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
    with _opened(path) as stream:
        for record in _parsed(stream, path.name, columns, findings):
            known = seen.setdefault(tuple(record.fields[name] for name in key), [])
            content = tuple(record.fields.values())
            if content in known:
                findings.remarks[f"{path.name}: record repeated word for word, taken once"] += 1
                continue
            known.append(content)
            if len(known) == 1:
                yield record
                continue
            record.report("+".join(key), "same key as an earlier record with other content: both kept")
            yield Record(record.file, record.number, record.fields, findings, f"#{len(known)}")


def _existing(directory: Path, names: tuple[str, ...]) -> Path:
    for name in names:
        for path in (directory / f"{name}.csv", directory / f"{name}.csv.gz"):
            if path.is_file():
                return path
    raise MissingFileError(f"{directory} holds none of {', '.join(f'{name}.csv[.gz]' for name in names)}")


def _opened(path: Path) -> TextIO:
    # A byte that is not UTF-8 spoils one field, not the file: it survives as a lone surrogate until _clean.
    if path.suffix == ".gz":
        return gzip.open(path, "rt", encoding="utf-8-sig", errors="surrogateescape", newline="")
    return path.open(encoding="utf-8-sig", errors="surrogateescape", newline="")


def _parsed(stream: TextIO, file: str, columns: tuple[str, ...], findings: Findings) -> Iterator[Record]:
    rows = csv.reader(stream)
    number, header = 0, next(rows, [])
    missing = [column for column in columns if column not in header]
    if missing:
        raise MissingFileError(f"{file} has no column {', '.join(missing)}")
    while True:
        number += 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            findings.problems.append(Problem(file, number, "", f"{error}: record left out"))
            continue
        except (EOFError, OSError, zlib.error) as error:
            findings.problems.append(Problem(file, number, "", f"{error}: nothing can be read from here on"))
            return
        if len(row) == len(header):
            yield _clean(Record(file, number, dict(zip(header, row, strict=True)), findings))
        elif row:
            reason = f"{len(row)} fields instead of {len(header)}: record left out"
            findings.problems.append(Problem(file, number, "", reason))


def _clean(record: Record) -> Record:
    if all(text.isascii() or _encodes(text) for text in record.fields.values()):
        return record
    fields = {}
    for name, text in record.fields.items():
        fields[name] = text.encode(errors="surrogateescape").decode(errors="replace")
        if fields[name] != text:
            record.report(name, "not UTF-8: the bytes were replaced by U+FFFD")
    return Record(record.file, record.number, fields, record.findings)


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
