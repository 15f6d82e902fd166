"""Cursors of lists: opaque to the caller, a position in the order for us."""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import UUID

import msgspec

from shared.clock import EARLIEST, LATEST
from shared.errors import Invalid

MAX_PAGE = 200
T = TypeVar("T")


class BadCursor(Invalid):
    """A cursor that this list did not give."""


class Cursor(msgspec.Struct, frozen=True, array_like=True):
    """The last item seen in a list ordered by time and id, newest first."""

    at: datetime
    id: UUID

    def encode(self) -> str:
        """Return the text a caller sends back."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).rstrip(b"=").decode()


def paged(rows: Sequence[T], limit: int, place: Callable[[T], Cursor]) -> tuple[list[T], str | None]:
    """Return the page and the cursor of the next one, of rows that are one more than a page has where there is one."""
    page = list(rows[:limit])
    return page, place(page[-1]).encode() if len(rows) > limit else None


def read_cursor(text: str | None) -> Cursor | None:
    """Return the position behind a caller's cursor. Raises BadCursor."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        cursor = msgspec.json.decode(raw, type=Cursor)
    except (binascii.Error, ValueError) as error:
        raise BadCursor("this cursor was not given by this list", pointer="/query/cursor") from error
    if cursor.at.tzinfo is None or not EARLIEST <= cursor.at < LATEST:
        raise BadCursor("this cursor was not given by this list", pointer="/query/cursor")
    return cursor
