"""Declarations: what is read of them, what the past says of like goods, and how they are ranked."""

import sys
from copy import copy
from datetime import date, timedelta
from itertools import compress
from random import Random

import polars as pl
import pytest

from services.risk.declarations import LIKENESS, History, Outcomes, read, through_time
from services.risk.triage import Triage
from shared.errors import Invalid, Unavailable

WEEK = timedelta(days=7)
SAME_GOODS = 2 * list(LIKENESS).index("same_goods")


def raw(*rows: dict[str, str]) -> pl.DataFrame:
    usual = {"declaration_ref": "d", "lodged_on": "2026-03-01", "hs_code": "870899", "net_kg": "2.5", "value": "100"}
    return pl.DataFrame([{**usual, **row} for row in rows], schema_overrides=dict.fromkeys(usual, pl.String))


def declared(*rows: dict[str, str]) -> pl.DataFrame:
    frame, problems = read(raw(*rows), {})
    assert problems == []
    return frame


class TestRead:
    def test_knows_the_headers_of_the_published_data(self) -> None:
        headers = {"Declaration ID": "7", "Date": "2020-01-31", "HS6 Code": "30289", "Net Mass": "1", "Item Price": "2"}

        frame, problems = read(pl.DataFrame([headers]), {})

        assert problems == []
        assert frame["lodged_on"].to_list() == [date(2020, 1, 31)]
        assert frame["hs_code"].to_list() == ["030289"], "a spreadsheet took the zero away"

    def test_takes_names_that_the_user_gives(self) -> None:
        given = raw({}).rename({"net_kg": "mass"})

        frame, _ = read(given, {"net_kg": "mass"})

        assert frame["net_kg"].to_list() == [2.5]

    def test_names_the_column_that_is_missing(self) -> None:
        with pytest.raises(Invalid, match="no column for net_kg, value"):
            read(raw({}).drop("net_kg", "value"), {})

    @pytest.mark.parametrize("names", [{"mass": "net_kg"}, {"net_kg": "kilos"}])
    def test_refuses_names_that_mean_nothing(self, names: dict[str, str]) -> None:
        with pytest.raises(Invalid, match="--columns"):
            read(raw({}), names)

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("net_kg", "0"),
            ("net_kg", "-3"),
            ("net_kg", "nan"),
            ("net_kg", "inf"),
            ("net_kg", "heavy"),
            ("value", "-1"),
            ("hs_code", "87O899"),
            ("hs_code", "12345678901"),
            ("lodged_on", "31.01.2026"),
            ("lodged_on", "2026-02-30"),
        ],
    )
    def test_says_what_cannot_be_and_keeps_the_rest_of_the_row(self, column: str, value: str) -> None:
        frame, problems = read(raw({}, {column: value}), {})

        assert [(p.row, p.column) for p in problems] == [(1, column)]
        assert frame.row(1, named=True) == {**frame.row(0, named=True), column: None}

    def test_reads_a_file_without_rows(self) -> None:
        frame, problems = read(raw({}).clear(), {})

        assert (frame.height, problems) == (0, [])
        assert Triage().rank(frame, [], WEEK) == []


class TestHistory:
    def test_counts_an_outcome_from_the_day_it_is_known(self) -> None:
        days = ["2026-03-01", "2026-03-07", "2026-03-08", "2026-03-20"]
        frame = declared(*({"lodged_on": day} for day in days))

        described = through_time(frame, [True, False, None, None], History(), WEEK)

        assert described[:, SAME_GOODS].tolist() == [0, 0, 1, 2]

    def test_goes_by_the_day_and_not_by_the_order_of_rows(self) -> None:
        frame = declared({"lodged_on": "2026-03-20"}, {"lodged_on": "2026-03-01"})

        described = through_time(frame, [True, True], History(), WEEK)

        assert described[:, SAME_GOODS].tolist() == [1, 0]

    def test_does_not_count_what_was_lodged_the_same_day(self) -> None:
        frame = declared({}, {})

        described = through_time(frame, [True, True], History(), timedelta(0))

        assert described[:, SAME_GOODS].tolist() == [0, 0]

    def test_goes_on_from_one_file_to_the_next(self) -> None:
        history = History()
        through_time(declared({"lodged_on": "2026-03-01"}), [True], history, WEEK)

        described = through_time(
            declared({"lodged_on": "2026-03-05"}, {"lodged_on": "2026-03-08"}), [None] * 2, history, WEEK
        )

        assert described[:, SAME_GOODS].tolist() == [0, 1]

    def test_knows_nothing_of_what_it_cannot_compare(self) -> None:
        frame, _ = read(raw({}, {"net_kg": "0", "lodged_on": "2026-04-01"}), {})

        described = through_time(frame, [True, None], History(), WEEK)

        known = dict(zip(LIKENESS, described[1, ::2], strict=True))
        assert known["same_goods"] == 0
        assert known["same_heading_and_value"] == 1


def market(seed: int, days: int, start: date) -> tuple[pl.DataFrame, list[bool]]:
    """Return declarations of which those far below their heading's usual value are violations, all but a few."""
    random = Random(seed)
    rows, outcomes = [], []
    for at in range(days * 20):
        violated = random.random() < 0.2
        honest = violated == (random.random() < 0.99)
        per_kg = random.uniform(1, 4) if honest else random.uniform(5, 20)
        kilograms = random.uniform(1, 50)
        day = start + timedelta(days=at // 20)
        mass, value = f"{kilograms:.2f}", f"{kilograms * per_kg:.2f}"
        rows.append({"lodged_on": day.isoformat(), "net_kg": mass, "value": value, "hs_code": f"87089{at % 5}"})
        outcomes.append(violated)
    return declared(*rows), outcomes


@pytest.fixture(scope="module")
def trained() -> Triage:
    model = Triage()
    try:
        model.train(*market(1, 60, date(2026, 1, 1)), WEEK)
    except Unavailable as error:
        pytest.skip(str(error))
    return model


class TestTriage:
    def test_puts_first_what_is_like_earlier_violations(self, trained: Triage) -> None:
        frame, outcomes = market(2, 30, date(2026, 3, 10))

        ranked = trained.rank(frame, [None] * frame.height, WEEK)

        order = sorted(range(frame.height), key=lambda row: -ranked[row].score)
        top = order[: frame.height // 10]
        assert sum(outcomes[row] for row in top) / len(top) > 0.8
        assert all(0 <= one.score <= 1 for one in ranked)

    def test_gives_the_strongest_reasons_with_their_values(self, trained: Triage) -> None:
        frame, _ = market(2, 30, date(2026, 3, 10))

        first = max(trained.rank(frame, [None] * frame.height, WEEK))

        assert len(first.reasons) == 3
        assert first.reasons[0].startswith(("log_value_per_kg=", "above_hs"))

    def test_scores_goods_it_never_saw(self, trained: Triage) -> None:
        (one,) = trained.rank(declared({"hs_code": "010121"}), [None], WEEK)

        assert 0 <= one.score <= 1

    def test_ranks_by_what_was_found_where_there_is_no_model(self) -> None:
        first = {"lodged_on": "2026-03-01"}
        frame = declared(
            first, {**first, "value": "50"}, {"lodged_on": "2026-04-01"}, {"lodged_on": "2026-04-01", "value": "50"}
        )

        ranked = Triage().rank(frame, [True, False, None, None], WEEK)

        assert ranked[2].score > ranked[3].score
        assert all(one.reasons[0] == "no model" for one in ranked)

    def test_says_which_library_is_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class Missing:
            def find_spec(self, name: str, *_: object) -> None:
                if name == "lightgbm":
                    raise OSError("libgomp.so.1: cannot open shared object file")

        monkeypatch.delitem(sys.modules, "lightgbm", raising=False)
        monkeypatch.setattr(sys, "meta_path", [Missing(), *sys.meta_path])

        with pytest.raises(Unavailable, match=r"libgomp\.so\.1.*apt-get install libgomp1"):
            Triage().train(*market(1, 2, date(2026, 1, 1)), WEEK)

    def test_no_score_depends_on_an_outcome_that_is_not_known_yet(self, trained: Triage) -> None:
        frame, outcomes = market(3, 20, date(2026, 6, 1))
        others: Outcomes = [not outcome for outcome in outcomes]
        early = (frame["lodged_on"] < date(2026, 6, 8)).to_list()

        for seen, otherwise in ((Triage(), Triage()), (like(trained), like(trained))):
            scores = [one.score for one in seen.rank(frame, outcomes, WEEK)]
            changed = [one.score for one in otherwise.rank(frame, others, WEEK)]

            assert list(compress(scores, early)) == list(compress(changed, early))
            assert scores != changed


def like(trained: Triage) -> Triage:
    """Return a triage with the same model that remembers nothing."""
    other = copy(trained)
    other.history = History()
    return other
