"""Registration numbers and files: what can be told from them without asking anybody."""

import csv
import gzip
import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stdnum import get_cc_module
from stdnum.cn import uscc

from deploy.layout import ROOT
from services.identity.verification import check_number, verify
from shared.events.platform import Licence, OperatorRegistered, Registration

GOOD = "91110000600037341L"
ON = date(2026, 3, 1)
DATA = Path(os.environ.get("CROSSWATCH_DATA", ROOT.parent / "shared" / "data"))


def file(**fields: Any) -> OperatorRegistered:
    stated = {
        "jurisdiction": "CN",
        "registration": Registration(scheme="uscc", number=GOOD),
        "licence": Licence(number="L-1"),
        **fields,
    }
    return OperatorRegistered(operator_ref="shop", legal_name="Shop", entity_type="company", **stated)


class TestCheckNumber:
    @pytest.mark.parametrize(
        ("number", "code"),
        [
            (GOOD, None),
            (GOOD.lower(), None),
            (f" {GOOD[:8]}-{GOOD[8:]} ", None),
            (GOOD[:-1] + "A", "number_wrong_check_digit"),
            ("92" + GOOD[2:], "number_wrong_check_digit"),
            (GOOD.replace("0", "O"), "number_wrong_characters"),
            (GOOD.replace("1", "I"), "number_wrong_characters"),
            ("９１１１００００６０００３７３４１Ｌ", "number_wrong_characters"),
            ("110000600037341", "number_wrong_length"),
            (GOOD + "0", "number_wrong_length"),
            ("", "number_wrong_length"),
            ("营业执照九一一一", "number_wrong_length"),
        ],
    )
    def test_says_what_is_wrong_with_a_chinese_number(self, number: str, code: str | None) -> None:
        check = check_number("CN", "uscc", number)

        assert check.code == code
        assert check.compact == (GOOD if code is None else number.strip())

    @given(st.integers(0, 17), st.sampled_from("0123456789ABCDEFGHJKLMNPQRTUWXY"))
    def test_notices_any_single_wrong_character(self, place: int, character: str) -> None:
        changed = GOOD[:place] + character + GOOD[place + 1 :]

        assert (check_number("CN", "uscc", changed).code is None) == (changed == GOOD)

    @pytest.mark.parametrize(
        ("jurisdiction", "scheme", "number"),
        [
            ("BR", "cnpj", "16.727.230/0001-97"),
            ("DE", "vat", "DE 136,695 976"),
            ("US", "ein", "91-1144442"),
            ("GB", "vat", "GB 980 7806 84"),
            ("NL", "btw", "NL4495445B01"),
        ],
    )
    def test_knows_other_countries(self, jurisdiction: str, scheme: str, number: str) -> None:
        assert check_number(jurisdiction, scheme, number).code is None
        assert check_number(jurisdiction, scheme, number[:-1]).code is not None

    @pytest.mark.parametrize(
        ("jurisdiction", "scheme"),
        [("CN", "crown"), ("XX", "vat"), ("CN", "__doc__"), ("CN", "os.path"), ("../x", "uscc"), ("", "")],
    )
    def test_leaves_a_scheme_it_does_not_know_unchecked(self, jurisdiction: str, scheme: str) -> None:
        assert check_number(jurisdiction, scheme, "1").code == "scheme_unknown"

    @given(
        st.sampled_from(
            [
                ("CN", "uscc"),
                ("CN", "ric"),
                ("BR", "cnpj"),
                ("DE", "vat"),
                ("US", "ein"),
                ("GB", "vat"),
                ("FR", "siret"),
            ]
        ),
        st.text(max_size=30) | st.text("0123456789ABCDEFGHXYZ", min_size=8, max_size=20),
    )
    def test_never_falls_over_a_number(self, register: tuple[str, str], number: str) -> None:
        code = check_number(*register, number).code

        assert code is None or code.startswith("number_")

    def test_agrees_with_the_library_that_knows_the_register(self) -> None:
        assert get_cc_module("cn", "uscc") is uscc


class TestVerify:
    @pytest.mark.parametrize(
        ("fields", "verdict", "reasons"),
        [
            ({}, "verified", []),
            ({"registration": None}, "unverified", ["number_missing"]),
            ({"registration": Registration(scheme="crown", number="1")}, "unverified", ["scheme_unknown"]),
            ({"licence": None}, "rejected", ["licence_missing"]),
            (
                {"licence": None, "registration": None},
                "unverified",
                ["licence_unstated", "number_missing"],
            ),
            ({"licence": Licence(number="1", expires_on=date(2026, 2, 28))}, "rejected", ["licence_expired"]),
            ({"licence": Licence(number="1", expires_on=ON)}, "verified", []),
            (
                {"licence": Licence(number="1", issued_on=date(2026, 3, 2))},
                "rejected",
                ["licence_not_yet_issued"],
            ),
            (
                {
                    "licence": Licence(number="1", expires_on=date(2020, 1, 1)),
                    "registration": Registration(scheme="uscc", number="1"),
                },
                "rejected",
                ["licence_expired", "number_wrong_length"],
            ),
        ],
        ids=str,
    )
    def test_gives_a_verdict_with_every_reason(self, fields: dict[str, Any], verdict: str, reasons: list[str]) -> None:
        finding = verify(file(**fields), on=ON, licence_required=True)

        assert (finding.verdict, finding.reasons) == (verdict, reasons)

    def test_asks_for_no_licence_where_none_is_required(self) -> None:
        assert verify(file(licence=None), on=ON, licence_required=False).verdict == "verified"


def test_every_number_of_today_in_the_public_register_is_valid() -> None:
    path = DATA / "identity" / "companies_cn.csv.gz"
    if not path.exists():
        pytest.skip(f"{path} is not there; set CROSSWATCH_DATA to the directory that holds identity/")
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))

    checked = {row["uscc"]: check_number("CN", "uscc", row["uscc"]).code for row in rows}

    # The register holds six numbers of before 2015, which had 15 digits, and one whose check digit is wrong.
    wrong = {number: code for number, code in checked.items() if code is not None}
    assert len(rows) == 7_000
    assert {number for number in wrong if len(number) == 18} == {"91220102732581015H"}
    assert {code for number, code in wrong.items() if len(number) == 15} == {"number_wrong_length"}
    assert len(wrong) == 7
