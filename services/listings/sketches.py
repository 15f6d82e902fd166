"""Sketches of texts, by MinHash over their characters: near copies are found by them without the texts. Pure."""

import base64
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from rensa import RMinHash

# A Chinese character says about as much as two letters.
_WIDE_LENGTH, _LENGTH = 3, 5
# Shorter texts are alike by chance: 很好, "works fine".
_SHORTEST_WIDE, _SHORTEST = 8, 25
# Four bytes each; as many as base64 needs no padding for, and ten bands of three.
_HASHES = 30
_CHARACTERS = _HASHES * 4 * 8 // 6
# The beginning of a longer text tells it from others.
_LONGEST = 4_000
_SEED = 1
_MIXER = np.uint64(0x9E3779B97F4A7C15)


def sketched(texts: Sequence[str]) -> list[str | None]:
    """Return the sketch of each text of bare letters as base64; none of those that are too short to tell.

    As many of its 30 hashes agree with those of another text, on average, as the two share of their n-grams (Broder,
    On the resemblance and containment of documents, 1997).
    """
    found: list[str | None] = [None] * len(texts)
    # Chinese takes three bytes a character in UTF-8; Latin, Greek and Cyrillic letters take one or two.
    wide = [len(text.encode()) > 2 * len(text) for text in texts]
    for is_wide, length, shortest in ((True, _WIDE_LENGTH, _SHORTEST_WIDE), (False, _LENGTH, _SHORTEST)):
        own = [place for place, text in enumerate(texts) if wide[place] is is_wide and len(text) >= shortest]
        if own:
            for place, sketch in zip(own, _encoded([texts[place][:_LONGEST] for place in own], length), strict=True):
                found[place] = sketch
    return found


def _encoded(texts: Sequence[str], length: int) -> list[str]:
    hashes, offsets = _grams(texts, length)
    matrix = RMinHash.digest_matrix_from_flat_token_hashes(hashes, offsets, _HASHES, _SEED)
    whole = base64.b64encode(np.array(matrix.to_rows(), dtype="<u4").tobytes()).decode()
    return [whole[start : start + _CHARACTERS] for start in range(0, len(whole), _CHARACTERS)]


def _grams(texts: Sequence[str], length: int) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int64]]:
    """Return the hashes of the n-grams of all texts, one after the other, and where each text's begin and end."""
    letters = np.frombuffer("".join(texts).encode("utf-32-le"), dtype="<u4")
    sizes = np.array([len(text) for text in texts])
    rolled = np.zeros(len(letters) - length + 1, dtype=np.uint64)
    for place in range(length):
        rolled *= _MIXER
        rolled += letters[place : place + len(rolled)]
    rolled ^= rolled >> np.uint64(32)
    # Those that run over the end of their text are of none.
    whole = np.ones(len(letters), dtype=bool)
    for place in range(1, length):
        whole[np.cumsum(sizes) - place] = False
    return rolled[whole[: len(rolled)]], np.concatenate([[0], np.cumsum(sizes - length + 1)])
