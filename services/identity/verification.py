"""What a registration file says that can be checked without asking anybody: numbers, licence, dates. Pure."""

from datetime import date
from typing import Literal, NamedTuple

from services.identity.names import Likeness
from services.identity.numbers import check_number
from shared.events.identity import Verdict
from shared.events.platform import Licence, OperatorChanged, OperatorRegistered, Registration

File = OperatorRegistered | OperatorChanged

# Codes that say that something is missing to check with; every other code says that a check failed.
_GAPS = frozenset(
    {"number_missing", "scheme_unknown", "jurisdiction_unknown", "licence_unstated", "registry_name_near"}
)


class Register(NamedTuple):
    """What a public register says of a file: how its number stands there, and how like the names are."""

    standing: Literal["registered", "ended", "absent", "unknown"] = "unknown"
    likeness: Likeness | None = None

    @property
    def has_number(self) -> bool:
        """Tell whether the register has the number: then it is one, whatever its check digit says."""
        return self.standing in ("registered", "ended")


NO_REGISTER = Register()


class Finding(NamedTuple):
    """What checking a file found: a verdict, and a code for everything wrong or missing."""

    verdict: Verdict
    reasons: list[str]


def verify(file: File, *, on: date, licence_required: bool, register: Register = NO_REGISTER) -> Finding:
    """Return what a registration file is worth on a date.

    Rejected when a check failed, unverified when something needed for a check is missing, verified otherwise. What the
    register says goes before what the file does.
    """
    found = (*_number(file, register), _licence(file, on, required=licence_required))
    reasons = [code for code in found if code is not None]
    if any(reason not in _GAPS for reason in reasons):
        return Finding("rejected", sorted(reasons))
    return Finding("unverified" if reasons else "verified", sorted(reasons))


def _number(file: File, register: Register) -> list[str | None]:
    registration: Registration | None = file.registration
    if registration is None:
        return ["number_missing"]
    if not register.has_number:
        code = check_number(file.jurisdiction, registration.scheme, registration.number).code
        return [code, "not_in_registry" if register.standing == "absent" and code is None else None]
    differs = {"near": "registry_name_near", "other": "registry_name_differs"}
    return ["registry_entry_ended" if register.standing == "ended" else None, differs.get(register.likeness or "")]


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
