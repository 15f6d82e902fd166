"""Extracts of public registers: loaded from files, asked as of a day, and believed before platforms."""

import asyncio
import csv
import gzip
import json
import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest
import pytest_asyncio

from deploy.commands.registry import _load
from deploy.layout import ROOT
from services.identity.registry_loading import ExtractOlder, Loaded, Terms
from shared.events.identity import OperatorRejected, OperatorUnverified, OperatorVerified
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import USCC, operator_changed, operator_registered
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, send

DATA = Path(os.environ.get("CROSSWATCH_DATA", ROOT.parent / "shared" / "data")) / "identity"
OTHER = "91310000132612172J"
JANUARY, MARCH = date(2026, 1, 1), date(2026, 3, 1)
REGISTER = "jurisdiction=CN&scheme=uscc"


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


def extract(path: Path, *rows: tuple[str, ...], header: str = "number,name,status,registered_on") -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(header.split(","))
        writer.writerows(rows)
    return path


async def loaded(
    service: Service,
    path: Path,
    on: date = JANUARY,
    *,
    scheme: str = "uscc",
    complete: bool = False,
    columns: dict[str, str] | None = None,
) -> Loaded:
    """Load a file as the command does; what is broken of it is in `errors.csv` of the service's directory."""
    terms = Terms("CN", scheme, on, complete, path.name)
    url = service.settings.database_url
    errors = service.settings.var_dir / "errors.csv"
    return await asyncio.to_thread(_load, path, columns or {}, terms, url, errors)


async def told(service: Service, *events: Json) -> None:
    answer = await send(service, list(events))
    assert answer.json()["rejected"] == []
    await deliver_platform_events(service)


class TestLoad:
    async def test_takes_what_is_good_and_names_what_is_not(self, identity: Service, tmp_path: Path) -> None:
        path = extract(
            tmp_path / "extract.csv",
            (USCC, "灯具贸易有限公司", "存续", "2001-02-03"),
            ("", "无号码", "存续", ""),
            (OTHER, "", "存续", ""),
            (OTHER, "第二公司", "注销", "不详日"),
            (USCC, "again", "存续", ""),
            (OTHER, "x", "y"),
        )
        with path.open("ab") as file:
            file.write(b"\xff\xfe,name,active,\n")

        found = await loaded(identity, path)
        errors = list(csv.reader((identity.settings.var_dir / "errors.csv").read_text(encoding="utf-8").splitlines()))

        assert (found.rows, found.broken, found.changed) == (7, 5, 2)
        assert sorted(errors[1:]) == [
            ["1", "number", "number_missing", "no"],
            ["2", "name", "name_missing", "no"],
            ["3", "registered_on", "day_unreadable", "without the field"],
            ["4", "number", "number_twice", "no"],
            ["5", "", "row_too_short", "no"],
            ["6", "", "not_utf8", "no"],
        ]
        entry = (await identity.get(f"/v1/registry?{REGISTER}&number={USCC}")).json()["items"][0]["entry"]
        assert (entry["name"], entry["status"], entry["registered_on"]) == ("灯具贸易有限公司", "active", "2001-02-03")
        ended = (await identity.get(f"/v1/registry?{REGISTER}&number={OTHER}")).json()["items"][0]["entry"]
        assert ended["status"] == "cancelled"

    async def test_keeps_what_earlier_extracts_said(self, identity: Service, tmp_path: Path) -> None:
        await loaded(identity, extract(tmp_path / "a.csv", (USCC, "Old", "", ""), (OTHER, "Stays", "", "")))
        later = extract(tmp_path / "b.csv", (USCC, "New", "", ""), (OTHER, "Stays", "", ""))

        first = await loaded(identity, later, MARCH)
        again = await loaded(identity, later, MARCH)

        names = [
            (await identity.get(f"/v1/registry?{REGISTER}&number={USCC}&as_of={day}")).json()["items"][0]["entry"][
                "name"
            ]
            for day in ("2026-01-01", "2026-02-28", "2026-03-01")
        ]
        history = (await identity.get(f"/v1/registry/history?{REGISTER}&number={USCC}")).json()["items"]
        assert names == ["Old", "Old", "New"]
        assert [(one["valid_from"], one["valid_to"]) for one in history] == [
            ("2026-01-01", "2026-03-01"),
            ("2026-03-01", None),
        ]
        assert (first.changed, again.changed) == (1, 0)
        assert (await identity.get(f"/v1/registry?{REGISTER}&number={USCC}&as_of=2025-12-31")).status_code == 404

    async def test_ends_who_is_not_in_a_complete_one(self, identity: Service, tmp_path: Path) -> None:
        await loaded(identity, extract(tmp_path / "a.csv", (USCC, "A", "", ""), (OTHER, "B", "", "")))

        partial = await loaded(identity, extract(tmp_path / "b.csv", (USCC, "A", "", "")), date(2026, 2, 1))
        complete = await loaded(identity, extract(tmp_path / "c.csv", (USCC, "A", "", "")), MARCH, complete=True)

        gone = await identity.get(f"/v1/registry?{REGISTER}&number={OTHER}&as_of=2026-03-01")
        before = await identity.get(f"/v1/registry?{REGISTER}&number={OTHER}&as_of=2026-02-28")
        assert (partial.ended, complete.ended) == (0, 1)
        assert (gone.status_code, gone.json()["code"], before.status_code) == (404, "not_registered", 200)

    async def test_refuses_one_that_is_older(self, identity: Service, tmp_path: Path) -> None:
        path = extract(tmp_path / "a.csv", (USCC, "A", "", ""))
        await loaded(identity, path, MARCH)

        with pytest.raises(ExtractOlder, match="2026-03-01"):
            await loaded(identity, path, JANUARY)

    async def test_finishes_one_that_died_on_the_way(self, identity: Service, tmp_path: Path) -> None:
        path = extract(tmp_path / "a.csv.gz.csv", (USCC, "A", "", ""))
        await identity.rows(
            "INSERT INTO registry_extracts (id, jurisdiction, scheme, stated_on, is_complete, file_name, state) "
            "VALUES (gen_random_uuid(), 'CN', 'uscc', '2026-05-01', true, 'died.csv', 'loading')"
        )
        await identity.rows(
            "INSERT INTO registry_rows (extract_id, row, number, name, normal_name, grams, status, content) "
            "SELECT id, 0, '1', 'a', 'a', '{a}', 'active', '{}' FROM registry_extracts"
        )

        await loaded(identity, path)

        extracts = (await identity.get("/v1/registry/extracts")).json()["items"]
        assert {one["file_name"]: one["state"] for one in extracts} == {
            "died.csv": "interrupted",
            "a.csv.gz.csv": "loaded",
        }
        assert await identity.rows("SELECT 1 FROM registry_rows") == []

    async def test_reads_json_lines_and_parquet(self, identity: Service, tmp_path: Path) -> None:
        lines = tmp_path / "a.jsonl.gz"
        with gzip.open(lines, "wt", encoding="utf-8") as file:
            file.write(json.dumps({"编码": "1100000001", "名称": "某某物产公司", "关区": "北京海关"}) + "\n[1]\n")
        frame = pl.DataFrame({"number": ["3301960001", None], "name": ["义乌", "x"], "n": [1, 2]})
        frame.write_parquet(tmp_path / "b.parquet")

        names = {"number": "编码", "name": "名称", "district": "关区"}
        from_lines = await loaded(identity, lines, scheme="customs", columns=names)
        from_parquet = await loaded(identity, tmp_path / "b.parquet", MARCH, scheme="customs")

        found = await identity.get("/v1/registry?jurisdiction=CN&scheme=customs&number=1100000001")
        assert (from_lines.rows, from_lines.broken, from_lines.changed) == (2, 1, 1)
        assert (from_parquet.rows, from_parquet.broken, from_parquet.changed) == (2, 1, 1)
        assert found.json()["items"][0]["entry"]["content"] == {"district": "北京海关"}

    async def test_loads_real_extracts(self, identity: Service) -> None:
        if not DATA.exists():
            pytest.skip(f"{DATA} is not there")
        companies = {"number": "uscc", "registered_on": "reg_date"}
        firms = {"number": "海关注册编码", "name": "海关注册名称", "district": "注册地海关"}

        first = await loaded(identity, DATA / "companies_cn.csv.gz", columns=companies)
        second = await loaded(identity, DATA / "customs_registered_cn.jsonl.gz", scheme="customs", columns=firms)

        assert (first.rows, first.broken, first.irregular) == (7_000, 0, 7)
        assert (second.rows, second.changed + second.broken) == (1_356, 1_356)


class TestLookUp:
    async def test_shows_a_near_miss_as_such(self, identity: Service, tmp_path: Path) -> None:
        path = extract(
            tmp_path / "a.csv", (USCC, "深圳市恒瑞鑫贸易有限公司", "", ""), (OTHER, "深圳市盛通科技有限公司", "", "")
        )
        await loaded(identity, path)

        exact = (await identity.get(f"/v1/registry?{REGISTER}&name=深圳市恒瑞鑫贸易有限公司")).json()["items"]
        near = (await identity.get(f"/v1/registry?{REGISTER}&name=深圳市恒瑞金贸易有限责任公司")).json()["items"]
        none = (await identity.get(f"/v1/registry?{REGISTER}&name=杭州远达进出口有限公司")).json()["items"]

        assert [(hit["likeness"], hit["score"]) for hit in exact] == [("same", 1.0)]
        assert [(hit["likeness"], hit["entry"]["number"]) for hit in near] == [("near", USCC)]
        assert none == []

    async def test_refuses_what_it_cannot_answer(self, identity: Service) -> None:
        async def refusal(query: str) -> tuple[int, str]:
            answer = await identity.get(f"/v1/registry?{query}")
            return answer.status_code, answer.json()["code"]

        assert await refusal(f"{REGISTER}&number={USCC}") == (404, "register_not_loaded")
        assert await refusal(REGISTER) == (422, "invalid_value")
        assert await refusal(f"{REGISTER}&number=1&name=2") == (422, "invalid_value")
        assert await refusal("jurisdiction=China&scheme=uscc&number=1") == (422, "string_pattern_mismatch")


class TestVerdicts:
    async def test_believe_the_register(self, identity: Service, tmp_path: Path) -> None:
        irregular = "91110000600037341A"
        path = extract(
            tmp_path / "a.csv",
            (USCC, "Lamp Trading Ltd", "active", ""),
            (OTHER, "Gone Trading Ltd", "cancelled", ""),
            (irregular, "Odd Trading Ltd", "active", ""),
        )
        await loaded(identity, path, complete=True)

        def named(ref: str, number: str, name: str) -> Json:
            registration = {"scheme": "uscc", "number": number}
            return operator_registered(operator_ref=ref, registration=registration, legal_name=name)

        await told(
            identity,
            named("same", USCC, "LAMP TRADING LTD."),
            named("near", USCC, "Lamb Trading Ltd"),
            named("other", USCC, "Chair Imports GmbH"),
            named("ended", OTHER, "Gone Trading Ltd"),
            named("absent", "91440300192411119K", "Nobody Ltd"),
            named("odd", irregular, "Odd Trading Ltd"),
        )

        rows = await identity.rows("SELECT operator_ref, verdict, reasons FROM accounts")
        found = {row["operator_ref"]: (row["verdict"], row["reasons"]) for row in rows}
        assert found["same"] == ("verified", [])
        assert found["near"] == ("unverified", ["registry_name_near"])
        assert found["other"] == ("rejected", ["registry_name_differs"])
        assert found["ended"] == ("rejected", ["registry_entry_ended"])
        assert found["absent"][0] == "rejected"
        assert found["odd"] == ("verified", [])
        counts = [
            len(await identity.published(kind)) for kind in (OperatorVerified, OperatorUnverified, OperatorRejected)
        ]
        assert counts == [2, 1, 3]

    async def test_show_the_registered_name_first(self, identity: Service, tmp_path: Path) -> None:
        await loaded(identity, extract(tmp_path / "a.csv", (USCC, "Registered Ltd", "active", "2001-02-03")))
        await told(identity, operator_registered(time="2026-02-01T00:00:00Z", legal_name="Stated Ltd"))
        await told(identity, operator_changed(time="2026-02-02T00:00:00Z", legal_name="Stated Ltd"))

        shown = (await identity.get(f"/v1/lookup?number={USCC}")).json()

        assert (shown["name"], shown["registered"]["registered_on"]) == ("Registered Ltd", "2001-02-03")
        assert shown["accounts"][0]["content"]["legal_name"] == "Stated Ltd"

    async def test_let_an_operator_be_found_by_its_registered_name_too(self, identity: Service, tmp_path: Path) -> None:
        await loaded(identity, extract(tmp_path / "a.csv", (USCC, "Registered Harbour Ltd", "active", "")))
        await told(identity, operator_registered(time="2026-02-01T00:00:00Z", legal_name="Stated Lantern Ltd"))

        for name in ("Registered Harbor", "Stated Lantern"):
            (item,) = (await identity.get(f"/v1/operators?name={name}")).json()["items"]

            assert (item["number"], item["name"].split()[0]) == (USCC, name.split()[0])
