"""Sketches of texts: near copies have most hashes in common, others next to none."""

from base64 import b64decode
from random import Random

import numpy as np
import polars as pl
import pytest

from services.listings.sketches import sketched
from services.risk.copies import sketch_clusters

ENGLISH = "iboughtthislampformyreadingcorneritisbrightsturdyandcamewithinthreedayswellpacked"
CHINESE = "这款台灯做工很扎实光线柔和不刺眼物流三天就到了包装也严实下次还会回购"


def agreeing(text: str, other: str) -> float:
    """Return the share of hashes that two texts have in common."""
    first, second = (np.frombuffer(b64decode(one or ""), "<u4") for one in sketched([text, other]))
    return float((first == second).mean())


class TestSketched:
    @pytest.mark.parametrize(
        ("text", "copy"),
        [
            (ENGLISH, ENGLISH.replace("lamp", "chair")),
            (ENGLISH, "hello" + ENGLISH.replace("sturdy", "solid")),
            (CHINESE, CHINESE.replace("台灯", "书桌")),
            (CHINESE, "真心推荐" + CHINESE),
        ],
    )
    def test_agree_where_texts_differ_a_little(self, text: str, copy: str) -> None:
        assert 0.5 <= agreeing(text, copy) < 1

    @pytest.mark.parametrize(
        ("text", "other"),
        [
            (ENGLISH, "thereadingcornerofthislibraryisbrightmylampathomecamebrokenandbadlypackedafterweeks"),
            (CHINESE, "这款耳机音质一般降噪效果差用了三天就坏了客服态度也不好不会再买"),
            (ENGLISH, CHINESE),
        ],
    )
    def test_differ_where_texts_share_words_only(self, text: str, other: str) -> None:
        assert agreeing(text, other) < 0.3

    def test_are_short_and_the_same_in_any_batch(self) -> None:
        alone, together = sketched([ENGLISH]), sketched([CHINESE, "", ENGLISH])

        assert together[1:] == [None, alone[0]]
        assert [len(one or "") for one in together] == [160, 0, 160]

    @pytest.mark.parametrize("text", ["", "很好物流快", "worksfinethanks"])
    def test_are_none_of_texts_too_short_to_tell(self, text: str) -> None:
        assert sketched([text]) == [None]


class TestSketchClusters:
    def test_find_near_copies_among_thousands(self) -> None:
        random = Random(1)
        letters = ("abcdefghijklmnopqrstuvwxyz", "".join(map(chr, range(0x4E00, 0x4E00 + 600))))
        texts = ["".join(random.choices(letters[n % 2], k=80)) for n in range(4000)]
        planted = [texts[0] + "xyz", texts[1][:78] + "的的", texts[2]]
        sketches = [b64decode(one) if one else None for one in sketched([*texts, *planted, "short"])]

        found = sketch_clusters(pl.Series("sketch", sketches, pl.Binary)).to_list()

        assert found[4000:] == [found[0], found[1], found[2], None]
        assert len(set(found[:4000])) == 4000
