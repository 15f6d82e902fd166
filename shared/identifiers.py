"""Identifiers that any service derives in the same way, without asking another."""

from functools import lru_cache
from uuid import NAMESPACE_URL, UUID

import uuid_utils
from asyncpg.pgproto import pgproto

_CUSTOMS = "customs:"
_NAMESPACE = uuid_utils.UUID(NAMESPACE_URL.hex)


def new_id() -> UUID:
    """Return a time-ordered UUIDv7 (RFC 9562, 5.7)."""
    return _fast(uuid_utils.uuid7().bytes)


def source_of(sender: str) -> str:
    """Return the CloudEvents source of a platform, or of a customs system by its name here: `customs:<system>`."""
    if is_customs(sender):
        return f"/customs/{sender.removeprefix(_CUSTOMS)}"
    return f"/platforms/{sender}"


def platform_of(source: str) -> str:
    """Return who a CloudEvents source names: `/platforms/<platform_id>`, or a customs system as `customs:<system>`."""
    system = source.removeprefix("/customs/")
    return customs_sender(system) if system != source else source.removeprefix("/platforms/")


def customs_sender(system: str) -> str:
    """Return the name under which a customs system sends and owns rows; no platform may have such a name."""
    return f"{_CUSTOMS}{system}"


def is_customs(sender: str) -> bool:
    """Tell whether a sender is a customs system."""
    return sender.startswith(_CUSTOMS)


@lru_cache(maxsize=200_000)
def account_id(platform_id: str, operator_ref: str) -> UUID:
    """Return the account of a merchant on a platform: UUIDv5 of both (RFC 9562, 5.5)."""
    return _name_based(f"/platforms/{platform_id}/operators/{operator_ref}")


@lru_cache(maxsize=50_000)
def transaction_id(platform_id: str, order_ref: str) -> UUID:
    """Return the transaction an order, its payments and its parcels belong to."""
    return _name_based(f"/platforms/{platform_id}/orders/{order_ref}")


def listing_id(platform_id: str, listing_ref: str) -> UUID:
    """Return the listing of a platform's own reference."""
    return _name_based(f"/platforms/{platform_id}/listings/{listing_ref}")


def declaration_id(platform_id: str, declaration_ref: str) -> UUID:
    """Return the customs declaration of a platform's own reference."""
    return _name_based(f"/platforms/{platform_id}/declarations/{declaration_ref}")


def incident_id(platform_id: str, incident_ref: str) -> UUID:
    """Return the security incident of a platform's own reference."""
    return _name_based(f"/platforms/{platform_id}/incidents/{incident_ref}")


def operator_id(jurisdiction: str, scheme: str, number: str) -> UUID:
    """Return the legal entity behind a registration number."""
    return _name_based(f"/jurisdictions/{jurisdiction}/{scheme}/{number}")


def derived_id(*parts: object) -> UUID:
    """Return an id that depends on nothing but its inputs, for results that may be computed twice."""
    return _name_based("/derived/" + "/".join(map(str, parts)))


def as_key(identifier: UUID) -> UUID:
    """Return an id in the driver's form, for one that was read from an event and will be looked up several times."""
    return _kept(identifier.int)


@lru_cache(maxsize=50_000)
def _kept(number: int) -> UUID:
    return _fast(number.to_bytes(16, "big"))


def _name_based(name: str) -> UUID:
    return _fast(uuid_utils.uuid5(_NAMESPACE, name).bytes)


def _fast(content: bytes) -> UUID:
    """Return the database driver's UUID: a `uuid.UUID` that is made, hashed and written five times faster."""
    made: UUID = pgproto.UUID(content)
    return made
