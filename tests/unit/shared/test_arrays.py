"""Arrays as PostgreSQL writes them: what goes in comes out, whatever it holds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.database import number_array, text_array


def read(literal: str) -> list[str]:
    """Read an array of quoted texts (PostgreSQL 18, 8.15.6)."""
    found: list[str] = []
    inside = literal[1:-1]
    at = 0
    while at < len(inside):
        assert inside[at] == '"'
        text, at = "", at + 1
        while inside[at] != '"':
            at += inside[at] == "\\"
            text, at = text + inside[at], at + 1
        found.append(text)
        at += 1
        assert at == len(inside) or inside[at] == ","
        at += 1
    return found


@given(st.lists(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))))
def test_texts_come_out_as_they_went_in(texts: list[str]) -> None:
    assert read(text_array(texts)) == texts


@pytest.mark.parametrize("texts", [["a\0b"], ["\0"], ["a", "\0", "b"]])
def test_refuses_what_would_fall_into_two(texts: list[str]) -> None:
    with pytest.raises(ValueError, match="0000"):
        text_array(texts)


def test_integers() -> None:
    assert [number_array(items) for items in ([], [1], [3, -2])] == ["{}", "{1}", "{3, -2}"]
