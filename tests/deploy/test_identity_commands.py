"""`crosswatch identity`: files of numbers are checked row by row, and nothing in one ends in a traceback."""

import csv
import gzip
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from deploy.cli import app

GOOD = "91110000600037341L"


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return CliRunner(env={"VAR_DIR": str(tmp_path)})


def checked(cli: CliRunner, source: Path, *options: str) -> tuple[Result, list[list[str]]]:
    out = source.parent / "out.csv"
    result = cli.invoke(app, ["identity", "check", "--input", str(source), "--out", str(out), *options])
    rows = list(csv.reader(out.read_text(encoding="utf-8").splitlines())) if out.exists() else []
    return result, rows


class TestCheck:
    def test_names_what_is_wrong_with_each_row(self, cli: CliRunner, tmp_path: Path) -> None:
        source = tmp_path / "firms.csv"
        source.write_bytes(
            f"name,uscc\nGood,{GOOD}\nWrong,{GOOD[:-1]}A\n\nOld,110105000000012\nShort\nEmpty,\n".encode()
            + b"Bytes,\xff\xfe\n"
            + f"Letters,{GOOD.replace('0', 'O')}\nWide,{GOOD.replace('1', '１')}\nMany,1,2,3\n".encode()
        )

        result, rows = checked(cli, source)

        assert result.exit_code == 0
        assert rows[0] == ["row", "verdict", "code"]
        assert rows[1:] == [
            ["0", "valid", ""],
            ["1", "invalid", "number_wrong_check_digit"],
            ["2", "invalid", "number_old_kind"],
            ["3", "invalid", "row_too_short"],
            ["4", "invalid", "number_missing"],
            ["5", "invalid", "not_utf8"],
            ["6", "invalid", "number_confusable_letter"],
            ["7", "invalid", "number_full_width"],
            ["8", "invalid", "row_too_long"],
        ]

    def test_takes_other_schemes_and_countries(self, cli: CliRunner, tmp_path: Path) -> None:
        source = tmp_path / "firms.csv"
        source.write_text(
            "Land,scheme,number\nBR,cnpj,16.727.230/0001-97\nDE,vat,DE136695976\nDE,vat,DE136695977\n"
            f",uscc,{GOOD}\nDE,crown,1\n"
        )

        result, rows = checked(cli, source, "--columns", "jurisdiction=Land")

        assert result.exit_code == 0
        assert [row[2] for row in rows[1:]] == ["", "", "number_wrong_check_digit", "", "scheme_unknown"]

    def test_reads_the_same_from_every_form(self, cli: CliRunner, tmp_path: Path) -> None:
        numbers = [GOOD, GOOD[:-1] + "A", None]
        pl.DataFrame({"uscc": numbers}).write_parquet(tmp_path / "a.parquet")
        (tmp_path / "b.parquet.gz").write_bytes(gzip.compress((tmp_path / "a.parquet").read_bytes()))
        pl.DataFrame({"uscc": numbers}).write_ndjson(tmp_path / "c.jsonl")
        (tmp_path / "d.csv.gz").write_bytes(gzip.compress(f"uscc,n\n{GOOD},1\n{GOOD[:-1]}A,2\n,3\n".encode()))

        for name in ("a.parquet", "b.parquet.gz", "c.jsonl", "d.csv.gz"):
            result, rows = checked(cli, tmp_path / name)

            assert result.exit_code == 0
            assert [row[2] for row in rows[1:]] == ["", "number_wrong_check_digit", "number_missing"], name

    def test_ends_in_a_sentence_where_it_cannot_go_on(self, cli: CliRunner, tmp_path: Path) -> None:
        whole = gzip.compress(b"uscc\n" + b"91110000600037341L\n" * 5_000)
        files = {
            "columns.csv": (b"name,number\na,1\n", "a column 'uscc', or 'scheme' and 'number', is needed"),
            "empty.csv": (b"", "empty"),
            "cut.csv.gz": (whole[: len(whole) // 2], "damaged or cut off"),
            "not.parquet": (b"no parquet", "parquet"),
            "what.xlsx": (b"PK", "to tell how to read it"),
        }
        for name, (content, words) in files.items():
            (tmp_path / name).write_bytes(content)

            result, _ = checked(cli, tmp_path / name)

            assert (result.exit_code, type(result.exception)) == (1, SystemExit), name
            assert words in result.output, name

    def test_asks_for_columns_in_their_form(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("uscc\n")

        result, _ = checked(cli, tmp_path / "a.csv", "--columns", "uscc")

        assert result.exit_code == 2
        assert "ours=theirs" in result.output


class TestRegistry:
    def test_needs_a_stack_that_has_run(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("number,name\n")
        options = ["--input", str(tmp_path / "a.csv"), "--jurisdiction", "cn", "--scheme", "uscc"]

        result = cli.invoke(app, ["identity", "registry", *options])

        assert result.exit_code == 1
        assert "no stack has run" in result.output

    def test_refuses_what_is_no_register(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("number,name\n")
        options = ["--input", str(tmp_path / "a.csv"), "--jurisdiction", "China", "--scheme", "uscc"]

        result = cli.invoke(app, ["identity", "registry", *options])

        assert result.exit_code == 2
        assert "--jurisdiction" in result.output
