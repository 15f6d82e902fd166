"""Names of firms: their normal form, their distinctive part, and how alike two of them are. Pure."""

import re
import unicodedata
from typing import Literal, NamedTuple

from rapidfuzz import fuzz

Likeness = Literal["same", "near", "other"]

_BRACKETS = str.maketrans({"〔": "(", "〕": ")", "【": "(", "】": ")", "［": "(", "］": ")"})
# What a firm is, and not which: two names that differ in nothing else are near, and two that agree in it alone are not.
_FORMS = re.compile(
    r"(股份有限公司|有限责任公司|有限公司|股份公司|总公司|分公司|公司|\(普通合伙\)|\(有限合伙\)"
    r"|株式会社|有限会社|주식회사|유한회사"
    r"|\b(co|company|ltd|limited|llc|inc|incorporated|corp|corporation|plc|gmbh|ag|kg|ohg|ug|sarl|sas|sasu|sa|srl|spa"
    r"|bv|nv|ab|oy|aps|ltda|eireli|me|kk|pty|pte|lda|sl)\b)"
)
_NO_SIGN = re.compile(r"[\W_]+")


class Comparison(NamedTuple):
    """How a stated name stands to a registered one; `score` is from 0 to 1."""

    likeness: Likeness
    score: float


def normal_name(name: str) -> str:
    """Return a name without differences of width, case, spaces and punctuation."""
    return _NO_SIGN.sub("", unicodedata.normalize("NFKC", name.translate(_BRACKETS)).casefold())


def stem(name: str) -> str:
    """Return what of a name is the firm's own: without its legal form."""
    plain = unicodedata.normalize("NFKC", name.translate(_BRACKETS)).casefold().replace(".", "")
    return _NO_SIGN.sub("", _FORMS.sub(" ", plain)) or normal_name(name)


def grams(name: str) -> list[str]:
    """Return the pairs of neighbouring signs of a name's own part, by which like names are found."""
    own = stem(name)
    return sorted({own[place : place + 2] for place in range(max(1, len(own) - 1))} - {""})


def compare(registered: str, stated: str, *, near_from: float) -> Comparison:
    """Tell whether a stated name is the registered one, nearly, or another."""
    if normal_name(registered) == normal_name(stated):
        return Comparison("same", 1.0)
    score = fuzz.ratio(stem(registered), stem(stated)) / 100
    return Comparison("near" if score >= near_from else "other", round(score, 4))
