"""When periods end: by days, working days or months, where the law counts them, however often they stand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from shared.calendars import Calendar, NoCalendar, calendar_of
from shared.clocks import (
    Clock,
    ClockIsOver,
    OutOfOrder,
    Unit,
    WrongAct,
    WrongPeriod,
    begin,
    due,
    expire,
    extend,
    meet,
    pause,
    resume,
)

SHANGHAI = ZoneInfo("Asia/Shanghai")
CN = calendar_of("CN")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=SHANGHAI)


def clock(started: str, amount: int, unit: Unit, jurisdiction: str = "CN") -> Clock:
    return begin(calendar_of(jurisdiction), at=at(started), amount=amount, unit=unit)


def last_day(one: Clock) -> date:
    ends = due(one, calendar_of(one.jurisdiction))
    assert ends is not None
    return ends.last_day


class TestCalendar:
    def test_knows_made_up_weekends_of_china(self) -> None:
        # The notice of the State Council's General Office on the holidays of 2025.
        worked = {date(2025, 1, 26), date(2025, 2, 8), date(2025, 4, 27), date(2025, 9, 28), date(2025, 10, 11)}
        year = [date(2025, 1, 1) + timedelta(days=n) for n in range(365)]

        assert {day for day in year if day.weekday() > 4 and CN.works(day)} == worked
        assert not any(CN.works(date(2025, 10, n)) for n in range(1, 9))

    def test_knows_one_that_makes_up_for_a_day_of_the_next_year(self) -> None:
        assert CN.works(date(2006, 12, 31))
        assert CN.works(date(2007, 12, 29))

    def test_says_when_holidays_are_not_announced_yet(self) -> None:
        assert not CN.is_provisional(2025)
        assert CN.is_provisional(2090)
        assert not calendar_of("DE").is_provisional(2090)

    def test_takes_single_days_from_a_file_of_ours_first(self) -> None:
        ours = Calendar("CN", {date(2090, 5, 6): True, date(2090, 5, 8): False})

        assert ours.works(date(2090, 5, 6))
        assert not ours.works(date(2090, 5, 8))
        assert not ours.is_provisional(2090)

    def test_ends_a_day_where_it_is(self) -> None:
        assert CN.end_of(date(2026, 1, 1)) == datetime(2026, 1, 1, 16, tzinfo=UTC)
        # Daylight saving began in Brazil at midnight: that day had no 00:00.
        assert calendar_of("BR").end_of(date(2018, 11, 3)) == datetime(2018, 11, 4, 3, tzinfo=UTC)

    def test_refuses_a_place_it_knows_nothing_of(self) -> None:
        with pytest.raises(NoCalendar):
            calendar_of("ZZ")


class TestDue:
    def test_does_not_count_the_first_day(self) -> None:
        assert last_day(clock("2026-03-02T00:01", 3, "calendar_days")) == date(2026, 3, 5)

    def test_begins_on_the_day_it_is_there(self) -> None:
        late = begin(CN, at=datetime(2026, 3, 2, 17, tzinfo=UTC), amount=3, unit="calendar_days")

        assert last_day(late) == date(2026, 3, 6)

    def test_moves_from_a_holiday_to_the_next_working_day(self) -> None:
        # 7 September + 1 month is in the National Day holidays of 2025, which ended with the 8th.
        assert last_day(clock("2025-09-07T10:00", 1, "months")) == date(2025, 10, 9)

    def test_stays_where_a_law_says_so(self) -> None:
        fixed = begin(CN, at=at("2025-09-07T10:00"), amount=1, unit="months", moves=False)

        assert last_day(fixed) == date(2025, 10, 7)

    def test_ends_a_month_on_its_last_day(self) -> None:
        assert last_day(clock("2024-01-31T10:00", 1, "months", "US")) == date(2024, 2, 29)

    def test_counts_working_days_with_made_up_weekends(self) -> None:
        # Saturday 11 October 2025 was worked, Thursday 9 the first after the holidays.
        assert last_day(clock("2025-09-30T10:00", 3, "working_days")) == date(2025, 10, 11)

    def test_leaves_out_days_that_end_while_it_stands(self) -> None:
        one = clock("2026-03-02T10:00", 5, "calendar_days")
        stood = resume(
            pause(one, CN, at=at("2026-03-04T23:00"), by="officer", because="evidence asked for"),
            at=at("2026-03-07T23:00"),
            by="officer",
        )

        assert last_day(one) == date(2026, 3, 9)  # the 7th is a Saturday
        assert last_day(stood) == date(2026, 3, 10)

    def test_is_unknown_while_it_stands(self) -> None:
        assert (
            due(pause(clock("2026-03-02T10:00", 5, "months"), CN, at=at("2026-03-03T10:00"), by="x", because="y"), CN)
            is None
        )


class TestActs:
    def test_refuse_what_cannot_be(self) -> None:
        one = clock("2026-03-02T10:00", 5, "calendar_days")
        over = expire(one, CN)

        with pytest.raises(WrongPeriod):
            begin(CN, at=at("2026-03-02T10:00"), amount=0, unit="months")
        with pytest.raises(WrongAct):
            resume(one, at=at("2026-03-03T10:00"), by="x")
        with pytest.raises(OutOfOrder):
            pause(one, CN, at=at("2026-03-01T10:00"), by="x", because="y")
        with pytest.raises(ClockIsOver):
            meet(one, CN, at=at("2026-03-10T00:00"), by="x", evidence="receipt")
        with pytest.raises(ClockIsOver):
            extend(over, CN, at=at("2026-03-20T10:00"), amount=1, by="x", because="y")
        with pytest.raises(ClockIsOver):
            expire(over, CN)

    def test_prove_in_the_last_minute(self) -> None:
        one = clock("2026-03-02T10:00", 5, "calendar_days")
        met = meet(one, CN, at=at("2026-03-09T23:59"), by="shop", evidence="receipt 7")

        assert (met.state, met.acts[-1].evidence) == ("met", "receipt 7")

    def test_extend_by_the_same_unit(self) -> None:
        one = clock("2026-03-02T10:00", 15, "working_days")
        longer = extend(one, CN, at=at("2026-03-03T10:00"), amount=15, by="chief", because="complicated")

        assert last_day(longer) == last_day(clock("2026-03-02T10:00", 30, "working_days"))


class TestHours:
    def test_are_counted_from_the_instant_and_end_at_night_and_on_a_holiday(self) -> None:
        one = clock("2026-09-30T23:30", 72, "hours")
        ends = due(one, CN)

        assert ends is not None
        assert (ends.at, ends.last_day) == (at("2026-10-03T23:30"), date(2026, 10, 3))

    def test_are_not_counted_while_the_clock_stands(self) -> None:
        one = pause(clock("2026-03-02T10:00", 4, "hours"), CN, at=at("2026-03-02T11:00"), by="x", because="y")
        longer = extend(resume(one, at=at("2026-03-02T20:30"), by="x"), CN, at=at("2026-03-02T21:00"), **_ONE_MORE)

        ends = due(longer, CN)
        assert ends is not None
        assert ends.at == at("2026-03-03T00:30")


_ONE_MORE: Any = {"amount": 1, "by": "chief", "because": "complicated"}
CLOCKS = st.builds(
    lambda where, started, amount, unit: begin(
        calendar_of(where), at=started, amount=amount if unit != "months" else 1 + amount % 12, unit=unit
    ),
    st.sampled_from(["CN", "US", "DE", "BR", "AE"]),
    st.integers(0, 11 * 365 * 24).map(lambda hours: datetime(2015, 1, 1, tzinfo=UTC) + timedelta(hours=hours)),
    st.integers(1, 90),
    st.sampled_from(["calendar_days", "working_days", "months"]),
)
HOURS = st.integers(0, 24 * 60)


def stood(one: Clock, spans: list[tuple[int, int]]) -> Clock:
    """Let a clock stand for spans of hours, one after another, as long as it runs."""
    calendar, now = calendar_of(one.jurisdiction), one.started_at
    for runs, stands in spans:
        now += timedelta(hours=runs)
        try:
            one = pause(one, calendar, at=now, by="officer", because="asked for evidence")
        except ClockIsOver:
            return one
        now += timedelta(hours=stands)
        one = resume(one, at=now, by="officer")
    return one


@given(CLOCKS, st.lists(st.tuples(HOURS, HOURS), max_size=3))
def test_no_clock_ends_on_a_day_nobody_works(one: Clock, spans: list[tuple[int, int]]) -> None:
    one = stood(one, spans)
    calendar = calendar_of(one.jurisdiction)
    ends = due(one, calendar)

    assert ends is not None
    assert calendar.works(ends.last_day)
    assert ends.last_day > calendar.day_of(one.started_at)
    assert calendar.day_of(ends.at) == ends.last_day + timedelta(days=1)


@given(CLOCKS, st.lists(st.tuples(HOURS, HOURS), max_size=2), HOURS, HOURS, st.integers(0, 400))
def test_standing_longer_never_ends_earlier(
    one: Clock, spans: list[tuple[int, int]], runs: int, stands: int, longer: int
) -> None:
    short = stood(one, [*spans, (runs, stands)])
    long = stood(one, [*spans, (runs, stands + longer)])
    never = stood(one, spans)

    assert last_day(never) <= last_day(short) <= last_day(long)


@given(CLOCKS, st.lists(st.tuples(HOURS, HOURS), max_size=2), st.integers(1, 30))
def test_extending_only_moves_later(one: Clock, spans: list[tuple[int, int]], more: int) -> None:
    one = stood(one, spans)
    calendar = calendar_of(one.jurisdiction)
    at = one.acts[-1].at if one.acts else one.started_at
    ends = due(one, calendar)
    assume(ends is not None and at < ends.at)
    extended = extend(one, calendar, at=at, amount=more, by="chief", because="complicated")

    assert last_day(extended) >= last_day(one)
    if one.unit == "working_days":
        assert last_day(extended) > last_day(one)
