"""Numbers of public registers: whether one can be what it says, and if not, what is wrong with it. Pure.

USCC after GB 32100-2015 with its amendment, the organisation's part after GB 11714, the number of business licences
before 2015 (fifteen digits) after GS 15-2006; every other scheme by python-stdnum.
"""

import re
import unicodedata
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple

from stdnum import get_cc_module
from stdnum.cn import uscc
from stdnum.exceptions import InvalidChecksum, InvalidComponent, InvalidFormat, InvalidLength, ValidationError
from stdnum.iso7064 import mod_11_10

_FAULTS: dict[type[ValidationError], str] = {
    InvalidLength: "number_wrong_length",
    InvalidFormat: "number_wrong_characters",
    InvalidChecksum: "number_wrong_check_digit",
    InvalidComponent: "number_impossible_part",
}
_ALPHABET = frozenset("0123456789ABCDEFGHJKLMNPQRTUWXY")
# Left out of the alphabet because they are taken for 1, 0, 5, U and 2.
_CONFUSABLE = frozenset("IOSVZ")
_ORGANISATION_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)
# Which kinds of body each registering department gives numbers to.
_DEPARTMENTS = {
    "1": "1239",  # offices for public establishments
    "2": "19",  # foreign affairs
    "3": "123459",  # justice
    "4": "19",  # culture
    "5": "1239",  # civil affairs
    "6": "129",  # tourism
    "7": "129",  # religion
    "8": "19",  # trade unions
    "9": "1239",  # commerce: companies, sole proprietors, farmers' co-operatives
    "A": "19",  # the military commission
    "N": "1239",  # agriculture: collectives
    "Y": "1",  # others
}
# GB/T 2260 by province, and 10 for the offices of the central government. Finer parts change every year, and many
# numbers carry the code of a zone that the standard does not list.
_PROVINCES = re.compile("1[0-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[12]")


class NumberCheck(NamedTuple):
    """What checking one number found; `compact` is its normal form."""

    code: str | None
    compact: str


@lru_cache(maxsize=10_000)
def check_number(jurisdiction: str, scheme: str, number: str) -> NumberCheck:
    """Check a number of a public register; `code` says what is wrong with it."""
    stated = number.strip()
    if not stated:
        return NumberCheck("number_missing", "")
    if _is_wide(stated):
        return NumberCheck("number_full_width", normal_form(stated))
    if (jurisdiction.upper(), scheme.lower()) == ("CN", "uscc"):
        compact = normal_form(stated)
        return NumberCheck(_uscc_fault(compact), compact)
    return _by_library(jurisdiction, scheme, stated)


def normal_form(number: str) -> str:
    """Return a number as registers write it: narrow capitals and digits without spaces and hyphens."""
    narrow = (number if number.isascii() else unicodedata.normalize("NFKC", number)).upper()
    return "".join(sign for sign in narrow if not sign.isspace() and sign != "-")


def _is_wide(number: str) -> bool:
    """Tell whether letters or digits are written in another width or style than those of registers."""
    if number.isascii():
        return False
    return any(not sign.isascii() and unicodedata.normalize("NFKC", sign).isascii() for sign in number if sign.strip())


def _uscc_fault(number: str) -> str | None:
    if len(number) != 18:
        return _other_kind(number)
    if not _ALPHABET.issuperset(number):
        plain = _ALPHABET.union(_CONFUSABLE).issuperset(number)
        return "number_confusable_letter" if plain else "number_wrong_characters"
    if number[17] != uscc.calc_check_digit(number[:17]):
        return "number_wrong_check_digit"
    return _wrong_part(number)


def _wrong_part(number: str) -> str | None:
    """Say which part of a number cannot be although the check digit is right: what is made up has that too."""
    if number[16] != organisation_check_digit(number[8:16]):
        return "number_wrong_organisation_digit"
    if number[1] not in _DEPARTMENTS.get(number[0], ""):
        return "number_unknown_department"
    if not number[2:8].isdigit() or _PROVINCES.fullmatch(number[2:4]) is None:
        return "number_unknown_division"
    return None


def _other_kind(number: str) -> str:
    """Say what a number that is no USCC by its length is instead: of the kinds that were in use before it."""
    plain = number.isascii() and number.isalnum()
    if plain and len(number) == 15 and number.isdigit() and mod_11_10.is_valid(number):
        return "number_old_kind"
    if plain and len(number) == 9 and number[8] == organisation_check_digit(number[:8]):
        return "number_organisation_only"
    return "number_wrong_length"


def organisation_check_digit(organisation: str) -> str:
    """Return the check digit of the eight signs of an organisation (GB 11714)."""
    total = sum(int(sign, 36) * weight for sign, weight in zip(organisation, _ORGANISATION_WEIGHTS, strict=True))
    return "0123456789X0"[11 - total % 11]


def _by_library(jurisdiction: str, scheme: str, number: str) -> NumberCheck:
    validate = _validator(jurisdiction, scheme)
    if validate is None:
        return NumberCheck("scheme_unknown", number)
    try:
        return NumberCheck(None, validate(number))
    except ValidationError as error:
        return NumberCheck(_FAULTS.get(type(error), "number_invalid"), number)
    except (ValueError, IndexError, KeyError):
        # A few of the library's modules fall over text that is no number at all.
        return NumberCheck("number_wrong_characters", number)


@lru_cache(maxsize=4_096)
def _validator(jurisdiction: str, scheme: str) -> Callable[[str], str] | None:
    if not (jurisdiction.isascii() and jurisdiction.isalpha() and scheme.isascii() and scheme.isidentifier()):
        return None
    found: Any = get_cc_module(jurisdiction.lower(), scheme.lower())  # python-stdnum's modules are found by name
    return getattr(found, "validate", None)
