"""The document of benchmarks: what was not measured again stays as it was."""

from benchmarks.results import Result, document


def test_rows_and_notes_of_other_runs_stay_where_they_are() -> None:
    first = document(
        [
            Result(name="a.b", value=5.0, unit="s", notes=["one", "two"]),
            Result(name="c.d_p99", value=7.0, unit="ms", notes=["of c"]),
        ]
    )

    second = document([Result(name="c.d_p99", value=8.0, unit="ms"), Result(name="e", value=None, unit="s")], first)

    rows = [line.split(" | ")[:2] for line in second.splitlines() if line.startswith("| `")]
    assert rows == [["| `a.b`", "5"], ["| `c.d_p99`", "8"], ["| `e`", "not measured: None"]]
    assert "## a.b\n\n- one\n- two\n" in second
    assert "of c" not in second
    assert document([], first) == first
