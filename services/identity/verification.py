"""What a registration file is worth: its numbers, licence, dates, and all it must have to be let in. Pure."""

from datetime import date
from typing import Literal, NamedTuple

from services.identity import conditions
from services.identity.conditions import File, Values
from services.identity.name_likeness import Likeness
from services.identity.numbers import check_number
from shared.events.identity import Verdict
from shared.events.platform import Licence, Registration

# Codes that say that something is missing to check with; every other code says that a check failed.
_GAPS = frozenset(
    {
        *("number_missing", "scheme_unknown", "jurisdiction_unknown", "licence_unstated", "registry_name_near"),
        *("address_missing", "contact_missing", "phone_missing", "email_missing", "identity_mark_missing"),
        *("representative_missing", "customs_registration_missing", "registration_claimed_twice"),
    }
)


class Register(NamedTuple):
    """What a public register says of a file: how its number stands there, and how like the names are."""

    standing: Literal["registered", "ended", "absent", "unknown"] = "unknown"
    likeness: Likeness | None = None
    name: str | None = None

    @property
    def has_number(self) -> bool:
        """Tell whether the register has the number: then it is one, whatever its check digit says."""
        return self.standing in ("registered", "ended")


NO_REGISTER = Register()


class Finding(NamedTuple):
    """What checking a file found: a verdict, and a code for everything wrong or missing."""

    verdict: Verdict
    reasons: list[str]


class Beside(NamedTuple):
    """What is known beside a file: its registers, and names that others state with the same number."""

    register: Register = NO_REGISTER
    customs: Register = NO_REGISTER
    is_claimed_twice: bool = False


ALONE = Beside()


def verify(file: File, *, on: date, values: Values, beside: Beside = ALONE) -> Finding:
    """Return what a registration file is worth on a date, by the values that hold on it.

    Rejected when a check failed, unverified when something needed for a check is missing, verified otherwise. What the
    register says goes before what the file does.
    """
    found = (
        *_number(file, beside),
        _licence(file, on, required=conditions.asks(values, "licence.required", file)),
        *conditions.missing(file, values),
        *conditions.malformed(file),
        *conditions.unqualified(file, values, on),
        "customs_not_in_registry" if beside.customs.standing in ("absent", "ended") else None,
    )
    reasons = sorted({code for code in found if code is not None})
    if any(reason not in _GAPS for reason in reasons):
        return Finding("rejected", reasons)
    return Finding("unverified" if reasons else "verified", reasons)


def _number(file: File, beside: Beside) -> list[str | None]:
    registration: Registration | None = file.registration
    if registration is None:
        return ["number_missing"]
    register = beside.register
    if not register.has_number:
        code = check_number(file.jurisdiction, registration.scheme, registration.number).code
        absent = "not_in_registry" if register.standing == "absent" and code is None else None
        return [code, absent, "registration_claimed_twice" if beside.is_claimed_twice else None]
    # The register says whose it is, so that others claim it too is no doubt any more.
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
