"""Claims in texts: which phrases are found, in which forms, where, and on which days they count."""

import csv
from datetime import date

import pytest

from services.listings.claims import LEXICON, lexicon, places

DAY = date(2026, 3, 1)


def found(text: str, day: date = DAY) -> list[tuple[str, str]]:
    """Return the kind of each claim of a text, and the piece of it that makes it."""
    return [(place.phrase.code, text[place.start : place.end]) for place in places(text, day, lexicon())]


class TestPlaces:
    @pytest.mark.parametrize(
        ("text", "code", "piece"),
        [
            ("Tea. It cures cancer!", "medical_cure", "cures cancer"),
            ("CURES CANCER", "medical_cure", "CURES CANCER"),
            ("ｃｕｒｅｓ　ｃａｎｃｅｒ", "medical_cure", "ｃｕｒｅｓ　ｃａｎｃｅｒ"),
            ("cures \n\t cancer", "medical_cure", "cures \n\t cancer"),
            ("Straße ﬁt: cures cancer", "medical_cure", "cures cancer"),
            ("café: cures cancer", "medical_cure", "cures cancer"),
            ("the world’s best lamp", "superlative", "world’s best"),
            ("产品cures cancer产品", "medical_cure", "cures cancer"),
            ("三天根治糖尿病", "medical_cure", "根治"),
            ("有效率１００％", "guaranteed_effect", "有效率１００％"),
            ("本店最佳保温杯", "superlative", "最佳"),
        ],
    )
    def test_are_found_whatever_their_form_and_named_by_the_text_itself(self, text: str, code: str, piece: str) -> None:
        assert (code, piece) in found(text)

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "A lamp",
            "secures cancerous growth",
            "cures cancerous",
            "uncures cancer",
            "cure cancer",
            "高级款保温杯",
            "第一步",
        ],
    )
    def test_are_whole_words_where_words_have_spaces(self, text: str) -> None:
        assert found(text) == []

    def test_overlap(self) -> None:
        assert found("全网销量第一品牌") == [("false_statement", "全网销量第一"), ("superlative", "第一品牌")]

    def test_count_on_the_days_of_the_law_only(self) -> None:
        assert found("最佳", date(2015, 8, 31)) == []
        assert found("最佳", date(2015, 9, 1)) == [("superlative", "最佳")]


def test_every_seeded_phrase_is_found_as_itself() -> None:
    with LEXICON.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))

    assert [row["phrase"] for row in rows if (row["code"], row["phrase"]) not in found(f"x {row['phrase']} y")] == []
    assert all(row["article"] and row["source"] for row in rows)
    assert len({row["phrase"] for row in rows}) == len(rows)
