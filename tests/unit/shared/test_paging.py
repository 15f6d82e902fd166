"""Cursors: what a list gave comes back as it was, and nothing else is taken for one."""

import base64
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.paging import BadCursor, Cursor, read_cursor

instants = st.datetimes(datetime(1990, 1, 1), datetime(2199, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


@given(instants, st.uuids())
def test_a_cursor_comes_back_as_it_was(at: datetime, identifier: UUID) -> None:
    cursor = Cursor(at, identifier)

    assert read_cursor(cursor.encode()) == cursor


def test_no_cursor_is_the_beginning() -> None:
    assert read_cursor(None) is None


@given(st.text())
def test_any_text_is_a_cursor_or_refused(text: str) -> None:
    with suppress(BadCursor):
        assert isinstance(read_cursor(text), Cursor)


@pytest.mark.parametrize(
    "at",
    [
        datetime(2026, 3, 1),  # noqa: DTZ001 - a time without a zone is the point
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(9999, 12, 31, 23, 59, tzinfo=timezone(timedelta(hours=-14))),
    ],
    ids=str,
)
def test_a_time_that_the_database_cannot_hold_is_refused(at: datetime) -> None:
    with pytest.raises(BadCursor):
        read_cursor(Cursor(at, UUID(int=1)).encode())


@pytest.mark.parametrize("content", [b"[]", b"{}", b"null", b'["2026-01-01T00:00:00Z"]', b"\xff"])
def test_encoded_nonsense_is_refused(content: bytes) -> None:
    with pytest.raises(BadCursor) as refused:
        read_cursor(base64.urlsafe_b64encode(content).decode())
    assert refused.value.pointer == "/query/cursor"
