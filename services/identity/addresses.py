"""Addresses in a form that does not depend on the order and the abbreviation of their parts. Pure."""

import re
from typing import NamedTuple

from services.identity.letters import DENSE, HAN, is_dense, shingles, tidy
from services.identity.names import PROVINCES

# The words that say what the name before them is: of what kind, most of all, is left out as often as written.
_SUFFIXES = (
    *("特别行政区", "自治区", "自治州", "自治县", "办事处", "村委会", "街道", "大道", "单元", "社区"),
    *(
        "省",
        "市",
        "区",
        "县",
        "旗",
        "盟",
        "镇",
        "乡",
        "村",
        "街",
        "路",
        "巷",
        "弄",
        "号",
        "楼",
        "栋",
        "幢",
        "座",
        "室",
        "层",
        "院",
    ),
)
_CUT = re.compile("|".join(_SUFFIXES))
_COUNTRY = re.compile("^(?:中华人民共和国|中国)")
_PROVINCE = re.compile(
    rf"(?:{'|'.join(PROVINCES)})(?:(?:维吾尔|壮族|回族)?自治区|特别行政区|省|市)"
    rf"|^(?:{'|'.join(PROVINCES)})(?![{HAN}]?(?:路|街|大道|巷))"
    rf"|(?<![{HAN}])(?:{'|'.join(PROVINCES)})(?![{HAN}])"
)
_NUMERALS = {sign: str(value) for value, sign in enumerate("零一二三四五六七八九")}
_NUMERAL = re.compile(r"([一二三四五六七八九])(?=号|楼|栋|幢|座|室|层|单元|#)")
_PARTS = re.compile(rf"[{DENSE}]+|\d+|[^\W\d_{DENSE}]+")
# One word for each way of writing it; those that say nothing have none.
_LATIN = {
    **dict.fromkeys(("rd", "road"), "road"),
    **dict.fromkeys(("st", "str", "street", "strasse", "straat"), "street"),
    **dict.fromkeys(("ave", "av", "avenue", "avenida"), "avenue"),
    **dict.fromkeys(("blvd", "boulevard", "bd", "bvd"), "boulevard"),
    **dict.fromkeys(("r", "rue", "rua"), "rua"),
    **dict.fromkeys(("ste", "suite", "rm", "room", "apt", "apartment", "unit", "flat"), "room"),
    **dict.fromkeys(("fl", "floor", "flr"), "floor"),
    **dict.fromkeys(("bldg", "building", "blk", "block"), "building"),
    **dict.fromkeys(("dr", "drive"), "drive"),
    **dict.fromkeys(("ln", "lane"), "lane"),
    **dict.fromkeys(("hwy", "highway"), "highway"),
    **dict.fromkeys(("sq", "square"), "square"),
    **dict.fromkeys(("pl", "platz", "place"), "place"),
    **dict.fromkeys(("ct", "court"), "court"),
    **dict.fromkeys(("n", "north"), "north"),
    **dict.fromkeys(("s", "south"), "south"),
    **dict.fromkeys(("e", "east"), "east"),
    **dict.fromkeys(("w", "west"), "west"),
    **dict.fromkeys(("dist", "district"), "district"),
    **dict.fromkeys(("prov", "province"), "province"),
    **dict.fromkeys(("no", "nr", "num", "number", "the"), ""),
}
_STREET = re.compile("(?<=[a-z]{3})str(?:asse)?$")


class Address(NamedTuple):
    """An address to compare: `key` whole, `numbers` alone, and `pieces` for one that differs a little."""

    key: str
    numbers: str
    pieces: frozenset[str]


def address(text: str) -> Address | None:
    """Return an address in the form to compare; None where nothing is left of it.

    The key is the multiset of its characters, numbers and words: two addresses with the same ones in another order are
    taken for the same.
    """
    dense, numbers, latin = _parts(text)
    if not (dense or latin):
        return None
    signs = "".join(sorted("".join(dense)))
    found = " ".join(sorted(numbers))
    key = "|".join((signs, found, " ".join(sorted(latin))))
    return Address(key, found, shingles([*dense, *numbers, *latin]))


def _parts(text: str) -> tuple[list[str], list[str], list[str]]:
    bare = _NUMERAL.sub(lambda sign: _NUMERALS[sign[1]], tidy(text))
    bare = _PROVINCE.sub(" ", _COUNTRY.sub("", bare.strip()))
    dense: list[str] = []
    numbers: list[str] = []
    latin: list[str] = []
    for part in _PARTS.findall(_CUT.sub(" ", bare)):
        if is_dense(part):
            dense.append(part)
        elif part.isdecimal():
            numbers.append(str(int(part)))
        elif word := _word(part):
            latin.append(word)
    return dense, numbers, latin


def _word(part: str) -> str:
    street = _STREET.sub(" street", part)
    return _LATIN.get(street, street).replace(" ", "")
