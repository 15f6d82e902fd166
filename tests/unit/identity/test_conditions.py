"""What a file must have: by kind of entity, mode, place and trade, as the law was on a day."""

import csv
from datetime import UTC, date, datetime
from typing import Any

import pytest

from deploy.layout import ROOT
from services.identity.conditions import entity_kind, kinds, missing, needed, needed_in, unqualified
from services.identity.verification import verify
from shared.events.platform import Contacts, Licence, OperatorRegistered, Qualification, Registration
from shared.rule_values import RuleBook, Value
from simulator.operators import open_accounts
from simulator.platforms import PLATFORMS
from simulator.timeline import Timeline

IDENTITY = ROOT / "services" / "identity"
ON = date(2026, 3, 1)
PERSON = Contacts(address="1 Harbour Road", phone="+86 10 5555 0100", email="li@lamp.example")


def seeded() -> RuleBook:
    with (IDENTITY / "rule_values.csv").open(newline="", encoding="utf-8") as file:
        return RuleBook(
            Value(
                row["name"],
                row["jurisdiction"],
                date.fromisoformat(row["valid_from"]),
                date.fromisoformat(row["valid_to"]) if row["valid_to"] else None,
                float(row["value"]),
                row["unit"],
                row["source"],
                row["stricter"],
            )
            for row in csv.DictReader(file)
        )


BOOK = seeded()


def file(**fields: Any) -> OperatorRegistered:
    stated = {
        "operator_ref": "shop",
        "legal_name": "Lamp Trading Ltd",
        "entity_type": "company",
        "jurisdiction": "CN",
        "registration": Registration(scheme="uscc", number="91110000600037341L"),
        "licence": Licence(number="L-1", issued_on=date(2020, 1, 1)),
        "representative": "Li Lei",
        "contacts": PERSON,
        "customs_registration": "1100000001",
        **fields,
    }
    return OperatorRegistered(**stated)


def person(**fields: Any) -> OperatorRegistered:
    mark = Registration(scheme="ric", number="360426199101010071")
    bare = {"licence": None, "representative": None, "customs_registration": None, "mode": "C2C"}
    return file(**{"entity_type": "natural_person", "registration": mark, **bare, **fields})


def reasons(one: OperatorRegistered, on: date = ON) -> tuple[str, list[str]]:
    finding = verify(one, on=on, values=BOOK.on(on, one.jurisdiction))
    return finding.verdict, finding.reasons


class TestCompleteness:
    @pytest.mark.parametrize(
        ("one", "expected"),
        [
            (file(), ("verified", [])),
            (file(contacts=None), ("unverified", ["address_missing", "contact_missing"])),
            (file(contacts=Contacts(address="1 Harbour Road", email="a@b")), ("verified", [])),
            (file(representative=None), ("unverified", ["representative_missing"])),
            (file(representative=None, entity_type="sole_proprietor"), ("verified", [])),
            (file(customs_registration=None), ("unverified", ["customs_registration_missing"])),
            (file(customs_registration="11019"), ("rejected", ["customs_registration_malformed"])),
            (file(customs_registration=None, mode="C2C"), ("verified", [])),
            (file(contacts=Contacts(address="x", phone="call me", email="a@b")), ("rejected", ["phone_malformed"])),
            (
                file(contacts=Contacts(address="x", phone="010 5555 0100", email="nobody")),
                ("rejected", ["email_malformed"]),
            ),
            (person(), ("verified", [])),
            (person(entity_type="自然人"), ("verified", [])),
            (person(mode="B2B"), ("rejected", ["licence_missing"])),
            (person(registration=None), ("unverified", ["identity_mark_missing", "number_missing"])),
            (
                person(contacts=Contacts(address=" ", phone="", email=None)),
                ("unverified", ["address_missing", "contact_missing", "email_missing", "phone_missing"]),
            ),
        ],
        ids=str,
    )
    def test_depends_on_the_kind_of_entity_and_the_mode(
        self, one: OperatorRegistered, expected: tuple[str, list[str]]
    ) -> None:
        assert reasons(one) == expected

    def test_asks_by_the_law_of_the_day(self) -> None:
        bare = file(contacts=None, representative=None, customs_registration=None)

        assert list(missing(bare, BOOK.on(date(2018, 12, 31), "CN"))) == []
        assert list(missing(bare, BOOK.on(date(2021, 1, 1), "CN"))) == [
            "address_missing",
            "contact_missing",
            "customs_registration_missing",
        ]

    def test_asks_less_abroad(self) -> None:
        abroad = file(jurisdiction="DE", registration=Registration(scheme="vat", number="DE136695976"))
        bare = file(
            jurisdiction="DE",
            registration=Registration(scheme="vat", number="DE136695976"),
            representative=None,
            customs_registration=None,
        )

        assert reasons(abroad) == reasons(bare) == ("verified", [])


class TestQualifications:
    def trading(self, *scope: str, **fields: Any) -> OperatorRegistered:
        return file(licence=Licence(number="L-1", scope=list(scope)), **fields)

    @pytest.mark.parametrize(
        ("trade", "kind"),
        [
            ("infant formula", "food_trade"),
            ("预包装食品销售", "food_trade"),
            ("Prescription Drugs", "drug_trade"),
            ("第二类医疗器械销售", "medical_device_trade"),
            ("化妆品批发", "cosmetics_record"),
            ("Books", "publication_trade"),
        ],
    )
    def test_are_asked_of_who_trades_in_what_needs_them(self, trade: str, kind: str) -> None:
        held = self.trading(trade, qualifications=[Qualification(kind=kind, number="Q-1")])

        assert reasons(self.trading(trade)) == ("rejected", [f"qualification_missing_{kind}"])
        assert reasons(held) == ("verified", [])

    @pytest.mark.parametrize("trade", ["lighting", "facebook covers", "bookshelves", "灯具(不含食品销售)", ""])
    def test_are_not_asked_of_others(self, trade: str) -> None:
        assert needed([trade]) == []

    def test_are_known_by_the_names_of_certificates(self) -> None:
        held = self.trading("食品经营", qualifications=[Qualification(kind="食品经营许可证", number="JY1")])

        assert reasons(held) == ("verified", [])

    def test_run_out_after_their_last_day(self) -> None:
        held = self.trading("food", qualifications=[Qualification(kind="food_trade", number="1", expires_on=ON)])

        assert reasons(held) == ("verified", [])
        assert reasons(held, date(2026, 3, 2)) == ("rejected", ["qualification_expired_food_trade"])

    def test_count_while_one_of_several_is_in_force(self) -> None:
        old = Qualification(kind="food_trade", number="1", expires_on=date(2020, 1, 1))
        new = Qualification(kind="food", number="2", expires_on=date(2030, 1, 1))

        assert reasons(self.trading("food", qualifications=[new, old])) == ("verified", [])

    def test_are_a_matter_of_the_place_and_the_day(self) -> None:
        abroad = self.trading("food", jurisdiction="DE", registration=Registration(scheme="vat", number="DE136695976"))

        assert list(unqualified(abroad, BOOK.on(ON, "DE"), ON)) == []
        assert list(unqualified(self.trading("food"), BOOK.on(date(2015, 9, 30), "CN"), date(2015, 9, 30))) == []


def test_every_kind_of_qualification_has_a_rule_and_every_rule_a_kind() -> None:
    rules = {name.removeprefix("qualification.") for name in BOOK.on(ON, "CN") if name.startswith("qualification.")}

    assert rules == {kind.name for kind in kinds()}
    assert all(kind.name in kind.accepted for kind in kinds())


def test_platforms_words_for_a_kind_of_entity_are_one() -> None:
    words = {"Natural Person", "individual", "自然人"}

    assert {entity_kind(word) for word in words} == {"natural_person"}
    assert entity_kind("Cooperative") == "cooperative"


@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda one: one.id)
def test_honest_merchants_of_the_simulated_marketplace_pass(platform: Any) -> None:
    timeline = Timeline.before(datetime(2026, 3, 1, tzinfo=UTC), orders=5_000)
    accounts = open_accounts(platform, seed=11, count=300, timeline=timeline)
    planted = {ref for one in accounts.planted if one.scheme == "unlicensed_seller" for ref in one.operator_refs}

    verdicts = {account.file.operator_ref: reasons(account.file) for account in accounts.everyone}

    assert {ref for ref, (verdict, _) in verdicts.items() if verdict != "verified"} == planted
    assert {verdict for ref, (verdict, _) in verdicts.items() if ref in planted} == {"rejected"}


@pytest.mark.parametrize(
    ("category", "kinds"),
    [
        ("食品", ["food_trade"]),
        ("Home > Snacks > Noodles", ["food_trade"]),
        ("美妆/护肤", ["cosmetics_record"]),
        ("食品用塑料容器", []),
        ("books_general_interest", []),
        ("Skin Care", ["cosmetics_record"]),
        ("lamps", []),
        ("", []),
        (None, []),
    ],
)
def test_a_category_of_offers_needs_what_each_of_its_steps_does(category: str | None, kinds: list[str]) -> None:
    assert [kind.name for kind in needed_in(category)] == kinds
