"""Accounts: money against habits, and pairs that come back."""

from random import Random

import polars as pl
import pytest

from services.risk.accounts import rank, read
from shared.errors import Invalid

Transfer = tuple[str, str, float]


def transfers(rows: list[Transfer]) -> pl.DataFrame:
    raw = pl.DataFrame({"src": [r[0] for r in rows], "dst": [r[1] for r in rows], "amount": [str(r[2]) for r in rows]})
    frame, problems = read(raw, {})
    assert problems == []
    return frame


def trade(seed: int) -> list[Transfer]:
    """Return transfers of a hundred accounts that each always pay the same amount to whomever."""
    random = Random(seed)
    amounts = {f"a{n}": round(random.uniform(50, 500), 2) for n in range(100)}
    return [(payer, f"a{random.randrange(100)}", amount) for payer, amount in amounts.items() for _ in range(8)]


class TestRank:
    def test_finds_who_collects_unusual_amounts(self) -> None:
        collected = [(f"a{n}", "collector", 9.99) for n in range(0, 40, 2)]

        ranked = rank(transfers(trade(1) + collected))

        assert ranked["collector"].score > 0.95
        assert ranked["collector"].reasons[0].startswith("20 transfers out or in are not what their payer usually pays")

    def test_finds_a_circle_of_passed_on_money(self) -> None:
        circle = ["a3", "a17", "a42", "a3"]
        passed = [
            (a, b, 3_000.0 * 0.95**n)
            for n, (a, b) in enumerate(zip(circle * 2, circle[1:] * 2, strict=False))
            if a != b
        ]

        ranked = rank(transfers(trade(2) + passed))

        assert all(ranked[account].score > 0.95 for account in circle)

    def test_scores_every_account_once_whichever_side_it_is_on(self) -> None:
        ranked = rank(transfers([("payer", "payee", 5.0)]))

        assert sorted(ranked) == ["payee", "payer"]

    def test_does_not_depend_on_the_order_of_rows(self) -> None:
        rows = [*trade(3), ("a1", "a2", 7.0)]

        assert rank(transfers(rows)) == rank(transfers(rows[::-1]))

    def test_leaves_payers_without_habits_alone(self) -> None:
        random = Random(4)
        free = [("free", f"a{n}", random.lognormvariate(4, 1)) for n in range(30)]
        fixed = [("fixed", f"b{n}", 55.0) for n in range(27)] + [("fixed", f"b{n}", 900.0) for n in range(27, 30)]

        ranked = rank(transfers(free + fixed))

        assert ranked["fixed"].score > ranked["free"].score


class TestRead:
    @pytest.mark.parametrize("amount", ["-1", "nan", "inf", "much"])
    def test_says_which_amount_cannot_be_and_keeps_the_transfer(self, amount: str) -> None:
        raw = pl.DataFrame({"source": ["a", "a"], "target": ["b", "b"], "amount": ["5", amount]})

        frame, problems = read(raw, {})

        assert [(p.row, p.column) for p in problems] == [(1, "amount")]
        assert len(rank(frame)) == 2

    def test_names_what_is_missing(self) -> None:
        with pytest.raises(Invalid, match="no column for target, amount"):
            read(pl.DataFrame({"source": ["a"]}), {})
