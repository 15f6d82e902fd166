"""Tables: values of one column that are written in several ways."""

import polars as pl

from services.risk.tables import MOMENT, Column, read

_TIME = {"time": Column(MOMENT, (), "When", is_moment=True)}


class TestRead:
    def test_knows_each_moment_in_the_form_it_has(self) -> None:
        stated = [
            "2024-05-01 10:00:00",
            "2024-05-01T10:00:00Z",
            "2024-05-01T18:00:00.5+08:00",
            "2024-05-01T10:00",
            "2024-05-01",
            "1714557600",
            "soon",
            "",
        ]

        table, problems = read(pl.DataFrame({"time": stated}), _TIME, {}, {})

        at = 1_714_557_600.0
        assert table["time"].to_list() == [at, at, at + 0.5, at, at - 36_000, at, None, None]
        assert [(one.row, one.column) for one in problems] == [(6, "time")]
