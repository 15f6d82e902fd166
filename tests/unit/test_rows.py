"""Files of users: every row is counted, and bytes of any kind end in rows or in a sentence."""

import gzip
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from deploy.commands.rows import Rows, Unreadable

SUFFIXES = (".csv", ".tsv", ".jsonl", ".csv.gz", ".jsonl.gz", ".parquet")


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=400), st.sampled_from(SUFFIXES))
@example(b'a,b\n"x', ".csv")
@example(b'{"a": ' + b"[" * 100_000, ".jsonl")
@example(gzip.compress(b"a,b\n1,2\n")[:-9], ".csv.gz")
@example(b"PAR1\x00\x00PAR1", ".parquet")
def test_no_bytes_end_in_a_traceback(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"rows{suffix}"
    path.write_bytes(content)

    with suppress(Unreadable):
        Rows(path).columns()
        numbers = [row.number for row in Rows(path)]
        assert numbers == list(range(len(numbers)))


def test_a_name_that_says_no_form_is_refused(tmp_path: Path) -> None:
    (tmp_path / "rows.xlsx").write_bytes(b"PK")

    with pytest.raises(Unreadable, match="to tell how to read it"):
        Rows(tmp_path / "rows.xlsx")
