"""Sealing: what goes in comes out for its own subject and field, and for nothing else."""

from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity import personal, sealing
from services.identity.sealing import MasterKeys, Unopenable
from shared.events.platform import Contacts, OperatorRegistered, Registration

SUBJECT, ANOTHER = UUID(int=1), UUID(int=2)
TEXTS = st.dictionaries(st.sampled_from(personal.FIELDS), st.text(max_size=60))


class TestSealed:
    @given(TEXTS)
    def test_opens_with_its_key(self, texts: dict[str, str]) -> None:
        key = sealing.new_key(1)

        assert sealing.opened(SUBJECT, key, sealing.sealed(SUBJECT, key, texts)) == texts

    def test_never_looks_the_same_twice_nor_like_the_text(self) -> None:
        key = sealing.new_key(1)

        first, second = (sealing.sealed(SUBJECT, key, {"contacts.phone": "13800138000"}) for _ in "ab")

        assert first != second
        assert "13800138000" not in str(first)

    def test_does_not_open_for_another_subject_field_or_key_nor_when_changed(self) -> None:
        key = sealing.new_key(1)
        token = sealing.sealed(SUBJECT, key, {"representative": "王伟"})["representative"]

        changed = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
        for subject, own, field, text in [
            (ANOTHER, key, "representative", token),
            (SUBJECT, key, "legal_name", token),
            (SUBJECT, sealing.new_key(1), "representative", token),
            (SUBJECT, key, "representative", changed),
            (SUBJECT, key, "representative", "1.?"),
        ]:
            with pytest.raises(Unopenable):
                sealing.opened(subject, own, {field: text})

    @pytest.mark.parametrize("text", ["", "x", "1", "-1.abc", "١.abc"])
    def test_names_its_generation(self, text: str) -> None:
        with pytest.raises(Unopenable):
            sealing.generation_of(text)

        assert sealing.generation_of("12.abc") == 12


class TestMasterKeys:
    def test_unwrap_what_an_older_one_wrapped(self) -> None:
        old, new = bytes(32), bytes([1] * 32)
        own = sealing.new_key(3)

        wrapped = MasterKeys([old]).wrapped(SUBJECT, own)

        rotated = MasterKeys([new, old])
        assert rotated.unwrapped(SUBJECT, 3, sealing.name_of(old), wrapped) == own
        assert rotated.current == sealing.name_of(new)
        with pytest.raises(Unopenable):
            rotated.unwrapped(ANOTHER, 3, sealing.name_of(old), wrapped)
        with pytest.raises(Unopenable):
            MasterKeys([new]).unwrapped(SUBJECT, 3, sealing.name_of(old), wrapped)

    @pytest.mark.parametrize("keys", [[], [b"short"]])
    def test_are_refused_where_they_are_none(self, keys: list[bytes]) -> None:
        with pytest.raises(ValueError, match="master key"):
            MasterKeys(keys)


def a_file(entity_type: str = "company") -> OperatorRegistered:
    return OperatorRegistered(
        operator_ref="shop",
        legal_name="王伟",
        entity_type=entity_type,
        jurisdiction="CN",
        registration=Registration(scheme="ric", number="11010519491231002X"),
        representative="王伟",
        contacts=Contacts(address="1, Harbour Road", phone="13800138000"),
        bank_accounts=["6222 0000"],
        devices=["dv-1", "dv-2"],
    )


class TestPersonal:
    @pytest.mark.parametrize("entity_type", ["company", "natural_person"])
    def test_is_put_back_as_it_was_taken_out(self, entity_type: str) -> None:
        file = a_file(entity_type)

        public, texts = personal.taken_out(file)

        assert personal.put_back(public, texts) == file

    def test_leaves_a_firm_its_name_and_number_and_a_person_neither(self) -> None:
        firm, _ = personal.taken_out(a_file())
        person, texts = personal.taken_out(a_file("natural_person"))

        assert (firm.legal_name, firm.representative, firm.contacts) == ("王伟", None, None)
        assert (person.legal_name, person.registration.number if person.registration else "") == ("***", "***")
        assert {"legal_name", "registration.number"} <= texts.keys()
        assert "13800138000" not in str(person)
        assert "dv-1" not in str(firm)

    def test_of_a_file_without_any_is_nothing(self) -> None:
        file = OperatorRegistered(
            operator_ref=str(uuid4()), legal_name="Lamp Ltd", entity_type="company", jurisdiction="CN"
        )

        assert personal.taken_out(file) == (file, {})
