"""What a registration file says that can be checked without asking anybody: numbers, licence, dates. Pure."""

from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

from stdnum import get_cc_module
from stdnum.exceptions import InvalidChecksum, InvalidComponent, InvalidFormat, InvalidLength, ValidationError

from shared.events.identity import Verdict
from shared.events.platform import Licence, OperatorChanged, OperatorRegistered, Registration

File = OperatorRegistered | OperatorChanged

# Codes that say that something is missing to check with; every other code says that a check failed.
_GAPS = frozenset({"number_missing", "scheme_unknown", "jurisdiction_unknown", "licence_unstated"})

_FAULTS: dict[type[ValidationError], str] = {
    InvalidLength: "number_wrong_length",
    InvalidFormat: "number_wrong_characters",
    InvalidChecksum: "number_wrong_check_digit",
    InvalidComponent: "number_impossible_part",
}


class Finding(NamedTuple):
    """What checking a file found: a verdict, and a code for everything wrong or missing."""

    verdict: Verdict
    reasons: list[str]


class NumberCheck(NamedTuple):
    """What checking one number found; `compact` is its normal form."""

    code: str | None
    compact: str


def verify(file: File, *, on: date, licence_required: bool) -> Finding:
    """Return what a registration file is worth on a date.

    Rejected when a check failed, unverified when something needed for a check is missing, verified otherwise.
    """
    reasons = [code for code in (_number(file), _licence(file, on, required=licence_required)) if code]
    if any(reason not in _GAPS for reason in reasons):
        return Finding("rejected", sorted(reasons))
    return Finding("unverified" if reasons else "verified", sorted(reasons))


def check_number(jurisdiction: str, scheme: str, number: str) -> NumberCheck:
    """Check a number of a public register with python-stdnum; USCC after GB 32100-2015."""
    module: Any = _module(jurisdiction, scheme)  # python-stdnum ships no types
    if module is None:
        return NumberCheck("scheme_unknown", number.strip())
    try:
        return NumberCheck(None, module.validate(number))
    except ValidationError as error:
        return NumberCheck(_FAULTS.get(type(error), "number_invalid"), number.strip())
    except (ValueError, IndexError, KeyError):
        # A few of the library's modules fall over text that is no number at all.
        return NumberCheck("number_wrong_characters", number.strip())


@lru_cache(maxsize=4_096)
def _module(jurisdiction: str, scheme: str) -> object | None:
    if not (jurisdiction.isascii() and jurisdiction.isalpha() and scheme.isascii() and scheme.isidentifier()):
        return None
    found = get_cc_module(jurisdiction.lower(), scheme.lower())
    return found if hasattr(found, "validate") else None


def _number(file: File) -> str | None:
    registration: Registration | None = file.registration
    if registration is None:
        return "number_missing"
    return check_number(file.jurisdiction, registration.scheme, registration.number).code


def _licence(file: File, on: date, *, required: bool) -> str | None:
    licence: Licence | None = file.licence
    if licence is None:
        if not required:
            return None
        # Without a number either, the file says nothing that could be held against anyone.
        return "licence_missing" if file.registration is not None else "licence_unstated"
    if licence.expires_on is not None and licence.expires_on < on:
        return "licence_expired"
    if licence.issued_on is not None and licence.issued_on > on:
        return "licence_not_yet_issued"
    return None
