"""Which value applies on a day: the newest, the strictest, and the same for an old case as then."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.rule_values import EVERYWHERE, Incomparable, NoSuchRule, RuleBook, Value, unions_of

DAY = date(2026, 3, 1)
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def value(number: float, **stated: object) -> Value:
    known = {
        "name": "notice",
        "jurisdiction": EVERYWHERE,
        "valid_from": date(2020, 1, 1),
        "valid_to": None,
        "unit": "days",
        "source": "an article",
        "stricter": "higher",
    }
    return Value(value=number, **(known | stated))  # type: ignore[arg-type]  # a test may state anything


class TestApply:
    def test_gives_the_latest_that_holds(self) -> None:
        book = RuleBook([value(7), value(10, valid_from=date(2025, 1, 1)), value(30, valid_from=date(2027, 1, 1))])

        assert book.apply("notice", on=DAY).value.value == 10
        assert book.apply("notice", on=date(2024, 12, 31)).value.value == 7

    def test_returns_to_what_held_before_when_a_value_ends(self) -> None:
        book = RuleBook([value(7), value(10, valid_from=date(2025, 1, 1), valid_to=date(2026, 1, 1))])

        assert book.apply("notice", on=date(2025, 12, 31)).value.value == 10
        assert book.apply("notice", on=date(2026, 1, 1)).value.value == 7

    def test_says_which_gave_way(self) -> None:
        book = RuleBook([value(7), value(15, jurisdiction="EU"), value(10, jurisdiction="DE")])

        in_germany = book.apply("notice", on=DAY, jurisdiction="DE")
        in_china = book.apply("notice", on=DAY, jurisdiction="CN")

        assert in_germany.value.jurisdiction == "EU"
        assert [v.jurisdiction for v in in_germany.gave_way] == ["DE", "*"]
        assert (in_china.value.value, in_china.gave_way) == (7, ())

    def test_asks_for_less_where_lower_is_stricter(self) -> None:
        book = RuleBook([value(45, stricter="lower"), value(60, jurisdiction="CN", stricter="lower")])

        assert book.apply("notice", on=DAY, jurisdiction="CN").value.value == 45

    def test_refuses_to_guess(self) -> None:
        undirected = RuleBook([value(7, stricter=None), value(8, jurisdiction="CN", stricter=None)])
        units = RuleBook([value(7), value(8, jurisdiction="CN", unit="months")])

        for book in (undirected, units):
            with pytest.raises(Incomparable, match="notice"):
                book.apply("notice", on=DAY, jurisdiction="CN")
            assert book.apply("notice", on=DAY).value.value == 7

    def test_names_what_it_does_not_know(self) -> None:
        book = RuleBook([value(7)])

        with pytest.raises(NoSuchRule, match="'notise'"):
            book.apply("notise", on=DAY)
        with pytest.raises(NoSuchRule, match="2019-12-31"):
            book.apply("notice", on=date(2019, 12, 31))

    def test_keeps_what_was_known_before_a_revision(self) -> None:
        first = value(7, recorded_at=NOON - timedelta(days=1))
        book = RuleBook([first, value(9, revision=2, recorded_at=NOON)])

        assert book.apply("notice", on=DAY).value.value == 9
        assert book.apply("notice", on=DAY, known_at=NOON - timedelta(hours=1)).value == first


def test_members_of_a_union_are_dated() -> None:
    assert unions_of("HR", date(2013, 6, 30)) == ()
    assert unions_of("HR", date(2013, 7, 1)) == ("EU",)
    assert unions_of("GB", date(2020, 1, 31)) == ("EU",)
    assert unions_of("GB", date(2020, 2, 1)) == ()


DAYS = st.dates(date(2015, 1, 1), date(2030, 1, 1))
VALUES = st.builds(
    lambda number, where, since, length: value(
        number, jurisdiction=where, valid_from=since, valid_to=since + timedelta(days=length) if length else None
    ),
    st.integers(0, 20),
    st.sampled_from(["*", "CN", "DE", "EU"]),
    DAYS,
    st.integers(0, 900),
)


@given(st.lists(VALUES, max_size=12), DAYS, st.sampled_from(["CN", "DE", "FR"]), st.booleans())
def test_the_stricter_always_wins(values: list[Value], day: date, country: str, higher: bool) -> None:  # noqa: FBT001
    directed = [v._replace(stricter="higher" if higher else "lower") for v in values]
    book = RuleBook(directed)
    own = []
    for scope in dict.fromkeys((country, *unions_of(country, day), "*")):
        try:
            own.append(
                RuleBook(v for v in directed if v.jurisdiction == scope).apply("notice", on=day, jurisdiction=scope)
            )
        except NoSuchRule:
            continue

    if not own:
        with pytest.raises(NoSuchRule):
            book.apply("notice", on=day, jurisdiction=country)
        return
    found = book.apply("notice", on=day, jurisdiction=country)

    assert found.value.value == (max if higher else min)(one.value.value for one in own)
    assert len(found.gave_way) == len(own) - 1


@given(st.lists(VALUES, min_size=1, max_size=12), VALUES, DAYS)
def test_what_is_added_later_changes_no_earlier_day(values: list[Value], later: Value, day: date) -> None:
    added = later._replace(valid_from=day + timedelta(days=1), valid_to=None, revision=99)

    for where in ("CN", "DE", "*"):
        before, after = RuleBook(values).on(day, where), RuleBook([*values, added]).on(day, where)
        assert before == after


@given(st.lists(VALUES, min_size=1, max_size=12), VALUES, DAYS)
def test_what_was_known_then_is_what_a_replay_uses(values: list[Value], later: Value, day: date) -> None:
    known = [v._replace(recorded_at=NOON) for v in values]
    recorded = later._replace(recorded_at=NOON + timedelta(days=1), revision=99)

    for where in ("CN", "DE"):
        try:
            before = RuleBook(known).apply("notice", on=day, jurisdiction=where, known_at=NOON)
        except NoSuchRule:
            continue
        assert RuleBook([*known, recorded]).apply("notice", on=day, jurisdiction=where, known_at=NOON) == before
