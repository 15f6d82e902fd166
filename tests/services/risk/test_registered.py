"""Firms that declare goods without being registered with customs: alerted by the file of the day, in any order."""

from datetime import UTC, datetime
from typing import Any

import pytest_asyncio

from shared.events.customs import DeclarationLodged
from shared.events.identity import OperatorRejected, OperatorUnverified, OperatorVerified
from shared.identifiers import account_id
from shared.received import Received
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle, received
from tests.services.risk.declaring import lodged

SHOP = account_id("north", "shop")
RULE = "unregistered_firm"


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def day(number: int) -> datetime:
    return datetime(2026, 3, number, 10, tzinfo=UTC)


def file(version: int, on: int, *reasons: str) -> Received:
    about: dict[str, Any] = {
        "occurred_at": day(on),
        "account_id": SHOP,
        "operator_id": SHOP,
        "platform_id": "north",
        "operator_ref": "shop",
        "version": version,
        "jurisdiction": "CN",
        "entity_type": "company",
    }
    if not reasons:
        return received(OperatorVerified(**about))
    kind = OperatorUnverified if reasons == ("customs_registration_missing",) else OperatorRejected
    return received(kind(**about, reasons=list(reasons)))


def declared(number: int, on: int, **fields: Any) -> Received:
    data = {**lodged(number)["data"], "lodged_on": day(on).date(), **fields}
    return received(DeclarationLodged(**data), source="/platforms/north", time=day(on))


async def alerted(service: Service) -> list[tuple[str, datetime]]:
    """Return the declarations that open alerts of the rule name, with their time."""
    rows = await service.rows(
        "SELECT evidence[1] AS what, window_start FROM alerts WHERE rule = $1 AND state = 'open' ORDER BY evidence[1]",
        RULE,
    )
    return [(row["what"], row["window_start"]) for row in rows]


async def test_declarations_of_a_firm_without_registration_are_alerted_one_by_one(risk: Service) -> None:
    await handle(risk, [file(1, 1, "customs_registration_missing")])

    await handle(risk, [declared(1, 2), declared(2, 3)])

    assert [what for what, _ in await alerted(risk)] == ["declaration:declaration-1", "declaration:declaration-2"]
    (alert, _) = (await risk.get(f"/v1/alerts?rule={RULE}")).json()["items"]
    assert "reason:customs_registration_missing" in alert["evidence"]


async def test_the_file_of_the_day_counts_whatever_comes_first(open_service: OpenService) -> None:
    events = [
        file(1, 1, "customs_registration_malformed", "number_missing"),
        declared(1, 2),
        file(2, 4),
        declared(2, 6),
        file(3, 8, "customs_registration_missing"),
        declared(3, 9),
    ]
    seen = []
    for order in [range(6), [5, 4, 3, 2, 1, 0], [1, 3, 5, 0, 2, 4], [2, 4, 0, 5, 3, 1]]:
        service = await open_service("risk")
        for place in order:
            await handle(service, [events[place]])
        seen.append(await alerted(service))

    assert [what for what, _ in seen[0]] == ["declaration:declaration-1", "declaration:declaration-3"]
    assert all(one == seen[0] for one in seen)


async def test_one_batch_is_as_good_as_many(risk: Service) -> None:
    await handle(risk, [declared(1, 2), file(1, 1, "customs_registration_missing"), file(2, 4), declared(2, 6)])

    assert [what for what, _ in await alerted(risk)] == ["declaration:declaration-1"]


async def test_firms_in_order_unknown_ones_and_private_persons_are_not(risk: Service) -> None:
    await handle(risk, [file(1, 1)])
    await handle(risk, [declared(1, 2), declared(2, 2, seller_ref="nobody knows")])
    await handle(risk, [file(2, 3, "customs_registration_missing")])
    await handle(risk, [declared(3, 4, mode="C2C")])

    assert await alerted(risk) == []


async def test_other_faults_of_a_file_are_not_meant(risk: Service) -> None:
    await handle(risk, [file(1, 1, "licence_expired"), declared(1, 2)])

    assert await alerted(risk) == []
