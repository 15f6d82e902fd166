"""The command line: what it prints for people and programs, and how it refuses."""

import csv
import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from deploy.cli import app
from deploy.preflight import free_port
from deploy.tokens import ISSUER
from shared.auth import Role, TokenVerifier


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    for name in ("KAFKA_BOOTSTRAP", "DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    return CliRunner(env={"VAR_DIR": str(tmp_path)})


class TestToken:
    def test_prints_a_token_that_the_services_accept(self, cli: CliRunner, tmp_path: Path) -> None:
        result = cli.invoke(app, ["token", "platform", "--platform", "olist"])

        verifier = TokenVerifier(ISSUER, str(tmp_path / "keys" / "jwks.json"))
        caller = verifier.verify(result.stdout.strip())
        assert (caller.role, caller.platform_id) == (Role.PLATFORM, "olist")

    def test_asks_which_platform(self, cli: CliRunner) -> None:
        result = cli.invoke(app, ["token", "platform"])

        assert result.exit_code == 2
        assert "--platform ID" in result.output


class TestKeys:
    def test_can_be_rotated_and_the_older_dropped(self, cli: CliRunner) -> None:
        older = cli.invoke(app, ["keys", "list"]).stdout.split()[0]

        newer = cli.invoke(app, ["keys", "rotate"]).stdout.strip()
        dropped = cli.invoke(app, ["keys", "drop", older])

        assert dropped.exit_code == 0
        assert cli.invoke(app, ["keys", "list"]).stdout.split() == [newer, "signs"]


class TestUp:
    def test_refuses_in_a_sentence_and_not_with_a_traceback(self, cli: CliRunner) -> None:
        with socket.create_server(("127.0.0.1", free_port())) as taken:
            base = taken.getsockname()[1] - 1

            result = cli.invoke(app, ["up", "--port-base", str(base)])

        assert result.exit_code == 1
        # Its neighbours may be somebody's too.
        assert "crosswatch: these ports on 127.0.0.1 are taken:\n" in result.output
        assert f"\n  {base + 1} (identity): process" in result.output


class TestRun:
    def test_says_which_directory_holds_no_orders(self, cli: CliRunner, tmp_path: Path) -> None:
        result = cli.invoke(app, ["run", "--data", str(tmp_path)])

        assert result.exit_code == 1
        assert str(tmp_path) in result.output
        assert "Traceback" not in result.output


class TestInstitutions:
    def test_says_of_each_row_of_a_file_why_it_cannot_be_sent(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "rows.csv").write_text("institution_id,name,jurisdiction\na,A,CN,x\n")

        result = cli.invoke(app, ["risk", "institutions", "load", str(tmp_path / "rows.csv")])

        assert result.exit_code == 1
        assert "row 1: refused: it has more cells than the header\n0 of 1 rows" in result.output

    def test_says_that_the_stack_is_not_up(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "rows.jsonl").write_text('{"institution_id": "a"}\n')

        load = ["risk", "institutions", "load", str(tmp_path / "rows.jsonl"), "--port-base", str(free_port())]
        result = cli.invoke(app, load)

        assert result.exit_code == 1
        assert "is the stack up?" in result.output


DECLARED = "declaration_ref,lodged_on,hs_code,net_kg,value,found\n"


class TestDetect:
    def test_scores_every_row_of_a_file_in_its_order(self, cli: CliRunner, tmp_path: Path) -> None:
        rows = ["a,2026-03-01,870899,2,100,1", "b,2026-03-01,870899,2,50,0", "c,2026-04-01,870899,2,100,"]

        found = detected(cli, tmp_path, rows, "--label", "found")

        assert [row["id"] for row in found] == ["a", "b", "c"]
        assert float(found[2]["score"]) > float(found[1]["score"])
        assert found[2]["reasons"].startswith("no model; same_goods: 1 inspections")

    def test_looks_at_no_outcome_unless_told_which(self, cli: CliRunner, tmp_path: Path) -> None:
        rows = ["a,2026-03-01,870899,2,100,{}", "b,2026-04-01,870899,2,100,{}"]

        with_violations = detected(cli, tmp_path, [row.format(1) for row in rows])
        without = detected(cli, tmp_path, [row.format(0) for row in rows])

        assert with_violations == without

    def test_names_what_is_wrong_with_a_value_and_scores_the_row(self, cli: CliRunner, tmp_path: Path) -> None:
        found = detected(cli, tmp_path, ["a,2026-03-01,870899,-2,100,", "b,2026-03-01,870899,2,100,"])

        assert [row["id"] for row in found] == ["a", "b"]
        assert "row 1, net_kg: '-2' is not a mass above 0 kg" in cli.invoke(app, command(tmp_path)).output

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            (["--label", "fraud"], "--label fraud: there is no such column"),
            (["--label", "value"], "--label value: '100' in row 1 is not 0 or 1"),
            (["--columns", "net_kg=kilos"], "--columns net_kg=kilos: there is no such column"),
            (["--columns", "net_kg"], "is not ours=theirs"),
            (["--feedback-delay", "soon"], "is not a number of days"),
            (["--train", "missing.csv", "--label", "found"], "missing.csv"),
        ],
    )
    def test_refuses_what_it_cannot_do(self, cli: CliRunner, tmp_path: Path, options: list[str], said: str) -> None:
        (tmp_path / "in.csv").write_text(DECLARED + "a,2026-03-01,870899,2,100,1\n")

        result = cli.invoke(app, [*command(tmp_path), *options], env={"COLUMNS": "200"})

        assert result.exit_code in {1, 2}
        assert said in result.output


class TestDetectOthers:
    def test_scores_each_account_of_a_file_of_transfers(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text("from,to,amount\na,b,5\nb,c,7\na,c,much\n")

        result = cli.invoke(app, [*command(tmp_path, "transfers"), "--columns", "source=from,target=to"])

        assert result.exit_code == 0, result.output
        assert "row 3, amount: 'much' is not an amount from 0" in result.output
        assert (tmp_path / "out.csv").read_text().splitlines()[0] == "id,score,reasons"
        assert sorted(line.split(",")[0] for line in (tmp_path / "out.csv").read_text().splitlines()[1:]) == list("abc")

    def test_scores_the_orders_of_a_file_and_the_shops_beside(self, cli: CliRunner, tmp_path: Path) -> None:
        rows = [f"o{n},s{n % 7},b{n},2026-01-{n % 28 + 1:02} 10:00:00" for n in range(60)]
        rows += [f"p{n},s9,b{n % 2},2026-01-05T10:0{n}:00Z" for n in range(8)]
        (tmp_path / "in.csv").write_text("\n".join(["order_id,shop,buyer_ref,time", *rows, "q,s1,b1,soon"]) + "\n")

        result = cli.invoke(app, [*command(tmp_path, "orders"), "--columns", "shop_ref=shop"])

        assert result.exit_code == 0, result.output
        assert "row 69, time: 'soon' is not a time" in result.output
        with (tmp_path / "out.csv").open(newline="") as file:
            orders = {row["id"]: row for row in csv.DictReader(file)}
        assert len(orders) == 69
        assert min(float(orders[f"p{n}"]["score"]) for n in range(8)) > max(
            float(orders[f"o{n}"]["score"]) for n in range(60)
        )
        assert orders["q"]["reasons"] == "could not be read"
        with (tmp_path / "out.csv.shops.csv").open(newline="") as file:
            shops = list(csv.DictReader(file))
        assert len(shops) == 8
        worst = max(shops, key=lambda row: float(row["score"]))
        assert (worst["id"], worst["reasons"][:36]) == ("s9", "8 orders by 2 buyers within an hour ")

    def test_scores_each_rater_of_a_file_of_ratings(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text(
            "rater,target,rating,time\na,b,5,2026-01-01\na,c,1,2026-01-02T10:00:00Z\nb,c,1,0\n"
        )

        result = cli.invoke(app, command(tmp_path, "ratings"))

        assert result.exit_code == 0, result.output
        assert "2 scored (no labels)" in result.output

    def test_scores_each_review_by_the_columns_there_are(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text("user,asin,rating\na,p,5\nb,p,5\nb,q,5\nb,r,4\nc,p,bad\n")

        result = cli.invoke(app, [*command(tmp_path, "reviews"), "--columns", "product=asin"])

        assert result.exit_code == 0, result.output
        assert "row 5, rating: 'bad' is not a number" in result.output
        assert "no labels, nothing of date, review_prior, reviewer_prior, text" in " ".join(result.output.split())
        with (tmp_path / "out.csv").open(newline="") as file:
            assert [row["id"] for row in csv.DictReader(file)] == ["0", "1", "2", "3", "4"]

    @pytest.mark.parametrize("options", [[], ["--train", "earlier.csv"]])
    def test_learns_from_labels_of_reviews(self, cli: CliRunner, tmp_path: Path, options: list[str]) -> None:
        for name in ("in", "earlier"):
            rows = [
                f"r{n},{f'{name}{n % 50}' if n % 3 else f'new-{name}{n}'},p{n % 7},{int(n % 3 == 0)}"
                for n in range(300)
            ]
            (tmp_path / f"{name}.csv").write_text("review_id,user,product,fake\n" + "\n".join(rows))
        earlier = [str(tmp_path / one) if one.endswith(".csv") else one for one in options]

        result = cli.invoke(app, [*command(tmp_path, "reviews"), "--label", "fake", *earlier])

        assert result.exit_code == 0, result.output
        assert ("by the labels of earlier.csv" if options else "each unseen by the model") in result.output
        with (tmp_path / "out.csv").open(newline="") as file:
            first = sorted(csv.DictReader(file), key=lambda row: -float(row["score"]))[:100]
        assert sum(int(row["id"][1:]) % 3 == 0 for row in first) > 80

    def test_scores_a_file_without_reviews(self, cli: CliRunner, tmp_path: Path) -> None:
        (tmp_path / "in.csv").write_text("reviewer,product,rating,date,text\n")

        result = cli.invoke(app, command(tmp_path, "reviews"))

        assert result.exit_code == 0, result.output
        assert (tmp_path / "out.csv").read_text().splitlines() == ["id,score,reasons"]

    def test_scores_transactions_by_those_of_an_earlier_file(self, cli: CliRunner, tmp_path: Path) -> None:
        header = "id,time,source,target,amount\n"
        (tmp_path / "earlier.csv").write_text(header + "".join(f"{n},{n},a,t,10\n" for n in range(20)))
        (tmp_path / "in.csv").write_text(header + "x,100,a,t,10\ny,101,a,t,99\n")

        result = cli.invoke(app, [*command(tmp_path, "transactions"), "--train", str(tmp_path / "earlier.csv")])

        assert result.exit_code == 0, result.output
        with (tmp_path / "out.csv").open(newline="") as file:
            x, y = csv.DictReader(file)
        assert (x["id"], y["id"]) == ("x", "y")
        assert float(y["score"]) > float(x["score"])
        assert y["reasons"].startswith("amount=99, 9")

    def test_uses_further_columns_of_transactions_but_never_the_outcome(self, cli: CliRunner, tmp_path: Path) -> None:
        bad = [n % 3 == 2 and n % 10 != 7 for n in range(4000)]
        rows = [
            f"{n},{n * 900},a{n % 9},t{n % 5},10,{'xyz'[n % 3]},{int(is_bad)},EUR,{n % 2 + 1 if is_bad else 0}"
            for n, is_bad in enumerate(bad)
        ]
        (tmp_path / "in.csv").write_text("id,time,source,target,amount,kind,bad,currency,detail\n" + "\n".join(rows))

        result = cli.invoke(app, [*command(tmp_path, "transactions"), "--label", "bad"])

        assert result.exit_code == 0, result.output
        said = "4,000 scored (by outcomes known then, with kind, without detail, which tells the outcome)"
        assert said in " ".join(result.output.split())
        with (tmp_path / "out.csv").open(newline="") as file:
            late = [row for row in csv.DictReader(file) if int(row["id"]) > 3000]
        first = sorted(late, key=lambda row: -float(row["score"]))[:300]
        assert all(int(row["id"]) % 3 == 2 for row in first)
        assert "column kind" in first[0]["reasons"]

    @pytest.mark.parametrize(
        ("kind", "options", "said"),
        [
            ("transactions", ["--label", "bad"], "no column for source, amount"),
            ("ratings", ["--label", "bad"], "'a' is labelled 0 and 1"),
            ("ratings", ["--label", "good"], "1 raters are labelled 1; it takes 10"),
            ("ratings", ["--train", "in.csv"], "--train is not for ratings"),
            ("reviews", ["--columns", "reviewer=rater"], "no column for product"),
            (
                "reviews",
                ["--columns", "reviewer=rater,product=target", "--train", "in.csv"],
                "--train is not for reviews",
            ),
            (
                "reviews",
                ["--columns", "reviewer=rater,product=target", "--label", "bad"],
                "1 reviews are labelled 1; it takes 5",
            ),
            ("transfers", ["--label", "bad"], "--label is not for transfers"),
        ],
    )
    def test_refuses_what_it_cannot_learn_from(
        self, cli: CliRunner, tmp_path: Path, kind: str, options: list[str], said: str
    ) -> None:
        (tmp_path / "in.csv").write_text("rater,target,rating,time,bad,good\na,b,5,0,0,1\na,c,1,9,1,1\n")

        result = cli.invoke(app, [*command(tmp_path, kind), *options])

        assert result.exit_code == 1
        assert said in result.output


def command(directory: Path, kind: str = "declarations") -> list[str]:
    return ["detect", kind, "--input", str(directory / "in.csv"), "--out", str(directory / "out.csv")]


def detected(cli: CliRunner, directory: Path, rows: list[str], *options: str) -> list[dict[str, str]]:
    (directory / "in.csv").write_text(DECLARED + "\n".join(rows))
    result = cli.invoke(app, [*command(directory), *options])
    assert result.exit_code == 0, result.output
    with (directory / "out.csv").open(newline="") as file:
        return list(csv.DictReader(file))
