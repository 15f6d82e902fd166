"""The registry of payment institutions from files: what becomes of each row, over risk's own door."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from typer.testing import CliRunner

from deploy.cli import app
from deploy.layout import Ports
from tests.contracts.test_openapi import listening
from tests.services.doors import OpenService, Service

HEADER = "institution_id,name,jurisdiction,scheme,number,authority,certified_from,channel,channel_from\n"
ROWS = """\
pay,Pay Ltd,CN,licence,1,PBC,2020-01-01,alipay,2020-01-01
pay,,,,,,,card,2021-01-01
pay,,,,,,,card,
stranger,,,licence,2,PBC,2020-01-01,,
pay,,,,,,,card,2021-01-01
"""


class Desk:
    """Loads files into a running risk service with the keys it trusts."""

    def __init__(self, service: Service, url: str, var: Path) -> None:
        self.service = service
        (var / "keys").symlink_to(Path(service.settings.auth_jwks).parent)
        self._base = int(url.rpartition(":")[2]) - Ports(0).of("risk")
        self._var = var

    async def load(self, name: str, content: str) -> tuple[int, list[str]]:
        """Return the exit status and the lines that were printed."""
        file = self._var / name
        file.write_text(content, encoding="utf-8")
        command = ["risk", "institutions", "load", str(file), "--port-base", str(self._base)]
        result = await asyncio.to_thread(CliRunner(env={"VAR_DIR": str(self._var)}).invoke, app, command)
        return result.exit_code, result.stdout.splitlines()


@pytest_asyncio.fixture
async def desk(open_service: OpenService, tmp_path: Path) -> AsyncIterator[Desk]:
    service = await open_service("risk")
    async with listening(service) as url:
        yield Desk(service, url, tmp_path)


class TestLoad:
    async def test_answers_every_row_and_keeps_the_good_ones(self, desk: Desk) -> None:
        status, lines = await desk.load("rows.csv", HEADER + ROWS)

        assert status == 1
        assert lines == [
            "row 1: recorded",
            "row 2: recorded",
            "row 3: refused: channel_from is missing beside channel at /channel_from",
            "row 4: refused: no payment institution 'stranger' in the registry at /institution_id",
            "row 5: unchanged",
            "3 of 5 rows stand in the registry",
        ]
        shown = (await desk.service.get("/v1/institutions/pay")).json()
        assert [one["channel"] for one in shown["channels"]] == ["alipay", "card"]

    async def test_reads_lines_of_json_and_says_which_are_none(self, desk: Desk) -> None:
        named = '{"institution_id": "支付", "name": "支付宝", "jurisdiction": "CN"}'

        status, lines = await desk.load("rows.jsonl", f"{named}\n[1]\n\n{{\n{named}\n")

        assert status == 1
        assert [line.partition(": ")[2].partition(":")[0] for line in lines[:4]] == [
            "recorded", "refused", "refused", "unchanged"
        ]  # fmt: skip
        assert (await desk.service.get("/v1/institutions/支付")).json()["name"] == "支付宝"

    async def test_ends_well_where_all_rows_stand(self, desk: Desk) -> None:
        status, lines = await desk.load("rows.csv", HEADER + ROWS.splitlines()[0])

        assert (status, lines[-1]) == (0, "1 of 1 rows stand in the registry")
