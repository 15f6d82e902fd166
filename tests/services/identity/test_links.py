"""Hidden links: who shares what with whom, whatever came first, and what too many share."""

from itertools import permutations
from typing import Any
from xml.etree import ElementTree as ET

import msgspec
import pytest
import pytest_asyncio

from shared.auth import Role
from shared.events.identity import LinkFound, LinkLost
from shared.identifiers import account_id, operator_id
from tests.services.doors import OpenService, Service
from tests.services.identity.factories import USCC
from tests.services.identity.shops import (
    BANK,
    FEBRUARY,
    MARCH,
    banned,
    changed,
    contacts,
    kinds,
    links_of,
    send_as,
    shop,
    state,
    told,
    told_one_by_one,
)
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


class TestLinks:
    @pytest.mark.parametrize(
        ("one", "other", "kind"),
        [
            ({"bank_accounts": [BANK]}, {"bank_accounts": ["other-1", BANK.replace(" ", "-")]}, "bank_account"),
            ({"devices": ["AA:BB:CC:01"]}, {"devices": ["aabbcc01"]}, "device"),
            (contacts(phone="+86 138-0013-8000"), contacts(phone="１３８００１３８０００"), "phone"),
            (contacts(email="Boss@Shop.example"), contacts(email="boss@shop.example "), "email"),
            (contacts(address="山西省晋中市青石县松林路９号"), contacts(address="松林路9号，青石縣 晋中市"), "address"),
            (
                contacts(address="12 Main St., Ste 5, Austin"),
                contacts(address="AUSTIN, Suite 5 / 12 Main Street"),
                "address",
            ),
            (contacts(address="Hauptstraße 5, Köln"), contacts(address="Koeln, Hauptstr. 5"), "address"),
        ],
    )
    async def test_of_one_value_that_two_alone_share(
        self, identity: Service, one: Json, other: Json, kind: str
    ) -> None:
        await told(identity, shop("first", **one), shop("second", **other))

        (link,) = await links_of(identity, "first")
        (back,) = await links_of(identity, "second")

        assert link["operator_id"] == str(account_id("north", "second"))
        assert back["operator_id"] == str(account_id("north", "first"))
        assert kinds(link) == [kind]
        assert link["reasons"][0]["holders"] == 2
        assert link["score"] == back["score"] >= 8
        assert not link["banned"]
        assert (await identity.get("/v1/summary")).json()["links"] == 1

    @pytest.mark.parametrize(
        ("one", "other"),
        [
            ({"representative": "王伟"}, {"representative": "王 偉"}),
            (contacts(address="苏州青石区青石镇松涧村"), contacts(address="青石镇松涧村 苏州青石区")),
            ({"legal_name": "深圳市鑫源贸易有限公司"}, {"legal_name": "鑫源貿易有限責任公司"}),
            (contacts(phone="000000"), contacts(phone="000000")),
            ({"bank_accounts": ["n/a"]}, {"bank_accounts": ["N/A"]}),
            (contacts(address="人民路100号 万达广场 12-3"), contacts(address="人民路100号 万达广场 12-4")),
        ],
    )
    async def test_needs_more_than_what_is_shared_by_chance(self, identity: Service, one: Json, other: Json) -> None:
        await told(identity, shop("first", **one), shop("second", **other))

        assert await links_of(identity, "first") == []

    async def test_adds_up_what_is_too_little_alone(self, identity: Service) -> None:
        one = {"legal_name": "Ｓｕｎ River Trading Co., Ltd.", "representative": "Anna Müller"}
        other = {"legal_name": "SUN RIVER TRADING LLC", "representative": "MUELLER, Anna"}
        await told(identity, shop("first", **one), shop("second", **other))

        (link,) = await links_of(identity, "first")

        assert kinds(link) == ["representative", "name"]
        assert link["score"] == pytest.approx(sum(reason["weight"] for reason in link["reasons"]))

    async def test_sees_names_and_addresses_that_differ_by_a_slip_of_the_pen(self, identity: Service) -> None:
        one = {"legal_name": "云南青鹭生物科技药业有限公司", **contacts(address="云南省昆明市黑石铺晨光路60号")}
        other = {"legal_name": "云南青鷺生勿科技药业股份有限公司", **contacts(address="昆明市黑石铺辰光路60号")}
        await told(identity, shop("first", **one), shop("second", **other))

        (link,) = await links_of(identity, "first")

        assert kinds(link) == ["name_near", "address_near"]

    async def test_of_one_legal_entity_are_none(self, identity: Service) -> None:
        number = {"scheme": "uscc", "number": USCC}
        for platform_id in ("north", "south"):
            await told(identity, shop("shop", platform_id=platform_id, registration=number, bank_accounts=[BANK]))

        answer = await identity.get(f"/v1/operators/{operator_id('CN', 'uscc', USCC)}/links")

        assert answer.json() == {"items": [], "next": None}

    async def test_are_the_same_in_every_order_and_in_every_batch(self, open_service: OpenService) -> None:
        files = [
            shop("first", bank_accounts=[BANK], representative="王伟"),
            shop("second", bank_accounts=[BANK], **contacts(phone="+8613800138000")),
            shop("third", bank_accounts=[BANK], **contacts(phone="13800138000")),
            banned("second"),
            shop("fourth", time=MARCH, devices=["device-9"], **contacts(phone="13800138000")),
        ]
        seen: list[Json] = []
        for order in permutations(files):
            refs = [one["data"]["operator_ref"] for one in order]
            # An account's own events keep their order.
            if refs.index("second") == order.index(files[1]) and len(seen) < 12:
                for tell in (told, told_one_by_one):
                    service = await open_service("identity")
                    await tell(service, *order)
                    seen.append(await state(service))

        assert len(seen) == 12
        assert seen[0]["links"]
        assert seen[0]["returns"]
        assert all(one == seen[0] for one in seen)

    async def test_end_when_files_change(self, identity: Service) -> None:
        await told(identity, shop("first", bank_accounts=[BANK]), shop("second", bank_accounts=[BANK]))
        await told(identity, changed("second", time=FEBRUARY, bank_accounts=["other-2"]))

        assert await links_of(identity, "first") == []
        assert len(await identity.published(LinkFound)) == len(await identity.published(LinkLost)) == 1
        held = await identity.rows("SELECT count(*) FROM value_holders WHERE value & 15 = 1 GROUP BY value")
        assert [row["count"] for row in held] == [1, 1]

    async def test_come_back_when_others_let_go_of_what_was_common(self, identity: Service) -> None:
        files = [shop(f"shop-{n}", **contacts(phone="13800138000")) for n in range(5)]
        await told(identity, *files)
        before = await links_of(identity, "shop-0")
        await told(identity, *(changed(f"shop-{n}", time=FEBRUARY) for n in range(2, 5)))

        (link,) = await links_of(identity, "shop-0")

        assert before == []
        assert link["operator_id"] == str(account_id("north", "shop-1"))

    async def test_are_published_once_and_again_when_reasons_change(self, identity: Service) -> None:
        await told_one_by_one(
            identity,
            shop("first", bank_accounts=[BANK], devices=["device-1"]),
            shop("second", bank_accounts=[BANK]),
            changed("second", time=FEBRUARY, bank_accounts=[BANK], representative="李娜"),
            changed("second", time=MARCH, bank_accounts=[BANK], devices=["device-1"]),
        )

        published = [msgspec.json.decode(one.data, type=LinkFound) for one in await identity.published(LinkFound)]

        assert [[reason.kind for reason in one.reasons] for one in published] == [
            ["bank_account"],
            ["bank_account", "device"],
        ]
        assert published[0].link_id == published[1].link_id

    async def test_page_through_all_once(self, identity: Service) -> None:
        banks = [f"bank-{n}" for n in range(5)]
        await told(identity, shop("hub", bank_accounts=banks), *(shop(f"spoke-{b}", bank_accounts=[b]) for b in banks))
        hub = account_id("north", "hub")

        seen: list[str] = []
        path: str | None = f"/v1/operators/{hub}/links?limit=2"
        while path is not None:
            page = (await identity.get(path)).json()
            seen += [item["operator_id"] for item in page["items"]]
            path = f"/v1/operators/{hub}/links?limit=2&cursor={page['next']}" if page["next"] else None

        assert seen == sorted(str(account_id("north", f"spoke-{b}")) for b in banks)

    async def test_are_not_for_customs_and_not_of_nobody(self, identity: Service) -> None:
        path = f"/v1/operators/{account_id('north', 'nobody')}/links"

        assert (await identity.get(path, Role.CUSTOMS)).status_code == 403
        assert (await identity.get(path)).status_code == 404


class TestPicture:
    async def test_shows_whom_an_operator_is_linked_to_by_what_and_who_was_banned(self, identity: Service) -> None:
        await told(
            identity,
            shop("old", platform_id="south", bank_accounts=[BANK], devices=["device-1"]),
            banned("old", platform_id="south"),
            shop("new", time=MARCH, bank_accounts=[BANK], legal_name="Blue Lantern <Trading> Ltd"),
            shop("other", time=MARCH, devices=["device-1"]),
            shop("stranger", time=MARCH),
        )

        answer = await identity.get(f"/v1/operators/{account_id('north', 'new')}/links/picture")

        root = ET.fromstring(answer.content)  # noqa: S314 - our own
        said = {found.text for found in root.iter() if found.text}
        assert answer.headers["content-type"] == "image/svg+xml"
        assert "Hidden links of Blue Lantern <Trading> Ltd" in said
        assert "north; linked to 1 other." in said
        assert {"bank account", "south, banned 2026-02-05, came back from that"} <= said
        assert b"<Trading>" not in answer.content

    async def test_shows_no_name_of_a_person(self, identity: Service) -> None:
        person: Any = {"entity_type": "individual", "legal_name": "王小明", "bank_accounts": [BANK]}
        await told(identity, shop("one", **person), shop("two", bank_accounts=[BANK]))

        answer = await identity.get(f"/v1/operators/{account_id('north', 'two')}/links/picture")

        assert answer.status_code == 200
        assert "王小明" not in answer.text
        assert f"({account_id('north', 'one')})" in answer.text

    async def test_is_for_supervision_and_of_operators_there_are(self, identity: Service) -> None:
        path = f"/v1/operators/{account_id('north', 'nobody')}/links/picture"

        assert (await identity.get(path)).status_code == 404
        assert (await identity.get(path, Role.PLATFORM, platform_id="north")).status_code == 403
        assert (await identity.get(path, Role.CUSTOMS)).status_code == 403


class TestCommonValues:
    @pytest.mark.parametrize("batch", [1, 300])
    async def test_link_nobody(self, identity: Service, batch: int) -> None:
        phone, mall = "+86 755 8888 1234", "深圳市福田区福华路１００号中心商场"
        for platform_id in ("north", "south"):
            files = [
                shop(f"shop-{n}", platform_id=platform_id, **contacts(phone=phone, address=mall)) for n in range(150)
            ]
            if batch == 1:
                files = files[:60]
            for one in files:
                await send_as(identity, one)
                if batch == 1:
                    await deliver_platform_events(identity)
        await deliver_platform_events(identity)

        links = (await identity.get("/v1/summary")).json()["links"]

        assert links == 0

    async def test_do_not_hide_a_link_by_something_rare(self, identity: Service) -> None:
        common = [shop(f"shop-{n}", **contacts(phone="+86 755 8888 1234")) for n in range(120)]
        await told(identity, *common)
        pair = [shop(ref, bank_accounts=[BANK], **contacts(phone="+86 755 8888 1234")) for ref in ("first", "second")]
        await told(identity, *pair)

        (link,) = await links_of(identity, "first")

        assert kinds(link) == ["bank_account"]

    async def test_do_not_hide_addresses_that_are_alike(self, identity: Service) -> None:
        await told(
            identity, *(shop(f"shop-{n}", **contacts(address=f"云南省昆明市黑石铺晨光路{n}号")) for n in range(30))
        )
        one = {"legal_name": "云南青鹭生物科技药业有限公司", **contacts(address="云南省昆明市黑石铺晨光路60号")}
        other = {"legal_name": "云南青鷺生勿科技药业股份有限公司", **contacts(address="昆明市黑石铺辰光路60号")}
        await told(identity, shop("first", **one), shop("second", **other))

        (link,) = await links_of(identity, "first")

        assert kinds(link) == ["name_near", "address_near"]
