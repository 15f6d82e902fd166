"""Splitting bodies: every item comes out as it went in, and a bad one takes no other along."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.bodies import BATCH, LINES, SINGLE, split
from shared.errors import Malformed, TooLarge, UnsupportedMedia

values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda children: st.lists(children, max_size=4) | st.dictionaries(st.text(), children, max_size=4),
    max_leaves=8,
)
# What strict JSON forbids, with its brackets and quotes in balance.
oddities = st.sampled_from([b"NaN", b'{"a": Infinity}', b'"\xff"', b"tru", b"1 2", b"{1}", b"[01]", b"'x'"])


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


@given(st.lists(values))
def test_items_of_a_batch_come_out_as_they_went_in(items: list[Any]) -> None:
    raws = split(BATCH, encoded(items), at_most=1_000)

    assert [json.loads(raw) for raw in raws] == items


@given(st.lists(values), oddities, st.lists(values))
def test_a_bad_item_of_a_batch_takes_no_other_along(before: list[Any], odd: bytes, after: list[Any]) -> None:
    body = b"[" + b", ".join([*map(encoded, before), odd, *map(encoded, after)]) + b"]"

    raws = split(BATCH, body, at_most=1_000)

    assert raws[len(before)] == odd
    assert [json.loads(raw) for raw in raws[: len(before)]] == before
    assert [json.loads(raw) for raw in raws[len(before) + 1 :]] == after


@given(st.binary())
def test_any_bytes_are_split_or_refused(body: bytes) -> None:
    for media in (BATCH, LINES, SINGLE):
        try:
            assert all(isinstance(raw, bytes) for raw in split(media, body, at_most=1_000))
        except Malformed:
            assert media == BATCH


def test_nesting_is_no_reason_to_lose_what_stands_beside_it() -> None:
    deep = b"[" * 50_000 + b"]" * 50_000

    assert split(BATCH, b"[1, " + deep + b', {"a": "]"}]', at_most=10) == [b"1", deep, b'{"a": "]"}']


@pytest.mark.parametrize("body", [b"", b"{}", b"[", b"[1", b"[1]]", b"[1,]", b"[,1]", b"[NaN,,1]", b"[1] [2]"])
def test_what_is_no_array_is_refused(body: bytes) -> None:
    with pytest.raises(Malformed):
        split(BATCH, body, at_most=10)


def test_lines_may_end_in_any_way() -> None:
    assert split(LINES, b'{"a":1}\r\n\n  \n{"b":2}', at_most=10) == [b'{"a":1}\r', b'{"b":2}']


def test_parameters_of_the_media_type_do_not_matter() -> None:
    assert split(f"{BATCH.upper()} ; charset=utf-8", b"[1]", at_most=1) == [b"1"]


@pytest.mark.parametrize("media", ["", "application/json", "text/plain", f"x{BATCH}"])
def test_other_media_types_are_refused(media: str) -> None:
    with pytest.raises(UnsupportedMedia):
        split(media, b"[]", at_most=1)


@pytest.mark.parametrize(("media", "body"), [(BATCH, b"[1, 2]"), (LINES, b"1\n2")])
def test_more_than_the_most_is_refused(media: str, body: bytes) -> None:
    with pytest.raises(TooLarge):
        split(media, body, at_most=1)
