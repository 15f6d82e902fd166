"""What a platform says of its merchants; a test states only what it is about."""

from tests.services.platform_events import Json, event

# A number whose check digit holds (GB 32100-2015).
USCC = "91110000600037341L"


def registration_file(**data: object) -> Json:
    return {
        "operator_ref": "shop",
        "legal_name": "Lamp Trading Ltd",
        "entity_type": "company",
        "jurisdiction": "CN",
        "registration": {"scheme": "uscc", "number": USCC},
        "licence": {"number": "L-1", "issued_on": "2020-01-01", "expires_on": "2030-01-01"},
        "representative": "Li Lei",
        "contacts": {"address": "1 Harbour Road", "phone": "+86 10 5555 0100", "email": "shop@lamp.example"},
        "customs_registration": "1100000001",
        **data,
    }


def operator_registered(*, platform_id: str = "north", time: str | None = None, **data: object) -> Json:
    stated = {"time": time} if time is not None else {}
    return event("operator.registered", registration_file(**data), platform_id=platform_id, **stated)


def operator_changed(*, time: str, **data: object) -> Json:
    return event("operator.changed", registration_file(**data), time=time)


def operator_deregistered(reason: str, *, time: str) -> Json:
    return event("operator.deregistered", {"operator_ref": "shop", "reason": reason}, time=time)
