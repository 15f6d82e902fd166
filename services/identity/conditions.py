"""What a file must have to be let in: by kind of entity, mode and trade, as the law was on a day. Pure.

A condition is a rule value: `address.required`, or of a kind of entity (`….natural_person`), a mode (`….B2B`), or both.
The nearest name decides, so that a rule pack of a mode or a kind of entity can ask for more or less than the general.
"""

import csv
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from shared.events.platform import Contacts, OperatorChanged, OperatorRegistered

File = OperatorRegistered | OperatorChanged
Values = Mapping[str, float]

NATURAL_PERSON = "natural_person"
_KINDS = {
    NATURAL_PERSON: ("natural_person", "person", "individual", "自然人"),
    "sole_proprietor": ("sole_proprietor", "sole_proprietorship", "sole_trader", "个体工商户"),
    "company": ("company", "enterprise", "corporation", "llc", "企业", "公司", "有限责任公司", "股份有限公司"),
}
_KIND_OF = {word: kind for kind, words in _KINDS.items() for word in words}
_CUSTOMS_NUMBER = re.compile(r"[0-9A-Z]{10}")
_STEPS = re.compile(r"[/>|,;、，；]")
_LEFT_OUT = re.compile(r"[(（][^()（）]*(?:不含|除外|except|excluding)[^()（）]*[)）]", re.IGNORECASE)


# What may be asked beside qualifications, and the code of a file that lacks it.
ASKED = {
    "licence.required": "licence_missing",
    **{
        f"{name}.required": f"{name}_missing"
        for name in (
            *("address", "contact", "phone", "email", "identity_mark", "representative", "customs_registration"),
        )
    },
}


class Kind(NamedTuple):
    """A qualification: under which names files state it, and what finds the trades that need it."""

    name: str
    accepted: frozenset[str]
    words: re.Pattern[str]
    # Names of categories that mean nothing else, while in a list of trades they may be part of another word.
    categories: frozenset[str]


def entity_kind(entity_type: str) -> str:
    """Return which kind of entity a platform's word means; its own word where it is none we know."""
    word = entity_type.strip().casefold().replace(" ", "_").replace("-", "_")
    return _KIND_OF.get(word, word)


def asks(values: Values, condition: str, file: File) -> bool:
    """Tell whether the values of a day ask something of a file."""
    return rule_that_asks(values, condition, entity_kind(file.entity_type), file.mode) is not None


def rule_that_asks(values: Values, condition: str, kind: str, mode: str) -> str | None:
    """Return the rule by which something is asked of a kind of entity in a mode: the nearest name decides."""
    names = (f"{condition}.{kind}.{mode}", f"{condition}.{kind}", f"{condition}.{mode}", condition)
    nearest = next((name for name in names if name in values), None)
    return nearest if nearest is not None and values[nearest] > 0 else None


def missing(file: File, values: Values) -> Iterator[str]:
    """Yield a code for each thing that is asked of a file and not in it."""
    contacts = file.contacts or Contacts()
    has = {
        "address": contacts.address,
        "contact": (contacts.phone or "").strip() or contacts.email,
        "phone": contacts.phone,
        "email": contacts.email,
        "representative": file.representative,
        "customs_registration": file.customs_registration,
    }
    for condition, stated in has.items():
        if not (stated or "").strip() and asks(values, f"{condition}.required", file):
            yield f"{condition}_missing"
    if file.registration is None and asks(values, "identity_mark.required", file):
        yield "identity_mark_missing"


def malformed(file: File) -> Iterator[str]:
    """Yield a code for each thing that is in a file and cannot be: of a mailbox without an @, and the like."""
    contacts = file.contacts or Contacts()
    if contacts.email and not re.fullmatch(r"[^@\s]+@[^@\s]+", contacts.email.strip()):
        yield "email_malformed"
    if contacts.phone and sum(sign.isdigit() for sign in contacts.phone) < 5:
        yield "phone_malformed"
    stated = (file.customs_registration or "").strip().upper()
    if stated and file.jurisdiction.upper() == "CN" and _CUSTOMS_NUMBER.fullmatch(stated) is None:
        yield "customs_registration_malformed"


def unqualified(file: File, values: Values, on: date) -> Iterator[str]:
    """Yield a code for each qualification that the stated trades need and the file has not, or has no longer."""
    return lacking(file, needed(file.licence.scope if file.licence is not None else []), values, on)


def lacking(file: File, wanted: Sequence[Kind], values: Values, on: date) -> Iterator[str]:
    """Yield a code for each kind of qualification that is asked of such an operator and that its file has not."""
    held = {_plain(one.kind): one for one in sorted(file.qualifications, key=lambda one: one.expires_on or date.max)}
    for kind in wanted:
        if not asks(values, f"qualification.{kind.name}", file):
            continue
        own = [held[name] for name in sorted(kind.accepted & held.keys())]
        if not own:
            yield f"qualification_missing_{kind.name}"
        elif all(one.expires_on is not None and one.expires_on < on for one in own):
            yield f"qualification_expired_{kind.name}"


def held_until(file: File, wanted: Sequence[Kind]) -> date | None:
    """Return the first last day of the qualifications that are wanted and held; None where none of them ends."""
    ends = []
    for kind in wanted:
        own = [one.expires_on for one in file.qualifications if _plain(one.kind) in kind.accepted]
        if own and None not in own:
            ends.append(max(day for day in own if day is not None))
    return min(ends, default=None)


def needed(trades: Sequence[str]) -> list[Kind]:
    """Return the kinds of qualification that trades or categories need, wherever a rule asks for them."""
    said = [_LEFT_OUT.sub(" ", unicodedata.normalize("NFKC", trade).casefold()) for trade in trades]
    return [kind for kind in kinds() if any(kind.words.search(trade) for trade in said)]


def needed_in(category: str | None) -> list[Kind]:
    """Return the kinds of qualification that a category of offers needs; a path of categories needs what each does."""
    if not category:
        return []
    named = {_plain(part) for part in _STEPS.split(category)}
    spoken = set(needed([category]))
    return [kind for kind in kinds() if kind in spoken or kind.categories & named]


@lru_cache(maxsize=1)
def kinds() -> tuple[Kind, ...]:
    """Return every kind of qualification there is a rule about."""
    with Path(__file__).with_name("qualifications.csv").open(newline="", encoding="utf-8") as file:
        return tuple(
            Kind(
                row["kind"],
                frozenset(map(_plain, row["accepted"].split("|"))),
                _finding(row["words"].split("|")),
                frozenset(map(_plain, row["categories"].split("|"))),
            )
            for row in csv.DictReader(file)
        )


def _finding(words: Sequence[str]) -> re.Pattern[str]:
    # Words of the Latin alphabet whole; Chinese has no spaces between them.
    parts = [rf"\b{re.escape(word)}\b" if word.isascii() else re.escape(word) for word in words]
    return re.compile("|".join(parts))


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip().casefold().replace(" ", "_").replace("-", "_")
