"""Near copies of texts, in Chinese and in English."""

from random import Random

import polars as pl
import pytest

from services.risk.copies import clusters

ENGLISH = "I bought this lamp for my reading corner; it is bright, sturdy and came within three days, well packed."
CHINESE = "这款台灯做工很扎实,光线柔和不刺眼,物流三天就到了,包装也严实,下次还会回购。"


def numbers(*texts: str | None) -> list[int | None]:
    return clusters(pl.Series(texts, dtype=pl.String)).to_list()


def sentence(random: Random, letters: str) -> str:
    return "".join(random.choices(letters, k=80))


class TestClusters:
    @pytest.mark.parametrize(
        ("text", "copy"),
        [
            (ENGLISH, ENGLISH),
            (ENGLISH, ENGLISH.upper().replace(" ", "  ") + "!!!"),
            (ENGLISH, ENGLISH.replace("lamp", "chair")),
            (ENGLISH, "Hello! " + ENGLISH.replace("sturdy", "solid")),
            (CHINESE, CHINESE.replace(",", " ")),
            (CHINESE, CHINESE.replace("台灯", "书桌")),
            (CHINESE, "真心推荐!" + CHINESE),
        ],
    )
    def test_joins_texts_that_differ_a_little(self, text: str, copy: str) -> None:
        first, second, other = numbers(text, copy, "a text about something else altogether, of no interest here")

        assert first == second != other

    def test_keeps_texts_apart_that_share_words(self) -> None:
        other = (
            "The reading corner of this library is bright; my lamp at home came broken and badly packed after weeks."
        )
        found = numbers(ENGLISH, other, CHINESE, "这款耳机音质一般,降噪效果差,用了三天就坏了,客服态度也不好,不会再买。")

        assert len(set(found)) == 4

    @pytest.mark.parametrize("text", [None, "", "好评!", "很好,物流快", "Works fine, thanks!", "……"])
    def test_says_nothing_of_texts_that_are_too_short_to_tell(self, text: str | None) -> None:
        assert numbers(text, text, ENGLISH)[:2] == [None, None]

    def test_finds_the_copies_among_thousands(self) -> None:
        random = Random(1)
        letters = ("abcdefghijklmnopqrstuvwxyz ", "".join(map(chr, range(0x4E00, 0x4E00 + 600))))
        texts = [sentence(random, letters[n % 2]) for n in range(4000)]
        planted = [texts[0] + "xyz", texts[1] + "的", texts[0]]

        found = clusters(pl.Series([*texts, *planted])).to_list()

        assert found[4000:] == [found[0], found[1], found[0]]
        assert len(set(found)) == 4000

    def test_is_content_without_texts(self) -> None:
        assert numbers() == []
        assert numbers(None, None) == [None, None]
