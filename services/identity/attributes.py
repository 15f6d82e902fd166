"""What a registration file says that others may say too, as blind values. Pure."""

from collections.abc import Iterable, Iterator
from enum import IntEnum
from typing import NamedTuple, TypeAlias

from rensa import RMinHash

from services.identity import contacts
from services.identity.addresses import Address, address
from services.identity.blind import BlindIndex
from services.identity.conditions import File
from services.identity.names import company_name, company_shingles, person_name

# Hashes of a band; they are taken two by two.
_BAND_HASHES = 2
_BANDS = 6
_SEED = 21


# A blind value as a number that fits PostgreSQL's `bigint`: 60 bits of its hash, and its kind in the lowest four.
Value: TypeAlias = int
_KINDS = 0xF


class Kind(IntEnum):
    """Of what kind a value is. The numbers are stored, and fit four bits."""

    BANK_ACCOUNT = 1
    DEVICE = 2
    PHONE = 3
    EMAIL = 4
    REPRESENTATIVE = 5
    ADDRESS = 6
    PLACE = 7  # an address without a number: a village, a market
    NAME = 8
    BAND = 9  # a part of an address by which near ones meet


# Of these, others may be alike.
SKETCHED = frozenset({Kind.ADDRESS, Kind.PLACE, Kind.NAME})


class Sketch(NamedTuple):
    """A name or an address to compare with one that differs a little: its numbers, and blind pieces of it.

    `numbers` is 0 where there are none.
    """

    value: Value
    numbers: int
    pieces: frozenset[int]


class Attributes(NamedTuple):
    """What one file says: whole values, bands in which near ones meet, and sketches to compare those."""

    values: frozenset[Value] = frozenset()
    bands: frozenset[Value] = frozenset()
    name: Sketch | None = None
    address: Sketch | None = None

    def all(self) -> frozenset[Value]:
        """Return whole values and bands."""
        return self.values | self.bands


def value_of(kind: int, hashed: int) -> Value:
    """Return the value of a kind that has this hash."""
    return hashed & ~_KINDS | kind


def kind_of(value: Value) -> int:
    """Return of what kind a value is."""
    return value & _KINDS


def attributes(blind: BlindIndex, file: File) -> Attributes:
    """Return what a file says, as blind values only.

    Names have no bands: one that is alike is no link without an address that is the same or alike.
    """
    value = _value(blind, Kind.NAME, company_name(file.legal_name))
    name = Sketch(value, 0, _pieces(blind, Kind.NAME, company_shingles(file.legal_name)))
    values = {value, *_contact_values(blind, file)}
    where = _address(file)
    if where is None:
        return Attributes(frozenset(values), frozenset(), name)
    kind = Kind.ADDRESS if where.numbers else Kind.PLACE
    numbers = blind.number(kind, f"numbers {where.numbers}") if where.numbers else 0
    there = Sketch(_value(blind, kind, where.key), numbers, _pieces(blind, kind, where.pieces))
    return Attributes(frozenset({*values, there.value}), _bands(blind, where.pieces, numbers), name, there)


def _contact_values(blind: BlindIndex, file: File) -> Iterator[Value]:
    if file.representative and (person := person_name(file.representative)):
        yield _value(blind, Kind.REPRESENTATIVE, person)
    if file.contacts is not None:
        phone = contacts.phone(file.contacts.phone or "", file.jurisdiction)
        email = contacts.email(file.contacts.email or "")
        yield from (_value(blind, Kind.PHONE, text) for text in (phone,) if text is not None)
        yield from (_value(blind, Kind.EMAIL, text) for text in (email,) if text is not None)
    for kind, stated in ((Kind.BANK_ACCOUNT, file.bank_accounts), (Kind.DEVICE, file.devices)):
        yield from (_value(blind, kind, text) for text in map(contacts.reference, stated) if text is not None)


def _address(file: File) -> Address | None:
    stated = file.contacts.address if file.contacts is not None else None
    return address(stated) if stated else None


def _value(blind: BlindIndex, kind: Kind, text: str) -> Value:
    return value_of(kind, blind.number(kind, text))


def _pieces(blind: BlindIndex, kind: Kind, pieces: Iterable[str]) -> frozenset[int]:
    often = blind.often
    return frozenset([often(kind, piece) for piece in pieces])


def _bands(blind: BlindIndex, pieces: frozenset[str], numbers: int) -> frozenset[Value]:
    """Return values of which near texts with the same numbers share one or more (MinHash in bands).

    Houses of one street share none, as they are not alike: it would fill the bands, and all of them be compared. Which
    pieces they are made of does not depend on the key, so what is compared with what does not either.
    """
    if len(pieces) < _BAND_HASHES:
        return frozenset()
    sketch = RMinHash(num_perm=_BANDS * _BAND_HASHES, seed=_SEED)
    sketch.update(sorted(pieces))
    digest = sketch.digest()
    cut = enumerate(zip(digest[::2], digest[1::2], strict=True))
    found = (blind.number(Kind.BAND, f"{band} {hashes}") for band, hashes in cut)
    return frozenset([value_of(Kind.BAND, hashed ^ numbers) for hashed in found])
