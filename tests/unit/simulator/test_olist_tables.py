"""Money without rounding and local times of Brazil without guessing."""

from collections import Counter

import pytest

from simulator.olist_tables import amount_minor, identifier, rating, utc_time
from simulator.records import Findings


class TestAmountMinor:
    @pytest.mark.parametrize(
        ("text", "minor"),
        [
            ("0", 0),
            ("99.9", 9990),
            ("0.07", 7),
            ("19.99", 1999),
            ("4.350", 435),
            ("9999999999999.99", 10**15 - 1),
        ],
    )
    def test_is_exact(self, text: str, minor: int) -> None:
        assert amount_minor(text) == minor

    def test_agrees_with_every_centavo_up_to_a_thousand(self) -> None:
        assert all(amount_minor(f"{minor // 100}.{minor % 100:02d}") == minor for minor in range(100_000))

    @pytest.mark.parametrize(
        "text",
        ["", "-1", "1e3", "NaN", "1,50", "0.005", "1_000", " 1", "٣", "1.", ".5", "10000000000000", "inf"],
    )
    def test_refuses_what_is_no_exact_amount(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"no amount|finer than a centavo"):
            amount_minor(text)


class TestUtcTime:
    @pytest.mark.parametrize(
        ("local", "utc"),
        [
            ("2017-07-09 21:57:05", "2017-07-10T00:57:05+00:00"),
            ("2018-01-15 12:00:00", "2018-01-15T14:00:00+00:00"),
            # 2017-10-15 00:00 was followed by 01:00 at once; 2018-02-17 23:00 to 24:00 happened twice.
            ("2017-10-14 23:59:59", "2017-10-15T02:59:59+00:00"),
            ("2017-10-15 01:00:00", "2017-10-15T03:00:00+00:00"),
            ("2018-02-17 22:59:59", "2018-02-18T00:59:59+00:00"),
            ("2018-02-18 00:00:00", "2018-02-18T03:00:00+00:00"),
        ],
    )
    def test_follows_the_clock_of_brazil(self, local: str, utc: str) -> None:
        findings = Findings()

        assert utc_time(local, findings).isoformat() == utc
        assert findings.remarks == Counter()

    def test_takes_the_first_of_two_equal_hours(self) -> None:
        findings = Findings()

        assert utc_time("2018-02-17 23:30:00", findings).isoformat() == "2018-02-18T01:30:00+00:00"
        assert findings.remarks == {"local time that was twice on that night's clock, the first is taken": 1}

    def test_reads_a_skipped_hour_as_if_the_clock_had_not_been_put_forward(self) -> None:
        findings = Findings()

        assert utc_time("2017-10-15 00:30:00", findings).isoformat() == "2017-10-15T03:30:00+00:00"
        assert findings.remarks == {"local time that was skipped by the clock": 1}

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "2018-02-30 10:00:00",
            "2018-01-01",
            "2018-01-01T10:00:00",
            "2018-01-01 10:00:60",
            "２018-01-01 10:00:00",
        ],
    )
    def test_refuses_what_is_no_time(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"no time|day|second"):
            utc_time(text, Findings())


class TestFields:
    def test_rating_is_one_to_five(self) -> None:
        assert [rating(str(stars)) for stars in range(1, 6)] == [1, 2, 3, 4, 5]
        with pytest.raises(ValueError, match="not 1 to 5"):
            rating("0")

    @pytest.mark.parametrize("text", ["", "x" * 91])
    def test_identifier_is_neither_empty_nor_endless(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"empty|longer"):
            identifier(text)
