"""Names, addresses and contacts in the form in which they are compared: what is one, and what stays two."""

from hashlib import blake2b

import phonenumbers
import pytest
from cleanco import basename
from cleanco.clean import prepare_default_terms
from hypothesis import given
from hypothesis import strategies as st

from services.identity.addresses import address
from services.identity.blind import BlindIndex
from services.identity.contacts import email, phone, reference
from services.identity.letters import shingles, tidy
from services.identity.names import base_name, company_name, person_name

LETTERS = st.text(
    st.one_of(
        st.sampled_from(
            "有限责任公司集团股份北京上海市省区县路号楼乾隆龍發鑫王伟ＡＢc ltdGmbHé.,&()（）　 ßüøσςİ①㈜주식회사"
            "株式会社ゔが0１９"
        ),
        st.characters(codec="utf-8", exclude_categories=["Cs"]),
    ),
    max_size=40,
)


FORMS = [" ".join(parts) for _, parts in prepare_default_terms()]
NAMES = st.lists(
    st.one_of(st.sampled_from(FORMS), st.sampled_from(["river", "Blue", "S.A.", "Co.,", "é", "&"])), max_size=6
)


class TestShortcuts:
    @given(NAMES)
    def test_of_legal_forms_leave_what_the_library_leaves(self, words: list[str]) -> None:
        name = " ".join(words)

        assert base_name(name) == basename(name)

    @given(
        st.from_regex(r"(\+86[ -]?)?1[3-9][0-9][ -]?[0-9]{4}[ -]?[0-9]{4}", fullmatch=True),
        st.sampled_from(["CN", "DE"]),
    )
    def test_of_mobile_numbers_read_what_the_library_reads(self, text: str, country: str) -> None:
        read = phonenumbers.parse(text, country)
        written = phonenumbers.format_number(read, phonenumbers.PhoneNumberFormat.E164)

        assert phone(text, country) == written


class TestIdempotence:
    @given(LETTERS)
    def test_of_letters(self, text: str) -> None:
        assert tidy(tidy(text)) == tidy(text)

    @given(LETTERS)
    def test_of_companies(self, text: str) -> None:
        assert company_name(company_name(text)) == company_name(text)

    @given(LETTERS)
    def test_of_persons(self, text: str) -> None:
        assert person_name(person_name(text)) == person_name(text)

    @given(LETTERS)
    def test_of_references_and_mailboxes(self, text: str) -> None:
        for normal in (reference, email):
            once = normal(text)
            assert once is None or normal(once) == once

    @given(st.text("+0123456789 ()-/extd", max_size=25), st.sampled_from(["CN", "US", "DE", "KR", "BR", "JP", "FR"]))
    def test_of_phones(self, text: str, country: str) -> None:
        once = phone(text, country)

        # What cannot be read as a number is kept as digits, and those may be read as one.
        assert once is None or once.isdecimal() or phone(once, country) == once


class TestCompanyName:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("深圳市鑫达贸易有限公司", "鑫達貿易股份有限公司"),
            ("江苏鑫达贸易有限责任公司", "江苏省鑫达贸易有限公司"),
            ("ＡＢＣ Trading Co., Ltd.", "ABC TRADING LLC"),
            ("Müller & Söhne GmbH", "MUELLER & SOEHNE GMBH & CO. KG"),
            ("Sol Verde Comércio Ltda.", "Sol Verde Comercio LTDA"),
            ("Soleil Azur Négoce SARL", "SOLEIL AZUR NEGOCE S.A.R.L."),
            ("株式会社青葉商事", "青葉商事株式会社"),
            ("주식회사 한빛무역", "(주)한빛무역"),
        ],
    )
    def test_is_one(self, one: str, other: str) -> None:
        assert company_name(one) == company_name(other) != ""

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("鑫达贸易有限公司", "鑫源贸易有限公司"),
            ("平安保险股份有限公司广州分公司", "平安保险股份有限公司深圳分公司"),
            ("Blue River LLC", "Blue Rivers LLC"),
        ],
    )
    def test_is_two(self, one: str, other: str) -> None:
        assert company_name(one) != company_name(other)

    def test_is_never_empty_for_a_name_of_letters(self) -> None:
        assert company_name("有限公司")
        assert company_name("LLC")


class TestPersonName:
    def test_does_not_depend_on_order_spaces_or_accents(self) -> None:
        assert person_name("Anna-Lena Müller") == person_name("MUELLER, Anna Lena")
        assert person_name("王 小明") == person_name("王小明")
        assert person_name("王小明") != person_name("王晓明")


class TestAddress:
    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ("山西省晋中市青石县松林路9号", "青石縣松林路９号，晋中市"),
            ("北京市朝阳区松林路88号3号楼", "松林路88#三号楼 朝阳区 北京"),
            ("12 Main St., Ste 5, Austin", "Suite 5, 12 Main Street, AUSTIN"),
            ("Hauptstraße 5, 50667 Köln", "50667 Koeln, Hauptstr. 5"),
            ("Av. Paulista 1000, São Paulo", "Sao Paulo, Avenida Paulista, 1000"),
        ],
    )
    def test_is_one(self, one: str, other: str) -> None:
        left, right = address(one), address(other)

        assert left is not None
        assert right is not None
        assert left.key == right.key
        assert left.numbers == right.numbers

    @pytest.mark.parametrize(
        ("one", "other"),
        [("人民路100号12室", "人民路100号13室"), ("上海市北京西路1号", "上海市南京西路1号"), ("1 Oak Rd", "1 Oak Ave")],
    )
    def test_is_two(self, one: str, other: str) -> None:
        left, right = address(one), address(other)

        assert left is not None
        assert right is not None
        assert left.key != right.key

    def test_of_nothing_is_none(self) -> None:
        assert address("，。 123") is None
        assert address("") is None

    @given(st.permutations(["青石县", "松林路", "9号", "晋中市", "万达广场", "B座"]))
    def test_does_not_depend_on_the_order_of_its_parts(self, parts: list[str]) -> None:
        assert address(" ".join(parts)) == address("青石县 松林路 9号 晋中市 万达广场 B座")

    @given(LETTERS)
    def test_takes_whatever_comes(self, text: str) -> None:
        assert address(text) == address(text)


class TestContacts:
    def test_of_one_phone_are_written_in_many_ways(self) -> None:
        assert {phone(text, "CN") for text in ("138 0013 8000", "+86-138-0013-8000", "0086 13800138000")} == {
            "+8613800138000"
        }

    def test_of_nothing_are_none(self) -> None:
        assert [phone("000000", "CN"), phone("-", "CN"), email("nobody"), reference("n/a"), reference("0000 0000")] == [
            None
        ] * 5


class TestShingles:
    def test_of_a_slip_of_the_pen_stay_mostly_the_same(self) -> None:
        one, other = shingles(["云南青鹭药业"]), shingles(["云南青鹭葯业集"])

        assert len(one & other) >= 3


class TestBlindIndex:
    def test_hides_a_value_and_tells_its_kind_and_its_key(self) -> None:
        blind, other = BlindIndex(b"k" * 32), BlindIndex(b"q" * 32)

        assert blind.value(1, "text") == BlindIndex(b"k" * 32).value(1, "text")
        assert len({blind.value(1, "text"), blind.value(2, "text"), other.value(1, "text"), b"text"}) == 4
        assert len(blind.value(1, "text")) == 16

    def test_is_keyed_blake2b(self) -> None:
        expected = blake2b(b"3\x0013800138000", key=b"k" * 32, digest_size=16).digest()

        assert BlindIndex(b"k" * 32).value(3, "13800138000") == expected

    def test_tells_parts_by_what_they_are_of(self) -> None:
        blind, parts = BlindIndex(b"k" * 32), {"a": b"x", "b": b"x"}
        hashes = [*blind.of_parts(1, b"one", parts).values(), *blind.of_parts(1, b"two", parts).values()]
        hashes += blind.of_parts(2, b"one", parts).values()

        assert len(set(hashes)) == len(hashes)
        assert blind.of_parts(1, b"one", parts) == BlindIndex(b"k" * 32).of_parts(1, b"one", parts)

    def test_uses_a_long_key_whole(self) -> None:
        assert BlindIndex(b"k" * 80).value(1, "text") != BlindIndex(b"k" * 79 + b"l").value(1, "text")

    def test_refuses_a_short_key(self) -> None:
        with pytest.raises(ValueError, match="32 bytes"):
            BlindIndex(b"short")
