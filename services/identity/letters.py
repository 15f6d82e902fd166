"""One way of writing text: width, case, accents, and traditional Chinese characters. Pure."""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

from opencc import OpenCC

# Letters that Unicode does not take apart into a letter and its accent.
_LATIN = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "æ": "a", "œ": "o", "þ": "th", "ı": "i"})
_ACCENTS = re.compile("[\u0300-\u036f]")
# Müller writes himself Mueller where there is no ü.
_UMLAUT = re.compile("(?<=[aou])e+")
HAN = "\u3400-\u4dbf\u4e00-\u9fff"
# Characters that are written without spaces between words: Han, kana and Hangul.
DENSE = HAN + "\u3005\u3040-\u30ff\uac00-\ud7a3"
_DENSE = re.compile(f"[{DENSE}]")
_LETTERS = re.compile(rf"[{DENSE}]|\d+|[^\W\d_{DENSE}]+")


class _Simplified(dict[int, str]):
    """Simplified characters by traditional ones, each asked for once.

    Character by character: phrases would make a result depend on what stands beside it, and a name's parts are
    compared alone too.
    """

    def __init__(self) -> None:
        super().__init__()
        self._converter = OpenCC("t2s")

    def __missing__(self, code: int) -> str:
        sign = chr(code)
        if code >= 0x2E80:
            # Few take two steps: what comes of a character may itself be one to simplify.
            while (simple := self._converter.convert(sign)) != sign and len(simple) == 1:
                sign = simple
        self[code] = sign
        return sign


_SIMPLIFIED = _Simplified()


@lru_cache(maxsize=20_000)
def tidy(text: str) -> str:
    """Return a text without differences of width, case, accent and script that mean nothing to a reader."""
    if text.isascii():
        return _UMLAUT.sub("", text.lower())
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", text).casefold()).translate(_LATIN)
    # Characters that fall apart fall apart again after the case was folded.
    bare = _ACCENTS.sub("", unicodedata.normalize("NFKD", bare)).casefold()
    return _UMLAUT.sub("", unicodedata.normalize("NFKC", bare).translate(_SIMPLIFIED))


def words(text: str) -> list[str]:
    """Return the words, the numbers and the single dense characters of a tidy text, without punctuation."""
    return _LETTERS.findall(text)


def is_dense(word: str) -> bool:
    """Tell whether a word is of a script without spaces between words."""
    return _DENSE.match(word) is not None


def shingles(parts: Iterable[str]) -> frozenset[str]:
    """Return what parts of a text are made of: pairs of dense characters, triples of letters, whole numbers.

    A part's order among the others leaves no trace; a typing error changes two or three shingles.
    """
    found: set[str] = set()
    for part in parts:
        size = 2 if is_dense(part) else 3
        whole = part if size == 2 or part.isdecimal() else f" {part} "
        if len(whole) <= size or part.isdecimal():
            found.add(whole)
        else:
            found.update(whole[place : place + size] for place in range(len(whole) - size + 1))
    return frozenset(found)
