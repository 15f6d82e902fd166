"""An event's place in its outbox: it sorts as text, and its position is unique."""

from hypothesis import given
from hypothesis import strategies as st

from shared.messaging import IDS_PER_ROW, Message, pack, position, sequence, unpack

places = st.tuples(st.integers(0, 2**48 - 1), st.integers(1, 2**47 - 1), st.integers(0, IDS_PER_ROW - 1))


def position_of(place: tuple[int, int, int]) -> int:
    return position(sequence(*place).decode())


@given(places, places)
def test_sequences_sort_as_text_in_the_order_of_the_outbox(
    one: tuple[int, int, int], other: tuple[int, int, int]
) -> None:
    assert (sequence(*one) < sequence(*other)) == (one < other)


@given(places, places)
def test_positions_differ_wherever_events_do(one: tuple[int, int, int], other: tuple[int, int, int]) -> None:
    same_event = one[1:] == other[1:]

    assert (position_of(one) == position_of(other)) == same_event
    assert 0 <= position_of(one) < 2**63


@given(
    st.lists(
        st.builds(
            Message,
            st.binary(),
            st.binary(),
            st.none() | st.lists(st.tuples(st.text(), st.binary())),
        )
    )
)
def test_a_row_gives_back_what_was_packed(messages: list[Message]) -> None:
    assert unpack(pack(messages)) == messages
