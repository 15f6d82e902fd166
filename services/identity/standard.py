"""The basic-information standard for operators: its versions as JSON Schema, and what makes the newest of an older.

Version 2 is what `platform.operator.registered` and `.changed` carry. Version 1 is flat, as forms and spreadsheets are:
one text for the trades, one number, one page. A version that is taken is enforced to the letter at the door.
"""

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, Literal, NamedTuple

import msgspec
from msgspec import Meta, Struct

from shared.events.platform import (
    Contacts,
    Country,
    Licence,
    Mode,
    Name,
    OperatorChanged,
    OperatorRegistered,
    Ref,
    Registration,
)
from shared.ingest_forms import Forms, OlderForm

_URN = "urn:crosswatch:operator-information:"
_Number = Annotated[str, Meta(min_length=1, max_length=80)]
_Line = Annotated[str, Meta(max_length=2_000)]


class OperatorInformation1(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """Basic information of an operator in the flat form of version 1."""

    operator_ref: Ref
    name: Name
    entity_type: Annotated[str, Meta(min_length=1, max_length=40)]
    country: Country
    # The unified social credit code of a Chinese operator; elsewhere a number with the register it is of.
    uscc: _Number | None = None
    number: _Number | None = None
    number_scheme: Annotated[str, Meta(min_length=1, max_length=40)] | None = None
    licence_number: _Number | None = None
    licence_issued_on: date | None = None
    licence_expires_on: date | None = None
    # Trades, separated by semicolons of either width.
    scope: Annotated[str, Meta(max_length=20_000)] = ""
    representative: Name | None = None
    address: _Line | None = None
    phone: Annotated[str, Meta(max_length=60)] | None = None
    email: Annotated[str, Meta(max_length=320)] | None = None
    customs_registration: Annotated[str, Meta(max_length=80)] | None = None
    mode: Mode = "B2C"
    page: _Line | None = None


class Version(NamedTuple):
    """A version of the standard: what its data look like, and, of an older one, what it has become."""

    number: int
    urn: str
    kind: type[Struct]
    state: Literal["current", "taken"]


VERSIONS = (
    Version(2, f"{_URN}2", OperatorRegistered, "current"),
    Version(1, f"{_URN}1", OperatorInformation1, "taken"),
)


def renewed(old: OperatorInformation1) -> OperatorRegistered:
    """Return version 2 of what version 1 says. Raises ValueError for a number without a register, or two of them."""
    return OperatorRegistered(
        operator_ref=old.operator_ref,
        legal_name=old.name,
        entity_type=old.entity_type,
        jurisdiction=old.country,
        registration=_registration(old),
        licence=_licence(old),
        representative=old.representative,
        contacts=_contacts(old),
        customs_registration=old.customs_registration,
        mode=old.mode,
        shop_urls=[old.page] if old.page else [],
    )


def schema(version: Version) -> dict[str, Any]:  # a JSON Schema is whatever JSON its standard asks for
    """Return the JSON Schema (2020-12) of a version; what only the door itself writes is not in it."""
    (reference,), components = msgspec.json.schema_components([version.kind], ref_template="#/$defs/{name}")
    own = components.pop(reference["$ref"].rpartition("/")[2])
    own["properties"].pop("sealed", None)
    found = {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": version.urn, **own}
    return {**found, "$defs": components} if components else found


_OLDER = {f"{_URN}1": OlderForm(OperatorInformation1, renewed)}
_TYPES = (OperatorRegistered.type, OperatorChanged.type)
FORMS = Forms(newest=dict.fromkeys(_TYPES, VERSIONS[0].urn), older=dict.fromkeys(_TYPES, _OLDER))

READERS: dict[int, Callable[[bytes], Any]] = {
    version.number: msgspec.json.Decoder(version.kind).decode for version in VERSIONS
}


def _registration(old: OperatorInformation1) -> Registration | None:
    if old.uscc is not None and old.number is not None:
        raise ValueError("uscc and number are stated, and one number is asked for - at `$.number`")
    if old.uscc is not None:
        return Registration(scheme="uscc", number=old.uscc)
    if old.number is None:
        return None
    if old.number_scheme is None:
        raise ValueError("a number is stated, and not of which register - at `$.number_scheme`")
    return Registration(scheme=old.number_scheme, number=old.number)


def _licence(old: OperatorInformation1) -> Licence | None:
    if old.licence_number is None:
        if old.licence_issued_on or old.licence_expires_on:
            raise ValueError("dates of a licence are stated, and not its number - at `$.licence_number`")
        return None
    trades = [trade.strip() for trade in old.scope.replace("；", ";").split(";") if trade.strip()]
    return Licence(
        number=old.licence_number, issued_on=old.licence_issued_on, expires_on=old.licence_expires_on, scope=trades
    )


def _contacts(old: OperatorInformation1) -> Contacts | None:
    if old.address is None and old.phone is None and old.email is None:
        return None
    return Contacts(address=old.address, phone=old.phone, email=old.email)
