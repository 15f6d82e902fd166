"""Orders of removal: from a hit to the platform's deadline, its acknowledgement, and what ends one."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio

from services.identity import removals
from shared.auth import Role
from shared.clock_store import fire_due
from shared.database import transaction
from shared.events.credit import LevelChanged
from shared.events.duties import RemovalCarriedOut, RemovalEscalated, RemovalOrdered, RemovalWithdrawn
from shared.events.risk import AlertRaised, AlertWithdrawn
from shared.identifiers import account_id, new_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import operator_changed, operator_deregistered, operator_registered
from tests.services.inbox import deliver_platform_events, handle
from tests.services.platform_events import Json, send

SHOP = account_id("north", "shop")
# A Monday in a week without holidays.
MONDAY = datetime(2026, 3, 16, 2, tzinfo=UTC)
LATER = datetime(2026, 3, 17, 2, tzinfo=UTC)


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


async def told(service: Service, *events: Json) -> None:
    assert (await send(service, list(events))).json()["rejected"] == []
    await deliver_platform_events(service)


def alert(rule: str = "unlicensed_operator", *, at: datetime = MONDAY, **says: Any) -> AlertRaised:
    stated: Any = {
        "occurred_at": at,
        "alert_id": new_id(),
        "account_id": SHOP,
        "platform_id": "north",
        "rule": rule,
        "rule_version": 1,
        "severity": "critical",
        "score": 80.0,
        "reason": "no licence",
        "window_start": at,
        "contributions": [],
    }
    return AlertRaised(**{**stated, **says})


def withdrawn(one: AlertRaised, *, at: datetime = LATER) -> AlertWithdrawn:
    return AlertWithdrawn(
        occurred_at=at,
        alert_id=one.alert_id,
        account_id=one.account_id,
        platform_id=one.platform_id,
        rule=one.rule,
        severity=one.severity,
        reason="cleared",
    )


def level(to: Any, *, before: Any = "B", at: datetime = MONDAY, operator: UUID | None = None) -> LevelChanged:
    return LevelChanged(
        occurred_at=at,
        operator_id=operator or new_id(),
        account_ids=[SHOP],
        from_level=before,
        to_level=to,
        score=10.0,
        tree_version=1,
    )


async def orders(service: Service, **who: Any) -> list[Json]:
    answer = await service.get("/v1/removal-orders", **who)
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def the_order(service: Service) -> Json:
    (only,) = await orders(service)
    return only


async def act(service: Service, what: str, role: Role, body: Json | None = None, **who: str) -> tuple[int, Json]:
    found = await the_order(service)
    answer = await service.post(f"/v1/removal-orders/{found['id']}/{what}", body or {}, role, **who)
    return answer.status_code, answer.json()


async def time_passes(service: Service, until: datetime) -> None:
    async with transaction(service.sessions) as session:
        await fire_due(session, removals.FIRING, now=until, source="identity")


class TestOrder:
    async def test_is_issued_for_an_alert_whose_rule_asks_for_it_with_two_deadlines(self, identity: Service) -> None:
        await told(identity, operator_registered())

        await handle(identity, [alert()])

        order = await the_order(identity)
        assert (order["state"], order["grounds"]) == ("open", ["removal.rule.unlicensed_operator"])
        # Tuesday's and Thursday's midnight in China.
        assert (order["acknowledge_by"], order["remove_by"]) == ("2026-03-17T16:00:00Z", "2026-03-19T16:00:00Z")
        assert "E-Commerce Law" in order["sources"][0]
        assert len(await identity.published(RemovalOrdered)) == 1

    async def test_is_not_issued_for_other_alerts_and_levels(self, identity: Service) -> None:
        await told(identity, operator_registered())

        await handle(identity, [alert("payment_late"), level("C"), alert(account_id=None)])

        assert await orders(identity) == []

    async def test_is_issued_for_the_worst_level_and_withdrawn_once_that_is_better(self, identity: Service) -> None:
        await told(identity, operator_registered())

        await handle(identity, [level("D")])
        issued = await the_order(identity)
        await handle(identity, [level("C", before="D", at=LATER)])

        assert issued["grounds"] == ["removal.level.D"]
        assert (await the_order(identity))["state"] == "withdrawn"
        assert len(await identity.published(RemovalWithdrawn)) == 1

    async def test_is_one_for_several_grounds_and_goes_with_the_last(self, identity: Service) -> None:
        await told(identity, operator_registered())
        first, second = alert(), alert("banned_returns")

        await handle(identity, [first, second, first])
        both = (await the_order(identity))["grounds"]
        await handle(identity, [withdrawn(first)])
        one = await the_order(identity)
        await handle(identity, [withdrawn(second)])

        assert both == ["removal.rule.unlicensed_operator", "removal.rule.banned_returns"]
        assert (one["state"], one["grounds"]) == ("open", ["removal.rule.banned_returns"])
        assert (await the_order(identity))["state"] == "withdrawn"

    async def test_comes_when_the_account_becomes_known_after_its_alert(self, identity: Service) -> None:
        await handle(identity, [alert()])
        assert await orders(identity) == []

        await told(identity, operator_registered(time="2026-03-16T03:00:00Z", licence=None))

        assert (await the_order(identity))["state"] == "open"

    async def test_ends_with_a_file_that_is_verified_since(self, identity: Service) -> None:
        await told(identity, operator_registered(time="2026-03-16T01:00:00Z", licence=None))
        await handle(identity, [alert()])

        await told(identity, operator_changed(time="2026-03-17T01:00:00Z"))

        order = await the_order(identity)
        assert (order["state"], order["closed_at"]) == ("withdrawn", "2026-03-17T01:00:00Z")

    async def test_is_carried_out_when_the_account_ends_and_never_issued_after(self, identity: Service) -> None:
        await told(identity, operator_registered(time="2026-03-16T01:00:00Z"))
        await handle(identity, [alert()])

        await told(identity, operator_deregistered("removed", time="2026-03-18T01:00:00Z"))
        await handle(identity, [alert("banned_returns")])

        order = await the_order(identity)
        assert (order["state"], order["closed_because"]) == ("carried_out", "the account was deregistered")
        assert len(await identity.published(RemovalCarriedOut)) == 1
        await time_passes(identity, datetime(2027, 1, 1, tzinfo=UTC))
        assert await identity.published(RemovalEscalated) == []


class TestDeadlines:
    async def test_escalate_once_each_when_nobody_answers(self, identity: Service) -> None:
        await told(identity, operator_registered())
        await handle(identity, [alert()])

        await time_passes(identity, datetime(2026, 3, 18, tzinfo=UTC))
        first = (await the_order(identity))["escalations"]
        for _ in "ab":
            await time_passes(identity, datetime(2026, 3, 20, tzinfo=UTC))

        assert first == ["not_acknowledged"]
        assert (await the_order(identity))["escalations"] == ["not_acknowledged", "not_removed"]
        assert len(await identity.published(RemovalEscalated)) == 2
        late = await identity.get("/v1/removal-orders?escalation=not_removed")
        assert len(late.json()["items"]) == 1

    async def test_of_acknowledgement_stops_for_the_platform_that_reads_the_order(self, identity: Service) -> None:
        await told(identity, operator_registered())
        await handle(identity, [alert()])

        status, order = await act(identity, "acknowledgement", Role.PLATFORM, platform_id="north")
        again = await act(identity, "acknowledgement", Role.PLATFORM, platform_id="north")
        await time_passes(identity, datetime(2026, 3, 20, tzinfo=UTC))

        assert (status, order["acknowledged_at"] is not None) == (200, True)
        assert again[1]["acknowledged_at"] == order["acknowledged_at"]
        assert (await the_order(identity))["escalations"] == ["not_removed"]

    async def test_of_removal_is_extended_by_a_regulator(self, identity: Service) -> None:
        await told(identity, operator_registered(time="2026-03-16T01:00:00Z"))
        await handle(identity, [alert()])

        status, order = await act(
            identity, "extension", Role.REGULATOR, {"working_days": 2, "because": "the platform moves its data centre"}
        )

        # The weekend lies between.
        assert (status, order["remove_by"]) == (200, "2026-03-23T16:00:00Z")


class TestByHand:
    async def test_a_regulator_orders_and_withdraws(self, identity: Service) -> None:
        await told(identity, operator_registered(time="2026-03-16T01:00:00Z"))

        made = await identity.post(
            "/v1/removal-orders", {"account_id": str(SHOP), "because": "decision 12 of 2026"}, Role.REGULATOR
        )
        status, order = await act(identity, "withdrawal", Role.REGULATOR, {"because": "appeal upheld"})

        assert (made.status_code, made.json()["grounds"]) == (201, ["removal.decision"])
        assert made.json()["sources"] == ["decision 12 of 2026"]
        assert (status, order["state"], order["closed_because"]) == (200, "withdrawn", "appeal upheld")
        # It rests on nothing any more: a file that comes does not bring it back.
        await told(identity, operator_changed(time="2026-03-17T01:00:00Z"))
        assert (await the_order(identity))["state"] == "withdrawn"

    async def test_nothing_is_done_about_one_that_is_over(self, identity: Service) -> None:
        await told(identity, operator_registered(time="2026-03-16T01:00:00Z"))
        await handle(identity, [alert()])
        await told(identity, operator_deregistered("banned", time="2026-03-18T01:00:00Z"))

        for what, role, body in (
            ("acknowledgement", Role.PLATFORM, {}),
            ("withdrawal", Role.REGULATOR, {"because": "a mistake"}),
            ("extension", Role.REGULATOR, {"working_days": 1, "because": "asked for"}),
        ):
            status, problem = await act(identity, what, role, body, platform_id="north")
            assert (status, problem["code"]) == (409, "removal_is_over")
        made = await identity.post(
            "/v1/removal-orders", {"account_id": str(SHOP), "because": "decision 12"}, Role.REGULATOR
        )
        assert (made.status_code, made.json()["code"]) == (409, "removal_is_over")

    @pytest.mark.parametrize(
        ("what", "role", "body", "status"),
        [
            ("acknowledgement", Role.REGULATOR, {}, 403),
            ("withdrawal", Role.PLATFORM, {"because": "we like it"}, 403),
            ("withdrawal", Role.REGULATOR, {}, 422),
            ("extension", Role.REGULATOR, {"working_days": 0, "because": "asked for"}, 422),
        ],
    )
    async def test_refuses(self, identity: Service, what: str, role: Role, body: Json, status: int) -> None:
        await told(identity, operator_registered())
        await handle(identity, [alert()])

        assert (await act(identity, what, role, body, platform_id="north"))[0] == status

    async def test_another_platform_sees_nothing_of_it(self, identity: Service) -> None:
        await told(identity, operator_registered())
        await handle(identity, [alert()])
        order = await the_order(identity)

        assert await orders(identity, role=Role.PLATFORM, platform_id="south") == []
        answer = await identity.post(
            f"/v1/removal-orders/{order['id']}/acknowledgement", {}, Role.PLATFORM, platform_id="south"
        )
        assert answer.status_code == 404
        unknown = await identity.post(
            "/v1/removal-orders", {"account_id": str(new_id()), "because": "decision 12"}, Role.REGULATOR
        )
        assert (unknown.status_code, unknown.json()["pointer"]) == (404, "/account_id")
