"""Verdicts meet the features that rules are tried on: of each stream that keeps some, whatever its alerts are about."""

from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
import pytest_asyncio

from services.risk.feature_log import is_kept
from services.risk.patrol import go_round
from services.risk.windows import key_of
from shared.auth import Role
from shared.database import transaction as in_transaction
from shared.events.identity import OperatorRejected
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import deliver_platform_events, handle
from tests.services.listings.trade import PLACED, later, transaction
from tests.services.platform_events import send
from tests.services.risk import (
    test_activity,
    test_declared_values,
    test_displays,
    test_flips,
    test_incidents,
    test_registered,
)
from tests.services.risk.declaring import lodged, told
from tests.services.risk.test_patrol import brushed, market

# Of devices: the first two whose features are kept, and the first whose are not.
_NAMES = [f"d{number}" for number in range(100)]
_ARE_KEPT = {name: is_kept("activity", key_of("device", "north", name)) for name in _NAMES}
KEPT = [name for name in _NAMES if _ARE_KEPT[name]][:2]
NOT_KEPT = next(name for name in _NAMES if not _ARE_KEPT[name])


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def judge(service: Service, rule: str, *verdicts: str) -> None:
    """Judge the alerts of a rule in the order of their evidence."""
    rows = await service.rows("SELECT id FROM alerts WHERE rule = $1 ORDER BY evidence, id", rule)
    for row, verdict in zip(rows, verdicts, strict=True):
        answer = await service.post(f"/v1/alerts/{row['id']}/verdict", {"verdict": verdict}, Role.REGULATOR)
        assert answer.status_code == 200, answer.text


async def tried(service: Service, rule: str) -> tuple[int, int, float | None]:
    """Return how many of the hits of a rule on history are judged, how many confirmed, and its precision."""
    answer = await service.post(f"/v1/rules/{rule}/1/backtest", {}, Role.REGULATOR)
    found = answer.json()
    return found["judged"], found["confirmed"], found["precision"]


async def shared_by_five(service: Service, *devices: str) -> None:
    orders = [
        test_activity.order(10 * place + number, device_ref=device)
        for place, device in enumerate(devices)
        for number in range(5)
    ]
    await handle(service, orders)
    await test_activity.pass_on(service)


class TestOfKeys:
    async def test_are_those_of_the_keys_whose_features_are_kept(self, risk: Service) -> None:
        await shared_by_five(risk, *sorted(KEPT), NOT_KEPT)

        rows = await risk.rows("SELECT evidence[1] AS device, id FROM alerts WHERE rule = 'device_buyers_week'")
        for row in rows:
            verdict = "confirmed" if row["device"] == f"device:{KEPT[0]}" else "false_alarm"
            await risk.post(f"/v1/alerts/{row['id']}/verdict", {"verdict": verdict}, Role.REGULATOR)

        assert len(rows) == 3
        assert await tried(risk, "device_buyers_week") == (2, 1, 0.5)

    async def test_the_newest_of_a_key_counts(self, risk: Service) -> None:
        await shared_by_five(risk, KEPT[0])
        await judge(risk, "device_buyers_week", "confirmed")

        await judge(risk, "device_buyers_week", "false_alarm")

        assert await tried(risk, "device_buyers_week") == (1, 0, 0.0)

    async def test_of_alerts_from_before_meet_their_keys_too(self, risk: Service) -> None:
        await shared_by_five(risk, KEPT[0])
        await judge(risk, "device_buyers_week", "confirmed")
        await risk.rows("UPDATE alerts SET subject = NULL")
        assert await tried(risk, "device_buyers_week") == (0, 0, None)

        await _filled_in(risk)

        assert await tried(risk, "device_buyers_week") == (1, 1, 1.0)


async def _filled_in(service: Service) -> None:
    migration = import_module("services.risk.migrations.versions.0018_keep_what_alerts_are_about")
    async with in_transaction(service.sessions) as session:
        connection = await session.connection()
        await connection.run_sync(migration.fill_in)


async def of_a_day(service: Service) -> None:
    orders = [
        transaction(order_ref=f"o{number}", buyer_ref=f"b{number}", placed_at=PLACED + timedelta(seconds=number))
        for number in range(150)
    ]
    await handle(service, orders)


async def of_a_firm(service: Service) -> None:
    await handle(service, [test_registered.file(1, 1, "customs_registration_missing")])
    await handle(service, [test_registered.declared(1, 2)])


async def of_a_declared_value(service: Service) -> None:
    await handle(service, [test_declared_values.paid()])
    await told(service, lodged(value_minor=3_000, order_ref="order"))
    await go_round(service.sessions)


async def of_a_display(service: Service) -> None:
    await handle(service, [_rejected(), test_displays.violated("badge_forged")])
    await handle(service, [_rejected()])


async def of_a_file(service: Service) -> None:
    await handle(service, [_rejected()])
    await handle(service, [test_displays.violated("badge_forged")])


def _rejected() -> OperatorRejected:
    return OperatorRejected(
        occurred_at=PLACED,
        account_id=account_id("north", "shop"),
        operator_id=account_id("north", "shop"),
        platform_id="north",
        operator_ref="shop",
        version=1,
        jurisdiction="CN",
        entity_type="company",
        reasons=["licence_expired"],
    )


async def of_an_incident(service: Service) -> None:
    await send(service, [test_incidents.incident(severity="critical", affected=90_000)])
    await deliver_platform_events(service)


async def of_shops(service: Service) -> None:
    await handle(service, market() + brushed())
    await go_round(service.sessions)


async def of_flags(service: Service) -> None:
    hidden, others = test_flips.orders("hidden", 40), test_flips.orders("others", 200)
    await handle(service, [*hidden, *others])
    await handle(service, [later(one, cancelled=True) for one in hidden[:30] + others[:3]])
    await test_flips.look(service)


async def of_parcels(service: Service) -> None:
    paid: dict[str, Any] = {"payments": 1, "paid_at": PLACED}
    await handle(service, [transaction(order_ref="unshipped", **paid)])
    late = PLACED + timedelta(days=25)
    await handle(service, [transaction(order_ref="late", placed_at=late, parcels=1, shipped_at=late)])
    await go_round(service.sessions)


@pytest.mark.parametrize(
    ("happens", "rule"),
    [
        (of_a_day, "order_surge"),
        (of_a_firm, "unregistered_firm"),
        (of_a_declared_value, "undervalued_declaration"),
        (of_a_display, "licence_not_displayed"),
        (of_a_file, "unlicensed_operator"),
        (of_an_incident, "incident_severe"),
        (of_shops, "brushing_repeats"),
        (of_parcels, "parcel_missing"),
        (of_flags, "flags_flipped"),
    ],
)
async def test_verdicts_meet_what_is_kept(risk: Service, happens: Any, rule: str) -> None:
    await happens(risk)
    await judge(risk, rule, "confirmed")

    assert await tried(risk, rule) == (1, 1, 1.0)


async def test_shops_are_kept_once_a_day_and_not_each_round(risk: Service) -> None:
    await of_shops(risk)
    once = await _kept_rows(risk)
    await go_round(risk.sessions)
    again = await _kept_rows(risk)
    await risk.rows("UPDATE feature_batches SET kept_at = kept_at - interval '1 day'")

    await go_round(risk.sessions)

    assert once > 0
    assert (again, await _kept_rows(risk)) == (once, 2 * once)


async def _kept_rows(service: Service) -> int:
    (found,) = await service.rows("SELECT coalesce(sum(rows), 0) AS n FROM feature_batches WHERE stream = 'shops'")
    return int(found["n"])
