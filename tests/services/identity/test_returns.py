"""Banned operators that come back: told with the file that shows it, and to a platform no more than it may know."""

import msgspec
import pytest
import pytest_asyncio

from shared.auth import Role
from shared.events.identity import OperatorCleared
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import USCC, operator_deregistered
from tests.services.identity.shops import (
    BANK,
    FEBRUARY,
    MARCH,
    banned,
    changed,
    contacts,
    kinds,
    returns,
    shop,
    told,
    told_one_by_one,
)
from tests.services.platform_events import Json


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


class TestReturns:
    async def test_of_a_banned_operator_by_its_bank_account_alone(self, identity: Service) -> None:
        await told_one_by_one(
            identity,
            shop("old", bank_accounts=[BANK], devices=["device-1"]),
            banned("old"),
            shop("new", time=MARCH, bank_accounts=[BANK], devices=["device-2"]),
        )

        (told_of,) = await returns(identity)

        assert (told_of.account_id, told_of.banned_account_id) == (
            account_id("north", "new"),
            account_id("north", "old"),
        )
        assert told_of.came_back
        assert [reason.kind for reason in told_of.reasons] == ["bank_account"]
        assert (await identity.get("/v1/summary")).json()["returned"] == 1

    async def test_say_all_reasons_of_a_plain_one(self, identity: Service) -> None:
        same: Json = {"bank_accounts": [BANK], "devices": ["device-1"], "representative": "王伟"}
        await told(identity, shop("old", **same), banned("old"), shop("new", time=MARCH, **same))

        (told_of,) = await returns(identity)

        assert [reason.kind for reason in told_of.reasons] == ["bank_account", "device", "representative"]
        assert told_of.score == pytest.approx(sum(reason.weight for reason in told_of.reasons))

    async def test_are_found_when_the_ban_is_heard_of_last(self, identity: Service) -> None:
        old, new = shop("old", bank_accounts=[BANK]), shop("new", time=MARCH, bank_accounts=[BANK])
        await told_one_by_one(identity, old, new, banned("old"))

        (told_of,) = await returns(identity)

        assert told_of.came_back

    async def test_are_none_of_those_who_were_open_before_the_ban_but_it_is_said(self, identity: Service) -> None:
        old, sibling = shop("old", bank_accounts=[BANK]), shop("sibling", bank_accounts=[BANK])
        await told(identity, old, sibling, banned("old"))

        (told_of,) = await returns(identity)

        assert told_of.account_id == account_id("north", "sibling")
        assert not told_of.came_back
        assert (await identity.get("/v1/summary")).json()["returned"] == 0

    async def test_of_the_same_legal_entity_elsewhere_are_by_its_number(self, identity: Service) -> None:
        number = {"scheme": "uscc", "number": USCC}
        await told(identity, shop("old", registration=number), banned("old"))
        await told(identity, shop("new", platform_id="south", time=MARCH, registration=number))

        (told_of,) = await returns(identity)

        assert told_of.platform_id == "south"
        assert [reason.kind for reason in told_of.reasons] == ["registration"]

    async def test_of_the_banned_account_itself_end_its_ban(self, identity: Service) -> None:
        await told(identity, shop("old", bank_accounts=[BANK]), banned("old"))
        await told(identity, shop("new", time=MARCH, bank_accounts=[BANK]))
        await told(identity, shop("old", time=MARCH, bank_accounts=[BANK]))

        assert len(await returns(identity)) == 1
        (cleared,) = await identity.published(OperatorCleared)
        assert msgspec.json.decode(cleared.data, type=OperatorCleared).account_id == account_id("north", "new")
        assert (await identity.get("/v1/summary")).json()["returned"] == 0

    async def test_by_a_change_of_the_file_are_found_too(self, identity: Service) -> None:
        await told(identity, shop("old", bank_accounts=[BANK]), banned("old"), shop("new", time=MARCH))
        before = await returns(identity)
        await told(identity, changed("new", time="2026-03-09T00:00:00Z", bank_accounts=[BANK]))

        assert before == []
        assert len(await returns(identity)) == 1

    async def test_of_one_who_left_are_none(self, identity: Service) -> None:
        left = operator_deregistered("left", time=FEBRUARY)
        await told(identity, shop("shop", bank_accounts=[BANK]), left)
        await told(identity, shop("new", time=MARCH, bank_accounts=[BANK]))

        assert await returns(identity) == []


class TestPlatforms:
    async def test_see_that_their_own_account_is_linked_to_a_banned_one_and_no_more(self, identity: Service) -> None:
        await told(identity, shop("old", platform_id="south", bank_accounts=[BANK], devices=["device-1"]))
        await told(identity, banned("old", platform_id="south"))
        await told(identity, shop("new", time=MARCH, bank_accounts=[BANK]), shop("friend", devices=["device-1"]))
        path = f"/v1/operators/{account_id('north', 'new')}/links"

        regulator = (await identity.get(path)).json()["items"]
        own = await identity.get(path, Role.PLATFORM, platform_id="north")
        other = await identity.get(path, Role.PLATFORM, platform_id="south")
        banned_one = await identity.get(
            f"/v1/operators/{account_id('south', 'old')}/links", Role.PLATFORM, platform_id="north"
        )
        summary = (await identity.get("/v1/summary", Role.PLATFORM, platform_id="south")).json()

        assert [(item["operator_id"], item["came_back"]) for item in regulator] == [
            (str(account_id("south", "old")), True)
        ]
        (item,) = own.json()["items"]
        assert (item["account_id"], item["operator_id"]) == (str(account_id("north", "new")), None)
        assert (item["banned"], item["banned_account_id"], item["banned_at"]) == (True, None, None)
        assert kinds(item) == ["bank_account"]
        assert "south" not in own.text
        assert str(account_id("south", "old")) not in own.text
        assert (other.status_code, banned_one.status_code) == (404, 404)
        assert (summary["links"], summary["returned"]) == (0, 0)


class TestTables:
    async def test_hold_nothing_that_can_be_read(self, identity: Service) -> None:
        clear = ["王小明", "13800138000", "福华路", "6222021234567890123", "device-77", "boss@shop.example", "Sunrise"]
        says = {
            "legal_name": "Sunrise River Ltd",
            "representative": clear[0],
            "bank_accounts": [clear[3]],
            "devices": [clear[4]],
            **contacts(phone=clear[1], address="深圳市福田区福华路9号", email=clear[5]),
        }
        await told(identity, shop("old", **says), banned("old"), shop("new", time=MARCH, **says))

        dump = ""
        for table in ("link_sketches", "value_holders", "operator_links", "returned_accounts"):
            rows = await identity.rows(f"SELECT {table}::text AS line FROM {table}")  # noqa: S608 - names of ours
            dump += "\n".join(row["line"] for row in rows)

        assert str(account_id("north", "new")) in dump
        for text in clear:
            assert text not in dump
            assert text.encode().hex() not in dump
            assert text.lower().encode().hex() not in dump
