"""Legal notices on a page: registration numbers, licences, badges, filings, addresses and contacts. Pure.

Found here is what a page says, not what it is worth. Numbers are kept masked beside a keyed hash, which is enough to
compare them, and excerpts hold labels with masked digits: whose number it is nobody knows yet. It may be a person's.
"""

import csv
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs
from uuid import UUID

from ada_url import URL

from services.identity.numbers import check_number, normal_form
from services.identity.page_reading import Image, Link, Shown, path_of
from shared.events.pages import MarkKind, PageMark

# What stands for a number: equal for equal ones, and no number.
Blind = Callable[[str], str]

# As which kind of number all of them are made blind, so that they can be compared with those of files.
SCHEME = "uscc"
MOST_MARKS = 40
_MOST_TOKEN = 8_000
_LEAST_ADDRESS = 6
_END = 1 << 60
_REGISTERS = Path(__file__).with_name("page_registers.csv")

_LABEL = (
    r"统一社会信用代码|社会信用代码|信用代码|营业执照(?:注册)?(?:编)?号|执照(?:注册)?(?:编)?号|工商注册号|注册号"
    r"|Unified Social Credit (?:Code|Identifier)|\bUSCC|Business Licen[cs]e (?:No|Number)|Licen[cs]e (?:No|Number)"
    r"|Registration (?:No|Number)|营业执照|Business Licen[cs]e"
)
_LABELLED = re.compile(
    rf"(?P<label>{_LABEL})[\s:.#/|()、,，：（）-]{{0,12}}(?P<number>[0-9A-Z](?:[ -]?[0-9A-Z]){{7,23}})(?![0-9A-Z])",
    re.IGNORECASE,
)
_LOOSE = re.compile(r"(?<![0-9A-Z])[0-9A-Z](?:[ -]?[0-9A-Z]){17}(?![0-9A-Z])", re.IGNORECASE)
# A department, a kind, six digits of a place (or what is taken for digits), and ten more signs.
_LIKE_USCC = re.compile(r"(?:[159][1-59]|[N5AY][1-59])[0-9OISZB]{6}[0-9A-Z]{10}")
_IN_ADDRESS = re.compile(rf"(?<![0-9A-Z]){_LIKE_USCC.pattern}(?![0-9A-Z])")
# A path, and no other scheme, no place on the same page and nothing at all.
_OWN_SITE = re.compile(r"\s*(?![#\s])(?![a-z][a-z0-9+.-]*:)\S", re.IGNORECASE)
_OLD = re.compile(r"(?<![0-9A-Z])\d{15}(?![0-9A-Z])", re.IGNORECASE)
_LICENCE = re.compile(r"营业执照|亮照|执照信息|证照信息|企业公示|Business Licen[cs]e|Trade Licen[cs]e", re.IGNORECASE)
_LICENCE_HINT = re.compile(r"yingye|zhizhao|yyzz|liangzhao|licen[cs]e|营业执照|亮照|执照", re.IGNORECASE)
_EXEMPT = re.compile(
    r"(?:依法)?(?:无需|不需要|不需|免于)(?:办理)?(?:市场主体|工商|营业执照)?(?:登记|注册)"
    r"|exempt(?:ed)? from (?:business |market entity )?registration",
    re.IGNORECASE,
)
_PROVINCE = "[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼]"
_ICP = re.compile(
    rf"(?P<where>{_PROVINCE})?\s?ICP\s?[备证]\s?(?P<number>\d{{1,12}}|[X*×]{{3,12}})(?!\d)", re.IGNORECASE
)
_ICP_LABEL = re.compile(r"ICP\s?(?:备案|许可证?|filing|licen[cs]e)[^\n]{0,20}", re.IGNORECASE)
_TELECOM = re.compile(rf"(?:增值电信|电信业务|经营许可证).{{0,20}}?(?:{_PROVINCE}[AB][12]|[AB][12])-?\d{{7,8}}")
_ADDRESS = re.compile(
    r"(?:注册地址|公司地址|联系地址|办公地址|经营地址|地址|住所|经营场所|Registered (?:office|address)|Postal address"
    r"|Address)[ \t]{0,3}[::：][ \t]{0,3}(?P<said>[^\n。；;|]{6,120})",
    re.IGNORECASE,
)
# What stands on the same line, and may be of a person.
_AFTER_ADDRESS = re.compile(
    r"联系人|电话|手机|传真|邮编|法定代表人|负责人|经营者|\bTel|\bContact|\bPhone", re.IGNORECASE
)
_PHONE = re.compile(
    r"(?<![0-9A-Za-z-])(?:400[ -]?\d{3}[ -]?\d{4}|(?:\+|00)\d{1,3}[ -]?[\d ()-]{6,16}\d|0\d{2,3}[ -]\d{7,8}"
    r"|1[3-9]\d{9}|95\d{3,6})(?!\d)"
)
_EMAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_DIGITS = re.compile(r"\d(?:[ -]?\d){4,}")
_SPACES = re.compile(r"\s+")


class Where(NamedTuple):
    """What a page is read with: the host of badges' pages, and what makes numbers blind."""

    badge_host: str
    blind: Blind


def marks(shown: Shown, kind: str, where: Where) -> list[PageMark]:
    """Return the legal notices of a page, those of what nothing else depends on only where the page is a home page."""
    text = _narrow(shown.text)
    found = [_numbers(shown, text, where.blind), _badges(shown, where), _links(shown, where), _images(shown)]
    found.append(_matches("exemption", _EXEMPT, shown, text))
    if kind == "home":
        found += [_icp(shown, text), _addresses(shown, text), _contacts(shown, text)]
    # Of each kind so many are looked for, and no further.
    return [mark for own in found for mark in islice(own, MOST_MARKS)]


def masked(number: str) -> str:
    """Return a number of which only the ends can be read."""
    return f"{number[:2]}{'*' * (len(number) - 6)}{number[-4:]}" if len(number) > 8 else "*" * len(number)


def _narrow(text: str) -> str:
    """Return text with each sign of another width or style as the usual one, none moved."""
    return text.translate(_usual_signs())


@lru_cache(maxsize=1)
def _usual_signs() -> dict[int, str]:
    """Return what signs of other widths and styles stand for: full-width, small, mathematical, circled."""
    blocks = (range(0x2070, 0x20A0), range(0x2460, 0x2500), range(0xFE50, 0xFFEF), range(0x1D400, 0x1D800))
    plain = {sign: unicodedata.normalize("NFKC", chr(sign)) for block in blocks for sign in block}
    return {sign: own for sign, own in plain.items() if len(own) == 1 and own.isascii()} | {0x3000: " ", 0xA0: " "}


def _numbers(shown: Shown, text: str, blind: Blind) -> Iterator[PageMark]:
    seen = set()
    spans: list[tuple[int, int]] = []
    for found in _LABELLED.finditer(text):
        compact = normal_form(found["number"])
        if sum(sign.isdigit() for sign in compact) < 6:
            continue
        # A word after a number is not part of it: it is cut at the length of the kinds there are.
        number = _cut(found["number"])
        spans.append((found.start("number"), found.end("number")))
        if normal_form(number) in seen:
            continue
        seen.add(normal_form(number))
        yield _number(shown, found.start("number"), number, found["label"], blind)
    for pattern in (_LOOSE, _OLD):
        for found in pattern.finditer(text):
            compact = normal_form(found[0])
            fits = _LIKE_USCC.fullmatch(compact) if pattern is _LOOSE else _is_old(compact)
            if fits and compact not in seen and not _is_within(found.start(), spans):
                seen.add(compact)
                yield _number(shown, found.start(), found[0], "", blind)


def _is_old(number: str) -> bool:
    return check_number("CN", "uscc", number).code == "number_old_kind"


def _is_within(offset: int, spans: Sequence[tuple[int, int]]) -> bool:
    place = bisect_right(spans, (offset, _END)) - 1
    return place >= 0 and offset < spans[place][1]


def _cut(stated: str) -> str:
    """Return a number without the words after it: its first part, or its first 18 signs, where those are a number."""
    first = stated.split(maxsplit=1)[0]
    if len(normal_form(first)) in (15, 18):
        return first
    count = 0
    for place, sign in enumerate(stated):
        count += sign.isalnum()
        if count == 18:
            rest = stated[place + 1 :]
            return stated[: place + 1] if rest.startswith((" ", "-")) else stated
    return stated


def _number(shown: Shown, offset: int, stated: str, label: str, blind: Blind) -> PageMark:
    compact = normal_form(stated)
    check = check_number("CN", "uscc", compact)
    return PageMark(
        kind="number",
        said=masked(compact),
        code=check.code,
        blind=blind(compact),
        excerpt=f"{label} {masked(compact)}".strip(),
        path=shown.path_at(offset),
        offset=offset,
    )


def _badges(shown: Shown, where: Where) -> Iterator[PageMark]:
    for mark in shown.tokens:
        yield _badge(mark, mark.target.strip(), None, None)
    for link in shown.links:
        # Addresses are read as browsers read them, which costs more than to see that most are of no interest.
        if "badges" not in link.target or (url := _url(link.target)) is None or (badge := _badge_in(url)) is None:
            continue
        elsewhere = None if url.host == where.badge_host else "badge_forged"
        yield _badge(link, _token_in(url) or "", badge, elsewhere)


def _badge(link: Link, token: str, badge: UUID | None, code: str | None) -> PageMark:
    fits = len(token) <= _MOST_TOKEN
    return PageMark(
        kind="badge",
        said=str(badge or ""),
        code=code if fits else "badge_forged",
        token=token if fits and token else None,
        excerpt="badge",
        path=path_of(link.element),
        offset=link.offset,
    )


def _badge_in(url: URL) -> UUID | None:
    head, _, last = url.pathname.rstrip("/").rpartition("/")
    if not head.endswith("/public/badges"):
        return None
    try:
        return UUID(last)
    except ValueError:
        return UUID(int=0)


def _token_in(url: URL) -> str | None:
    try:
        stated = parse_qs(url.search.removeprefix("?"), max_num_fields=50).get("token")
    except ValueError:
        stated = None
    return stated[0] if stated else (url.hash.removeprefix("#") or None)


def _links(shown: Shown, where: Where) -> Iterator[PageMark]:
    for link in shown.links:
        speaks_of_it = _LICENCE.search(link.words) is not None
        if not speaks_of_it and not any(host in link.target.lower() for host in _registers()):
            continue
        url = _url(link.target)
        register = None if url is None else _register_of(url.hostname)
        if url is not None and register is not None:
            yield _register_link(link, url, register, where.blind)
        elif url is not None and speaks_of_it and _badge_in(url) is None:
            yield _link(link, "licence_link", url.hostname[:200], None, None)
        elif url is None and speaks_of_it and _OWN_SITE.match(link.target):
            yield _link(link, "licence_link", "", None, None)


def _register_link(link: Link, url: URL, register: str, blind: Blind) -> PageMark:
    """Return a link to a public register, with the number it leads to where it names one that can be."""
    numbers = _IN_ADDRESS.findall(f"{url.pathname} {url.search} {url.hash}".upper())
    number = next((own for own in numbers if check_number("CN", "uscc", own).code is None), None)
    leads_nowhere = url.pathname in ("", "/", "/index.html") and not url.search and not url.hash
    code = "register_link_empty" if leads_nowhere else None
    return _link(link, "register_link", register, code, None if number is None else blind(number))


def _link(link: Link, kind: MarkKind, said: str, code: str | None, blind: str | None) -> PageMark:
    words = _LICENCE.search(link.words)
    return PageMark(
        kind=kind,
        said=said,
        code=code,
        blind=blind,
        excerpt=words[0] if words else "",
        path=path_of(link.element),
        offset=link.offset,
    )


def _images(shown: Shown) -> Iterator[PageMark]:
    for image in shown.images:
        if not _speaks_of_licence(image):
            continue
        text = _narrow(image.words)
        if _LABELLED.search(text) or any(_LIKE_USCC.fullmatch(normal_form(own)) for own in _LOOSE.findall(text)):
            # Its words are among the page's, and found there.
            continue
        yield PageMark(
            kind="image",
            said="",
            code="image_not_readable",
            excerpt="image",
            path=path_of(image.element),
            offset=image.offset,
        )


def _speaks_of_licence(image: Image) -> bool:
    return bool(_LICENCE.search(image.words) or _LICENCE_HINT.search(f"{image.words} {image.hints}"))


def _icp(shown: Shown, text: str) -> Iterator[PageMark]:
    any_found = False
    for found in _ICP.finditer(text):
        fits = found["where"] is not None and found["number"].isdecimal() and 5 <= len(found["number"]) <= 10
        code = None if fits else "icp_malformed"
        any_found = True
        yield _mark("icp", shown, found.start(), _plain(found[0], 40), code)
    for found in _TELECOM.finditer(text):
        any_found = True
        yield _mark("icp", shown, found.start(), _plain(found[0], 40))
    if not any_found:
        for found in _ICP_LABEL.finditer(text):
            yield _mark("icp", shown, found.start(), _without_digits(_plain(found[0], 40)), "icp_malformed")


def _addresses(shown: Shown, text: str) -> Iterator[PageMark]:
    for found in _ADDRESS.finditer(text):
        line = _AFTER_ADDRESS.split(found["said"], maxsplit=1)[0]
        label = found[0][: found.start("said") - found.start()]
        if len(line.strip()) >= _LEAST_ADDRESS:
            yield _mark("address", shown, found.start(), _without_digits(_plain(label + line, 120)))


def _contacts(shown: Shown, text: str) -> Iterator[PageMark]:
    for found in _PHONE.finditer(text):
        yield _mark("contact", shown, found.start(), f"phone {_without_digits(found[0])}")
    for found in _EMAIL.finditer(text):
        yield _mark("contact", shown, found.start(), f"email {found[0][:1]}***@{found[0].partition('@')[2]}")
    for link in shown.links:
        scheme = link.target.strip().lower().partition(":")[0]
        if scheme in ("tel", "mailto") and len(link.target.strip()) > len(scheme) + 5:
            said = "phone" if scheme == "tel" else "email"
            yield PageMark(kind="contact", said=said, excerpt=said, path=path_of(link.element), offset=link.offset)


def _matches(kind: MarkKind, pattern: re.Pattern[str], shown: Shown, text: str) -> Iterator[PageMark]:
    for found in pattern.finditer(text):
        yield _mark(kind, shown, found.start(), _plain(found[0], 80))


def _mark(kind: MarkKind, shown: Shown, offset: int, excerpt: str, code: str | None = None) -> PageMark:
    return PageMark(kind=kind, said=excerpt, code=code, excerpt=excerpt, path=shown.path_at(offset), offset=offset)


def _plain(text: str, most: int) -> str:
    return _SPACES.sub(" ", text).strip()[:most]


def _without_digits(text: str) -> str:
    return _DIGITS.sub(lambda found: f"{found[0][:3]}{'*' * (len(found[0]) - 5)}{found[0][-2:]}", text)


def _url(target: str) -> URL | None:
    if len(target) > 10_000:
        return None
    try:
        url = URL(target.strip())
    except ValueError:
        return None
    return url if url.protocol in ("http:", "https:") and url.hostname else None


def _register_of(host: str) -> str | None:
    """Return the public register that a host belongs to."""
    parts = host.removesuffix(".").split(".")
    known = _registers()
    return next((known[own] for start in range(len(parts)) if (own := ".".join(parts[start:])) in known), None)


@lru_cache(maxsize=1)
def _registers() -> dict[str, str]:
    with _REGISTERS.open(newline="", encoding="utf-8") as file:
        return {row["host"]: row["host"] for row in csv.DictReader(file)}
