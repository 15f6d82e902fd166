"""What requests hold in memory is counted from their first byte to their end."""

import pytest

from shared.errors import Busy, TooLarge
from shared.ingest_door import MAX_BYTES_IN_HAND, Pressure


def read_two_and_refuse(pressure: Pressure) -> None:
    with pressure.held() as one, pressure.held() as other:
        one.add(2_000)
        other.add(1_000)
        assert pressure.bytes_in_hand == 3_000
        raise TooLarge("the rest is not read")


class TestHeld:
    def test_is_counted_only_while_it_is_held(self) -> None:
        pressure = Pressure()

        with pytest.raises(TooLarge):
            read_two_and_refuse(pressure)

        assert pressure.bytes_in_hand == 0

    def test_refuses_the_next_request_while_others_are_still_being_read(self) -> None:
        pressure = Pressure()

        with pressure.held() as one:
            one.add(MAX_BYTES_IN_HAND)
            with pytest.raises(Busy):
                pressure.refuse_if_high(1)

        pressure.refuse_if_high(1)
