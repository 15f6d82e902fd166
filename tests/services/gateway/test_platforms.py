"""Platforms as receivers: told of their own accounts that are linked to banned ones, and of nothing else."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from shared.auth import Role
from shared.events.duties import DisclosureRequested, RemovalOrdered
from shared.events.identity import FileChanged, LinkReason, OperatorCleared, OperatorReturned, VerificationDue
from shared.events.listings import ListingAllowed, ListingHeld
from shared.events.risk import AlertRaised
from shared.identifiers import account_id, new_id
from tests.services.gateway.customs import Gateway
from tests.services.gateway.factories import alert_raised
from tests.services.gateway.receiver import body_of
from tests.services.inbox import handle
from tests.services.platform_events import Json

MARCH = datetime(2026, 3, 1, tzinfo=UTC)


def endpoint(**data: object) -> Json:
    url = "https://north.example/hooks"
    return {"department": "platform", "url": url, "types": [OperatorReturned.type, OperatorCleared.type], **data}


def returned(*, platform_id: str = "north", banned_on: str = "south") -> OperatorReturned:
    account, banned = account_id(platform_id, "back"), account_id(banned_on, "banned")
    return OperatorReturned(
        occurred_at=MARCH,
        account_id=account,
        operator_id=account,
        platform_id=platform_id,
        operator_ref="back",
        opened_at=MARCH,
        banned_account_id=banned,
        banned_operator_id=banned,
        banned_platform_id=banned_on,
        banned_at=MARCH,
        came_back=True,
        score=8.8,
        reasons=[LinkReason(kind="bank_account", weight=8.8, holders=2)],
    )


async def register(gateway: Gateway, platform_id: str = "north", **data: object) -> int:
    answer = await gateway.service.post("/v1/endpoints", endpoint(**data), Role.PLATFORM, platform_id=platform_id)
    return answer.status_code


async def told(gateway: Gateway) -> list[Json]:
    await gateway.send_all()
    return [body_of(request)["data"] for request in gateway.receiver.requests]


class TestNotices:
    async def test_are_of_the_own_accounts_and_say_why_and_not_whose_ban_it_is(self, gateway: Gateway) -> None:
        assert await register(gateway) == 201

        await handle(gateway.service, [returned(), returned(platform_id="west"), alert_raised()])
        (alert, notice) = sorted(await told(gateway), key=lambda data: "rule" not in data)

        assert alert["rule"] == "time_order"  # to customs, as before
        assert (notice["operator_ref"], notice["came_back"], notice["seq"]) == ("back", True, 1)
        assert notice["reasons"] == [{"kind": "bank_account", "weight": 8.8, "holders": 2}]
        assert not [name for name in notice if name.startswith("banned")]
        assert str(account_id("south", "banned")) not in str(notice)

    async def test_name_the_banned_account_to_who_banned_it(self, gateway: Gateway) -> None:
        await register(gateway)

        await handle(gateway.service, [returned(banned_on="north")])
        (notice,) = await told(gateway)

        assert notice["banned_account_id"] == str(account_id("north", "banned"))

    async def test_order_to_remove_an_own_account(self, gateway: Gateway) -> None:
        await register(gateway, types=[RemovalOrdered.type])
        account = account_id("north", "shop")
        ordered = RemovalOrdered(
            occurred_at=MARCH,
            order_id=new_id(),
            account_id=account,
            operator_id=account,
            platform_id="north",
            operator_ref="shop",
            grounds=["removal.level.D"],
            acknowledge_by=MARCH,
            remove_by=MARCH,
        )

        await handle(gateway.service, [ordered, msgspec.structs.replace(ordered, platform_id="south")])
        (notice,) = await told(gateway)

        assert (notice["order_id"], notice["grounds"]) == (str(ordered.order_id), ["removal.level.D"])

    async def test_are_of_what_is_due_demanded_or_held(self, gateway: Gateway) -> None:
        account = account_id("north", "shop")
        own: Any = {"occurred_at": MARCH, "account_id": account, "platform_id": "north"}
        of_operator = {**own, "operator_ref": "shop"}
        offer = {**own, "listing_id": new_id(), "listing_ref": "l-1"}
        news = [
            VerificationDue(**of_operator, operator_id=account, version=1, due_at=MARCH),
            DisclosureRequested(**of_operator, request_id=new_id(), due_at=MARCH),
            ListingHeld(**offer, reasons=["qualification_missing_food_trade"]),
            ListingAllowed(**offer),
        ]
        await register(gateway, types=[event.type for event in news])

        await handle(gateway.service, news)
        notices = await told(gateway)

        assert len(notices) == 4
        assert {notice["account_id"] for notice in notices} == {str(account)}

    async def test_tell_departments_which_fields_of_a_file_changed(self, gateway: Gateway) -> None:
        account = account_id("north", "shop")
        changed = FileChanged(
            occurred_at=MARCH,
            account_id=account,
            operator_id=account,
            platform_id="north",
            operator_ref="shop",
            fields=["contacts.phone"],
        )
        wanted = endpoint(department="regulator", types=[FileChanged.type])
        assert (await gateway.service.post("/v1/endpoints", wanted, Role.REGULATOR)).status_code == 201
        assert await register(gateway, types=[FileChanged.type]) == 422

        await handle(gateway.service, [changed])
        (notice,) = await told(gateway)

        assert notice["fields"] == ["contacts.phone"]

    async def test_name_it_to_a_regulator(self, gateway: Gateway) -> None:
        wanted = endpoint(department="regulator")
        assert (await gateway.service.post("/v1/endpoints", wanted, Role.REGULATOR)).status_code == 201

        await handle(gateway.service, [returned()])
        (notice,) = await told(gateway)

        assert notice["banned_platform_id"] == "south"


class TestEndpoints:
    @pytest.mark.parametrize(
        ("data", "status"),
        [
            ({"types": [AlertRaised.type]}, 422),
            ({"types": [OperatorReturned.type, "credit.level.changed.v1"]}, 422),
            ({"department": "customs"}, 403),
            ({"department": "platform:south"}, 422),
        ],
    )
    async def test_are_for_what_platforms_are_told(self, gateway: Gateway, data: Json, status: int) -> None:
        assert await register(gateway, **data) == status

    async def test_refusal_names_the_type(self, gateway: Gateway) -> None:
        wanted = endpoint(types=[OperatorReturned.type, AlertRaised.type])

        answer = await gateway.service.post("/v1/endpoints", wanted, Role.PLATFORM, platform_id="north")

        assert (answer.json()["code"], answer.json()["pointer"]) == ("invalid_value", "/types/1")

    async def test_are_registered_by_the_platform_itself(self, gateway: Gateway) -> None:
        answer = await gateway.service.post("/v1/endpoints", endpoint(), Role.ADMINISTRATOR)

        assert answer.status_code == 403

    async def test_and_deliveries_are_seen_by_their_platform_alone(self, gateway: Gateway) -> None:
        await register(gateway)
        await register(gateway, "south")
        await handle(gateway.service, [returned()])

        seen = {}
        for platform_id in ("north", "south"):
            who = {"platform_id": platform_id}
            endpoints = (await gateway.service.get("/v1/endpoints", Role.PLATFORM, **who)).json()
            deliveries = (await gateway.service.get("/v1/deliveries", Role.PLATFORM, **who)).json()["items"]
            seen[platform_id] = ([one["department"] for one in endpoints], len(deliveries))
            (own,) = endpoints
            other = await gateway.service.post(
                f"/v1/endpoints/{own['id']}/replay", {"since": MARCH.isoformat()}, Role.PLATFORM, platform_id="west"
            )
            assert other.status_code == 404

        assert seen == {"north": (["platform:north"], 1), "south": (["platform:south"], 0)}
