"""A row of an extract as a registry entry, or what is wrong with it. Pure."""

import re
import unicodedata
from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from services.identity.name_likeness import grams, normal_name
from services.identity.numbers import check_number, normal_form

_KNOWN = ("number", "name", "status", "registered_on")
_MOST = {"number": 80, "name": 500}
_MOST_CONTENT = 100_000
_STATES = {
    "active": ("active", "registered", "在业", "存续", "在营", "开业", "正常", "在册", "存续(在营、开业、在册)"),
    "revoked": ("revoked", "吊销", "吊销,未注销", "吊销未注销", "吊销,已注销"),
    "cancelled": ("cancelled", "canceled", "dissolved", "struck off", "注销", "已注销"),
    "moved": ("moved", "迁出", "已迁出"),
}
_STATE_OF = {word: state for state, words in _STATES.items() for word in words}
_DAY = re.compile(r"(\d{4})[-/.年]?(\d{1,2})[-/.月]?(\d{1,2})日?(?:[T ].*)?")
# What extracts write where they know nothing.
_NOTHING = frozenset({"", "n/a", "na", "null", "none", "nan", "-", "—", "--", "无"})


class Fault(NamedTuple):
    """What is wrong with a field of a row, and whether the row was taken without it."""

    row: int
    field: str
    code: str
    is_taken: bool = False


class Entry(NamedTuple):
    """What an extract says of one number."""

    row: int
    number: str
    name: str
    normal_name: str
    grams: list[str]
    status: str
    registered_on: date | None
    content: dict[str, str]


class Reading(NamedTuple):
    """An entry, or none, and every fault of its row. `is_irregular`: the register has a number that cannot be."""

    entry: Entry | None
    faults: list[Fault]
    is_irregular: bool = False


def read_row(row: int, fields: Mapping[str, str], *, jurisdiction: str, scheme: str) -> Reading:
    """Return what a row says; a field that is needed and broken costs the row, another one itself."""
    stated = {name: value.strip() for name, value in fields.items()}
    number, name = normal_form(stated.get("number", "")), stated.get("name", "")
    faults = [
        Fault(row, field, code)
        for field, code in (("number", _bad("number", number)), ("name", _bad("name", name)))
        if code
    ]
    content = {key: value for key, value in stated.items() if key not in _KNOWN and value.lower() not in _NOTHING}
    if sum(len(key) + len(value) for key, value in content.items()) > _MOST_CONTENT:
        faults.append(Fault(row, "", "row_too_long"))
    if faults:
        return Reading(None, faults)
    registered_on = _day(stated.get("registered_on", ""))
    if registered_on is None and stated.get("registered_on", "").lower() not in _NOTHING:
        faults.append(Fault(row, "registered_on", "day_unreadable", is_taken=True))
    entry = Entry(
        row, number, name, normal_name(name), grams(name), _state(stated.get("status", "")), registered_on, content
    )
    code = check_number(jurisdiction, scheme, number).code
    return Reading(entry, faults, is_irregular=code not in (None, "scheme_unknown"))


def _bad(field: str, value: str) -> str | None:
    if value.lower() in _NOTHING:
        return f"{field}_missing"
    if len(value) > _MOST[field]:
        return f"{field}_too_long"
    if any(unicodedata.category(sign) == "Cc" for sign in value):
        return f"{field}_not_text"
    return None


def _state(word: str) -> str:
    if word.lower() in _NOTHING:
        return "active"
    plain = unicodedata.normalize("NFKC", word).lower()
    return _STATE_OF.get(plain, word)


def _day(text: str) -> date | None:
    found = _DAY.fullmatch(text)
    if found is None:
        return None
    try:
        return date(*map(int, found.groups()))
    except ValueError:
        return None
