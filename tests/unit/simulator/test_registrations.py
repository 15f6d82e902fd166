"""Numbers of registers and goods pass the checks of python-stdnum."""

from random import Random

import pytest
from stdnum import ean
from stdnum.cn import uscc

from simulator.registrations import gtin, registration, with_wrong_check_digit
from tests.unit.simulator.registers import passes_check

COUNTRIES = ["CN", "US", "DE", "KR", "BR", "JP", "FR"]


@pytest.mark.parametrize("country", COUNTRIES)
class TestCountries:
    def test_give_valid_registrations(self, country: str) -> None:
        draw = Random(1)

        assert all(passes_check(registration(country, draw)) for _ in range(300))

    def test_give_valid_gtins(self, country: str) -> None:
        assert all(ean.is_valid(gtin(country, item)) for item in range(0, 10**12, 10**12 // 7 + 3))


class TestWithWrongCheckDigit:
    def test_spoils_the_last_digit_only(self) -> None:
        number = registration("CN", Random(2)).number
        spoilt = with_wrong_check_digit(number)

        assert spoilt[:-1] == number[:-1]
        assert not uscc.is_valid(spoilt)
