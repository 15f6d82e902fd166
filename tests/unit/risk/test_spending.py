"""Transactions by their past: habits, what was found at a place, and nothing that was not known yet."""

from datetime import timedelta
from itertools import compress
from random import Random

import numpy as np
import polars as pl
import pytest

from services.risk import boosting
from services.risk.declarations import Outcomes
from services.risk.spending import FEATURES, describe, in_order, rank, read
from shared.errors import Unavailable

DAY = 86_400
WEEK = timedelta(days=7)
Row = tuple[float, str, str, float]


def table(rows: list[Row], **further: list[str]) -> pl.DataFrame:
    columns = {name: [str(row[i]) for row in rows] for i, name in enumerate(("time", "source", "target", "amount"))}
    frame, problems = read(pl.DataFrame({**columns, **further}), {})
    assert problems == []
    return frame


def described(rows: list[Row], outcomes: list[int]) -> dict[str, list[float]]:
    ordered = in_order(table(rows))
    matrix = describe(ordered, np.array(outcomes, dtype=np.int8)[ordered.rows], WEEK)
    return {name: matrix[:, i].tolist() for i, name in enumerate(FEATURES)}


class TestDescribe:
    def test_compares_an_amount_with_what_its_payer_paid_before(self) -> None:
        found = described([(0, "a", "t", 9), (1, "a", "t", 9), (2, "b", "t", 9), (3, "a", "t", 90)], [-1] * 4)

        assert found["times_usual"] == [0, 0.9, 0, 9]
        assert found["recent_excess"][3] == 0, "it counts for the next one"

    def test_one_large_amount_does_not_become_a_habit(self) -> None:
        rows = [(float(n), "a", "t", 10.0) for n in range(20)]
        before = described([*rows, (30, "a", "t", 50)], [-1] * 21)["times_usual"][-1]
        after = described([*rows, (25, "a", "t", 5_000), (30, "a", "t", 50)], [-1] * 22)["times_usual"][-1]

        assert after > 0.9 * before

    def test_counts_an_outcome_at_its_place_once_it_is_known(self) -> None:
        rows: list[Row] = [(day * DAY, "a", "t", 5) for day in (0, 6.9, 7, 7.1)]

        found = described(rows, [1, -1, -1, -1])

        assert [n > 0 for n in found["target_known_7d"]] == [False, False, True, True]
        assert [n < 400 for n in found["target_days_since_fraud"]] == [False, False, True, True]

    def test_goes_by_time_and_not_by_the_order_of_rows(self) -> None:
        rows: list[Row] = [(float(n * DAY), f"c{n % 3}", f"t{n % 4}", n + 1.0) for n in range(40)]
        outcomes = [n % 5 == 0 for n in range(40)]

        forwards = [one.score for one in rank(table(rows), outcomes, WEEK)]
        backwards = [one.score for one in rank(table(rows[::-1]), outcomes[::-1], WEEK)]

        assert forwards == backwards[::-1]


def market(seed: int, days: int) -> tuple[list[Row], list[bool]]:
    """Return transactions of which some places are taken over for two weeks: half of what is paid there is fraud."""
    random = Random(seed)
    rows: list[Row] = []
    frauds = []
    for at in range(days * 100):
        time, place = at / 100 * DAY, random.randrange(40)
        rows.append((time, f"c{random.randrange(50)}", f"t{place}", random.uniform(5, 50)))
        frauds.append((time // (14 * DAY)) % 10 == place % 10 and random.random() < 0.5)
    return rows, frauds


class TestRank:
    def test_puts_an_unusual_amount_among_the_first_without_outcomes(self) -> None:
        rows, _ = market(1, 20)
        rows[1_950] = (*rows[1_950][:3], 900.0)

        ranked = rank(table(rows), [None] * len(rows), WEEK)

        assert 1_950 in sorted(range(1_400, 2_000), key=lambda row: -ranked[row].score)[:6]
        assert ranked[1_950].reasons[0].startswith("amount=900, ")

    def test_learns_from_outcomes_where_fraud_goes_on(self) -> None:
        _need_lightgbm()
        rows, frauds = market(2, 70)

        ranked = rank(table(rows), frauds, WEEK)

        late = range(5_600, 7_000)
        first = sorted(late, key=lambda row: -ranked[row].score)[:50]
        assert sum(frauds[row] for row in first) / 50 > 3 * sum(frauds[row] for row in late) / len(late)
        assert len(ranked[first[0]].reasons) == 3

    def test_learns_from_further_columns_and_says_what_they_say(self) -> None:
        _need_lightgbm()
        rows, _ = market(6, 70)
        kinds = [Random(n).choice(["grocer", "petrol", 'cards, "gift"']) for n in range(len(rows))]
        frauds = [kind.startswith("cards") and n % 3 == 0 for n, kind in enumerate(kinds)]

        with_kinds = rank(table(rows, kind=kinds), frauds, WEEK)
        without = rank(table(rows), frauds, WEEK)

        late = range(5_600, 7_000)
        first, others = (sorted(late, key=lambda row: -ranked[row].score)[:400] for ranked in (with_kinds, without))
        assert sum(kinds[row].startswith("cards") for row in first) > 390
        assert sum(kinds[row].startswith("cards") for row in others) < 250
        assert 'column kind=cards, "gift" (+' in " ".join(with_kinds[first[0]].reasons)

    def test_looks_at_no_further_column_without_outcomes(self) -> None:
        rows, _ = market(7, 10)
        nothing: Outcomes = [None] * len(rows)

        assert rank(table(rows, kind=["a", "b"] * 500), nothing, WEEK) == rank(table(rows), nothing, WEEK)

    def test_no_score_depends_on_an_outcome_that_is_not_known_yet(self) -> None:
        _need_lightgbm()
        rows, frauds = market(3, 35)
        until = 28 * DAY
        others: Outcomes = [
            fraud if row[0] < until - 7 * DAY else not fraud for row, fraud in zip(rows, frauds, strict=True)
        ]

        kinds = [f"kind{n % 7}" for n in range(len(rows))]
        scores = [one.score for one in rank(table(rows, kind=kinds), frauds, WEEK)]
        changed = [one.score for one in rank(table(rows, kind=kinds), others, WEEK)]

        early = [row[0] < until for row in rows]
        assert list(compress(scores, early)) == list(compress(changed, early))
        assert scores != changed

    def test_scores_only_what_is_asked_for_and_knows_what_was_before(self) -> None:
        rows, _ = market(4, 20)

        everything = rank(table(rows), [None] * len(rows), WEEK)
        asked = rank(table(rows), [None] * len(rows), WEEK, since=1_400)

        assert [one.score for one in asked] == [one.score for one in everything[1_400:]]

    def test_keeps_a_place_for_what_it_cannot_read(self) -> None:
        raw = pl.DataFrame(
            {"time": ["1", "soon", "3"], "source": ["a"] * 3, "target": ["t"] * 3, "amount": ["1", "2", "x"]}
        )

        frame, problems = read(raw, {})
        ranked = rank(frame, [None] * 3, WEEK)

        assert [(p.row, p.column) for p in problems] == [(1, "time"), (2, "amount")]
        assert [one.reasons == ["could not be read"] for one in ranked] == [False, True, True]
        assert frame["transaction_ref"].to_list() == ["1", "2", "3"]

    @pytest.mark.parametrize("rows", [0, 1])
    def test_is_content_with_few_rows(self, rows: int) -> None:
        frame = table([(1, "a", "t", 5.0)] * rows) if rows else table([(1, "a", "t", 5.0)]).clear()

        assert len(rank(frame, [None] * rows, WEEK)) == rows


def _need_lightgbm() -> None:
    try:
        boosting.load()
    except Unavailable as error:
        pytest.skip(str(error))
