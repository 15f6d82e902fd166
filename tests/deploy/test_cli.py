"""The command line: what it prints for people and programs, and how it refuses."""

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
        assert f"crosswatch: these ports on 127.0.0.1 are taken:\n  {base + 1} (identity): process" in result.output


class TestRun:
    def test_says_which_directory_holds_no_orders(self, cli: CliRunner, tmp_path: Path) -> None:
        result = cli.invoke(app, ["run", "--data", str(tmp_path)])

        assert result.exit_code == 1
        assert str(tmp_path) in result.output
        assert "Traceback" not in result.output
