"""Names of companies and of persons in the form in which they are compared, Chinese and Latin. Pure."""

import re
from collections import defaultdict
from functools import lru_cache

from cleanco.clean import normalized, prepare_default_terms, strip_punct, strip_tail

from services.identity.letters import HAN, is_dense, shingles, tidy, words

# Legal forms at the end of a Chinese name, and around Japanese and Korean ones, as `tidy` writes them.
_FORMS_BEHIND = (
    *("股份有限责任公司", "有限责任公司", "股份有限公司", "有限公司", "责任公司", "股份公司", "总公司", "公司"),
    *("集团", "有限合伙", "普通合伙", "合伙企业", "个人独资企业", "个体工商户", "株式会社", "有限会社", "合同会社"),
    *("주식회사", "유한회사", "유한책임회사", "合资会社", "股份合作"),
)
_FORMS_BEFORE = ("株式会社", "有限会社", "合同会社", "주식회사", "유한회사", "유한책임회사")
_SHORT_FORMS = re.compile(r"\((?:주|유|株|有)\)")
# A branch is another place than its head, and often under another licence.
_BRANCHES = ("分公司", "支公司", "子公司")
_PLACE = re.compile(rf"^[{HAN}]{{2,3}}(?:省|市|自治区|特别行政区|县)(?=[{HAN}]{{2}})")
PROVINCES = (
    *("北京", "天津", "上海", "重庆", "河北", "山西", "辽宁", "吉林", "黑龙江", "江苏", "浙江", "安徽", "福建"),
    *("江西", "山东", "河南", "湖北", "湖南", "广东", "海南", "四川", "贵州", "云南", "陕西", "甘肃", "青海"),
    *("台湾", "内蒙古", "广西", "西藏", "宁夏", "新疆", "香港", "澳门"),
)
_PROVINCE = re.compile(rf"^(?:{'|'.join(PROVINCES)})(?:省|市)?(?=[{HAN}]{{2}})")
_LATIN = re.compile("[a-z]")
_DOTTED = re.compile(r"\b(?:[a-z]\.){2,}")
_MARKS = re.compile(r"[^\w&+]+")


def _by_words() -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for place, (_, parts) in enumerate(prepare_default_terms()):
        found[tuple(parts)].append(place)
    return dict(found)


# The legal forms that cleanco knows, by their words, with their places in the order in which it takes them off.
_TERMS = _by_words()
_MOST_WORDS = max(map(len, _TERMS))


@lru_cache(maxsize=20_000)
def company_name(name: str) -> str:
    """Return a company's own name: without its legal form and the province or city it begins with."""
    own = _own_name(name)
    # What is left of a name may look like one with a legal form itself; it shrinks until it does not.
    while len(shorter := _own_name(own)) < len(own):
        own = shorter
    return own


def _own_name(name: str) -> str:
    text = tidy(name)
    # Most names have neither, and need not be looked through for them.
    if "(" in text:
        text = _SHORT_FORMS.sub("", text)
    if "." in text:
        text = _DOTTED.sub(lambda dotted: dotted[0].replace(".", ""), text)
    while (shorter := _without_form(text)) != text:
        text = shorter
    return " ".join(_own_words(text)) or " ".join(_own_words(tidy(name)))


def company_shingles(name: str) -> frozenset[str]:
    """Return what the own name of a company is made of, to compare it with one that differs a little."""
    return shingles(company_name(name).split())


def person_name(name: str) -> str:
    """Return a person's name: words in one order, because family names come first or last."""
    found = words(tidy(name))
    dense = "".join(word for word in found if is_dense(word))
    return " ".join(sorted([*([dense] if dense else []), *(word for word in found if not is_dense(word))]))


def _without_form(text: str) -> str:
    text = _MARKS.sub(" ", text).strip()
    if _LATIN.search(text):
        text = _MARKS.sub(" ", base_name(text)).strip()
    for form in _FORMS_BEHIND if text.endswith(_FORMS_BEHIND) else ():
        if text.endswith(form) and not text.endswith(_BRANCHES) and len(text) > len(form):
            return text.removesuffix(form).strip()
    for form in _FORMS_BEFORE if text.startswith(_FORMS_BEFORE) else ():
        if text.startswith(form) and len(text) > len(form):
            return text.removeprefix(form).strip()
    for place in (_PROVINCE, _PLACE):
        if (found := place.match(text)) is not None:
            return text[found.end() :]
    return text


def base_name(name: str) -> str:
    """Return a name without legal forms at its end, as cleanco's `basename` does, which tries them all one by one."""
    name = strip_tail(name)
    parts = name.split()
    plain = [strip_punct(part) for part in (name.casefold() if name.isascii() else normalized(name)).split()]
    last = -1
    while (found := _next_form(plain, last)) is not None:
        last, size = found
        del plain[len(plain) - size :], parts[len(parts) - size :]
    return str(strip_tail(" ".join(parts)))


def _next_form(words_left: list[str], after: int) -> tuple[int, int] | None:
    """Return the place of the first form behind one that the words end with, and of how many words it is."""
    found = (
        (place, size)
        for size in range(1, min(_MOST_WORDS, len(words_left)) + 1)
        for place in _TERMS.get(tuple(words_left[-size:]), ())
        if place > after
    )
    return min(found, default=None)


def _own_words(text: str) -> list[str]:
    """Return the words in their order; dense characters that stand together are one."""
    joined: list[str] = []
    for word in words(text):
        if joined and is_dense(word) and is_dense(joined[-1]):
            joined[-1] += word
        else:
            joined.append(word)
    return joined
