"""The door of captured pages: what it refuses, what it keeps of them and of what is personal, and who may read it."""

import asyncio
from typing import Any

import pytest_asyncio

from shared.auth import Role
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.identity.captures import (
    HOME_URL,
    SHOP_URL,
    SHOWN,
    captured,
    encoded,
    home,
    pages,
    told,
)
from tests.services.identity.factories import operator_registered
from tests.services.identity.test_personal import everything
from tests.services.platform_events import Json, send

SHOP = account_id("north", "shop")
BEFORE, LATER = "2026-02-01T10:00:00Z", "2026-03-02T10:00:00Z"
PERSON = "92440305L12345674M"


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


def registered(**says: Any) -> Json:
    return operator_registered(**{"time": BEFORE, "shop_urls": [SHOP_URL], **says})


class TestDoor:
    async def test_refuses_pages_that_cannot_be_and_takes_what_is_beside_them(self, identity: Service) -> None:
        expected = {
            ("page_ambiguous", "/data/html"): [captured(None), captured(SHOWN, html_base64="YQ==")],
            ("not_base64", "/data/html_base64"): [captured(None, html_base64="%%%")],
            ("url_not_web", "/data/url"): [captured(url="javascript:alert(1)"), captured(url="not an address")],
            ("field_not_yours", "/data/reading"): [
                captured(reading={"sha256": "0", "size_bytes": 1, "encoding": "utf-8", "reader": 1})
            ],
            ("page_too_large", "/data/html"): [captured("x" * 800_001)],
            ("event_too_large", ""): [captured("x" * 1_000_000)],
            ("time_in_future", "/data/captured_at"): [captured(captured_at="2150-01-01T00:00:00Z")],
        }
        bad = [one for ones in expected.values() for one in ones]
        good = captured()

        answer = await send(identity, [*bad, good])

        codes = [(one["code"], one["pointer"]) for one in answer.json()["rejected"]]
        assert codes == [fault for fault, ones in expected.items() for _ in ones]
        assert answer.json()["accepted"] == 1

    async def test_refuses_a_body_of_ten_megabytes_whole(self, identity: Service) -> None:
        answer = await send(identity, [captured("x" * 10_000_000)])

        assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")

    async def test_knows_a_page_again(self, identity: Service) -> None:
        page = captured()

        other = {**page, "data": {**page["data"], "html": "other"}}
        answers = [(await send(identity, [one])).json() for one in (page, page, other)]

        assert [(one["accepted"], one["duplicate"]) for one in answers] == [(1, 0), (0, 1), (0, 0)]
        assert [one["code"] for one in answers[2]["rejected"]] == ["id_conflict"]

    async def test_fetches_nothing_that_a_page_names(self, identity: Service) -> None:
        connected: list[object] = []
        server = await asyncio.start_server(lambda *streams: connected.append(streams), "127.0.0.1", 0)
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/x"
        named = (
            f'<?xml version="1.0"?><!DOCTYPE html SYSTEM "{url}" [<!ENTITY e SYSTEM "{url}">'
            f'<!ENTITY % p SYSTEM "{url}"> %p;]><html><head><base href="{url}"><link rel="stylesheet" href="{url}">'
            f'<script src="{url}"></script>'
            f'</head><body><img src="{url}"><iframe src="{url}"></iframe><object data="{url}"></object>&e;'
            f'<a href="{url}">营业执照</a>{SHOWN}</body></html>'
        )
        async with server:
            as_bytes = captured(None, html_base64=encoded(named, "utf-8"), at=LATER)
            await told(identity, registered(), captured(None, html=named), as_bytes)
            await asyncio.sleep(0.05)

        assert [page["finding"] for page in await pages(identity)] == ["displayed", "displayed"]
        assert connected == []

    async def test_keeps_neither_the_page_nor_what_is_personal_in_it(self, identity: Service) -> None:
        said = [
            "欧阳思远",
            "+86 574 8765 4321",
            "13912345678",
            "siyuan@shop.example",
            PERSON,
            "司马雨晴",
            "仅此一处的话",
        ]
        body = (
            f"<p>经营者：欧阳思远 统一社会信用代码：{PERSON}</p>"
            "<p>地址：宁波市示例路17号 联系人：司马雨晴 电话：13912345678</p>"
            "<p>+86 574 8765 4321 siyuan@shop.example</p><p>仅此一处的话</p>"
        )
        file = {
            "entity_type": "natural_person",
            "legal_name": "欧阳思远",
            "registration": {"scheme": "uscc", "number": PERSON},
        }
        await told(identity, registered(**file), captured(body), home(body, at=LATER))

        kept = await everything(identity)

        assert [page["finding"] for page in await pages(identity)] == ["reported", "displayed"]
        for word in said:
            assert word not in kept, word


class TestPages:
    async def test_are_listed_by_filter_and_paged(self, identity: Service) -> None:
        await told(identity, registered(), home(at="2026-03-05T00:00:00Z"))
        for day in range(1, 4):
            await told(identity, captured("<p>Lamps</p>" if day % 2 else SHOWN, at=f"2026-03-{day:02}T10:00:00Z"))
        operator = (await pages(identity, "?kind=shop"))[0]["operator_id"]

        seen, path = [], "?limit=2"
        while path:
            answer = (await identity.get(f"/v1/pages{path}")).json()
            seen += [page["captured_at"] for page in answer["items"]]
            path = f"?limit=2&cursor={answer['next']}" if answer["next"] else ""

        assert seen == sorted(seen, reverse=True)
        assert len(seen) == 4
        counted = {f"?operator={operator}": 3, f"?account={SHOP}": 3, f"?url={SHOP_URL}/": 3, f"?url={HOME_URL}": 4}
        counted |= {"?finding=violated": 2, "?finding=reported": 1, f"?account={account_id('north', 'no')}": 0}
        for query, count in counted.items():
            assert len(await pages(identity, query)) == count, query

    async def test_refuse_bad_questions(self, identity: Service) -> None:
        for query in ("url=mailto:a@b", "url=%00", "finding=lovely", "limit=0", "cursor=x", "unknown=1"):
            assert (await identity.get(f"/v1/pages?{query}")).status_code == 422, query
        assert (await identity.get(f"/v1/pages/{SHOP}")).status_code == 404

    async def test_of_a_platform_are_seen_by_itself_and_by_who_supervises(self, identity: Service) -> None:
        await told(identity, captured(), captured(platform_id="south"))

        for role in Role:
            answer = await identity.get("/v1/pages", role, platform_id="north")
            if role in (Role.CONSUMER, Role.OPERATOR):
                assert answer.status_code == 403
                continue
            owners = sorted(page["platform_id"] for page in answer.json()["items"])
            assert owners == (["north"] if role is Role.PLATFORM else ["north", "south"])

    async def test_are_counted(self, identity: Service) -> None:
        await told(identity, registered(), captured("<p>Lamps</p>"), home())

        counted = (await identity.get("/v1/summary")).json()["displays"]

        assert (counted["pages"], counted["violated"], counted["reported"]) == (2, 1, 1)
        assert counted["accounts_in_violation"] == 1
