"""What of a registration file is personal: taken out of it at the door, put back where a purpose is named. Pure."""

from collections.abc import Mapping

import msgspec

from services.identity.blind import BlindIndex
from services.identity.conditions import NATURAL_PERSON, File, entity_kind
from shared.events.platform import Contacts

# What stands where a field that has to be there was taken out.
HIDDEN = "***"

# Of the blind index: a number in a register of persons.
_NUMBER = -2
_CONTACTS = ("address", "phone", "email")
_LISTS = ("bank_accounts", "devices")
FIELDS = ("legal_name", "registration.number", "representative", *(f"contacts.{name}" for name in _CONTACTS), *_LISTS)

_encode = msgspec.json.encode
_list = msgspec.json.Decoder(list[str]).decode


def is_natural_person(file: File) -> bool:
    """Tell whether a file is of a person: name and number are personal too (PIPL of China, art. 4)."""
    return entity_kind(file.entity_type) == NATURAL_PERSON


def blind_number(blind: BlindIndex, scheme: str, number: str) -> str:
    """Return what stands for the number of a person: equal for equal numbers, and no number."""
    return blind.value(_NUMBER, f"{scheme}/{number}").hex()


def taken_out(file: File) -> tuple[File, dict[str, str]]:
    """Return a file without personal data, and that as text by field; a list is JSON."""
    found: dict[str, str] = {}
    changes: dict[str, object] = {}
    if is_natural_person(file):
        found["legal_name"], changes["legal_name"] = file.legal_name, HIDDEN
        if file.registration is not None:
            found["registration.number"] = file.registration.number
            changes["registration"] = msgspec.structs.replace(file.registration, number=HIDDEN)
    if file.representative is not None:
        found["representative"], changes["representative"] = file.representative, None
    if file.contacts is not None:
        stated = {f"contacts.{name}": getattr(file.contacts, name) for name in _CONTACTS}
        found |= {name: text for name, text in stated.items() if text is not None}
        changes["contacts"] = None
    for name in _LISTS:
        if values := getattr(file, name):
            found[name], changes[name] = _encode(values).decode(), []
    return (msgspec.structs.replace(file, **changes) if changes else file), found


def put_back(file: File, texts: Mapping[str, str]) -> File:
    """Return a file with some of what was taken out of it."""
    changes: dict[str, object] = {"sealed": {name: own for name, own in file.sealed.items() if name not in texts}}
    for name in ("legal_name", "representative"):
        if name in texts:
            changes[name] = texts[name]
    if file.registration is not None and (number := texts.get("registration.number")) is not None:
        changes["registration"] = msgspec.structs.replace(file.registration, number=number)
    contacts = {name: texts[f"contacts.{name}"] for name in _CONTACTS if f"contacts.{name}" in texts}
    if contacts:
        changes["contacts"] = msgspec.structs.replace(file.contacts or Contacts(), **contacts)
    for name in _LISTS:
        if name in texts:
            changes[name] = _list(texts[name])
    return msgspec.structs.replace(file, **changes)
