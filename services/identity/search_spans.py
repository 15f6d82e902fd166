"""What an account was found by, from when until when: its files in the order they came, each from its own day on. Pure.

That is how an operator as of an instant is told too: of the files that were stated until then, the one that came last.
"""

from datetime import datetime
from operator import itemgetter
from typing import NamedTuple
from uuid import UUID

# Of a row: the operator, its jurisdiction and kind, the name, the registered name. The rest follows from them.
_said = itemgetter(2, 3, 4, 6, 9)


class Searched(NamedTuple):
    """What is kept of what an account is found by: from when on, its row, and the pieces of its names."""

    account_id: UUID
    held_from: datetime
    row: tuple[object, ...]
    pieces: list[int]


class Line(NamedTuple):
    """When an account was registered, what it is found by, and what it was found by before, in order.

    Each span ends where the next one begins. Spans that no file of a batch can reach need not be there.
    """

    registered_at: datetime
    now: Searched
    before: tuple[Searched, ...] = ()


class Ended(NamedTuple):
    """What an account was found by before, and until when."""

    span: Searched
    held_to: datetime


def followed(line: Line | None, file: Searched) -> Line:
    """Return a line after one more file: from its day on that file holds, whatever was stated of later days."""
    if line is None:
        return Line(file.held_from, file)
    if file.held_from > line.now.held_from:
        if _said(file.row) == _said(line.now.row):
            return line._replace(now=file._replace(held_from=line.now.held_from))
        return line._replace(now=file, before=(*line.before, line.now))
    before = tuple(span for span in line.before if span.held_from < file.held_from)
    if before and _said(before[-1].row) == _said(file.row):
        file, before = file._replace(held_from=before[-1].held_from), before[:-1]
    return Line(min(line.registered_at, file.held_from), file, before)


def ended(line: Line) -> dict[datetime, Ended]:
    """Return the spans of a line that are over, by when they began."""
    if not line.before:
        return {}
    ends = (*(span.held_from for span in line.before[1:]), line.now.held_from)
    return {span.held_from: Ended(span, end) for span, end in zip(line.before, ends, strict=True)}
