"""Shops of operators that are strangers to each other but for what a test lets them share."""

from typing import Any

import msgspec

from shared.events.identity import OperatorReturned
from shared.identifiers import account_id
from tests.services.doors import Service
from tests.services.identity.factories import operator_registered
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, event, send

BANK = "6222 0212 3456 7890 123"
JANUARY, FEBRUARY, MARCH = ("2026-01-05T00:00:00Z", "2026-02-05T00:00:00Z", "2026-03-05T00:00:00Z")

_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def shop(ref: str, *, platform_id: str = "north", time: str = JANUARY, **says: object) -> Json:
    """Return an account of an operator of its own, with a name of its own, that says nothing else."""
    own_name = account_id(platform_id, ref).hex.translate(_LETTERS)
    nothing = dict.fromkeys(("registration", "licence", "representative", "contacts", "customs_registration"))
    stated: Any = {**nothing, "legal_name": f"{own_name} Ltd", **says}
    return operator_registered(platform_id=platform_id, time=time, operator_ref=ref, **stated)


def changed(ref: str, *, time: str, **says: Any) -> Json:
    return shop(ref, time=time, **says) | {"type": "platform.operator.changed.v1"}


def banned(ref: str, *, platform_id: str = "north", time: str = FEBRUARY) -> Json:
    return event("operator.deregistered", {"operator_ref": ref, "reason": "banned"}, platform_id=platform_id, time=time)


def contacts(**says: str) -> Any:  # as keywords of a file
    return {"contacts": says}


async def told(service: Service, *events: Json) -> None:
    for one in events:
        await send_as(service, one)
    await deliver_platform_events(service)


async def told_one_by_one(service: Service, *events: Json) -> None:
    for one in events:
        await told(service, one)


async def send_as(service: Service, one: Json) -> None:
    answer = await send(service, [one], platform_id=one["source"].removeprefix("/platforms/"))
    assert answer.json()["rejected"] == []


async def links_of(service: Service, ref: str) -> list[Json]:
    answer = await service.get(f"/v1/operators/{account_id('north', ref)}/links")
    items: list[Json] = answer.json()["items"]
    return items


def kinds(item: Json) -> list[str]:
    return [reason["kind"] for reason in item["reasons"]]


async def returns(service: Service) -> list[OperatorReturned]:
    return [msgspec.json.decode(one.data, type=OperatorReturned) for one in await service.published(OperatorReturned)]


async def state(service: Service) -> Json:
    links = await service.rows(
        "SELECT operator_id, other_operator_id, score, reasons FROM operator_links ORDER BY 1, 2"
    )
    returned = await service.rows(
        "SELECT account_id, banned_account_id, came_back, score, reasons FROM returned_accounts ORDER BY 1"
    )
    return {"links": [tuple(row) for row in links], "returns": [tuple(row) for row in returned]}
