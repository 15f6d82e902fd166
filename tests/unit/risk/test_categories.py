"""Further columns of a file as categories."""

import polars as pl
import pytest

from services.risk.categories import bounded, codes, further, telling, words
from services.risk.tables import Column

COLUMNS = {"amount": Column(pl.Float64, ("value",), "How much")}


class TestFurther:
    def test_keeps_what_is_no_column_of_ours_not_constant_and_names_no_row(self) -> None:
        raw = pl.DataFrame(
            {
                "value": list("1212121212"),
                "kind": list("aabbaabbab"),
                "note": list("abcdefghij"),
                "currency": ["EUR"] * 10,
            }
        )

        assert further(raw, COLUMNS, {}).columns == ["kind"]

    def test_takes_a_column_that_is_named_as_ours_for_none_of_them(self) -> None:
        raw = pl.DataFrame({"sum": list("1212"), "value": list("abab")})

        assert further(raw, COLUMNS, {"amount": "sum"}).columns == ["value"]

    @pytest.mark.parametrize("rows", [0, 1])
    def test_is_content_with_few_rows(self, rows: int) -> None:
        assert further(pl.DataFrame({"value": ["1"] * rows, "kind": ["a"] * rows}), COLUMNS, {}).columns == []


class TestCodes:
    def test_are_numbers_in_the_order_of_first_coming(self) -> None:
        assert codes(pl.Series(["b", None, "a", "b"])).tolist() == [1, 0, 2, 1]

    def test_are_bounded_and_all_have_words(self) -> None:
        texts = pl.Series("kind", [f"t{n}" for n in range(500)] + [None])

        of_each = [words(texts.to_frame())["kind"][code] for code in bounded(codes(texts)).tolist()]

        assert of_each[:200] == texts[:200].to_list()
        assert set(of_each[200:500]) == {"another"}
        assert of_each[500] == "unknown"


class TestTelling:
    def test_names_a_column_that_is_a_detail_of_the_outcome(self) -> None:
        outcomes = [n % 10 == 0 for n in range(1_000)]
        kinds = [str(1 + n % 3) if bad else "0" for n, bad in enumerate(outcomes)]
        useful = ["abroad" if bad and n % 20 else "home" for n, bad in enumerate(outcomes)]

        told = telling(pl.DataFrame({"kind": kinds, "place": useful}), outcomes)

        assert told == ["kind"]

    def test_leaves_columns_of_many_texts_and_of_few_outcomes_alone(self) -> None:
        outcomes = [n % 10 == 0 for n in range(1_000)]
        devices = [f"device {n // 2}" for n in range(1_000)]

        assert telling(pl.DataFrame({"device": devices}), outcomes) == []
        assert telling(pl.DataFrame({"kind": ["1", "0", "0"]}), [True, False, None]) == []
