"""Registration files: what can be told from them without asking anybody."""

from datetime import date
from typing import Any

import pytest

from services.identity.verification import Beside, Register, verify
from shared.events.platform import Licence, OperatorRegistered, Registration

GOOD = "91110000600037341L"
ON = date(2026, 3, 1)
ASKS = {"licence.required": 1.0}


def file(**fields: Any) -> OperatorRegistered:
    stated = {
        "jurisdiction": "CN",
        "registration": Registration(scheme="uscc", number=GOOD),
        "licence": Licence(number="L-1"),
        **fields,
    }
    return OperatorRegistered(operator_ref="shop", legal_name="Shop", entity_type="company", **stated)


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
        finding = verify(file(**fields), on=ON, values=ASKS)

        assert (finding.verdict, finding.reasons) == (verdict, reasons)

    def test_asks_for_no_licence_where_none_is_required(self) -> None:
        assert verify(file(licence=None), on=ON, values={}).verdict == "verified"


class TestVerifyWithARegister:
    @pytest.mark.parametrize(
        ("register", "number", "verdict", "reasons"),
        [
            (Register("registered", "same"), GOOD, "verified", []),
            (Register("registered", "near"), GOOD, "unverified", ["registry_name_near"]),
            (Register("registered", "other"), GOOD, "rejected", ["registry_name_differs"]),
            (Register("ended", "same"), GOOD, "rejected", ["registry_entry_ended"]),
            (Register("absent"), GOOD, "rejected", ["not_in_registry"]),
            (Register("registered", "same"), "91110000600037341A", "verified", []),
            (Register("absent"), "91110000600037341A", "rejected", ["number_wrong_check_digit"]),
        ],
        ids=str,
    )
    def test_believes_it_before_the_file(
        self, register: Register, number: str, verdict: str, reasons: list[str]
    ) -> None:
        stated = file(registration=Registration(scheme="uscc", number=number))

        finding = verify(stated, on=ON, values=ASKS, beside=Beside(register))

        assert (finding.verdict, finding.reasons) == (verdict, reasons)
