"""Snapshots of pages as platforms send them, and invented pages."""

import base64
from typing import Any

from tests.services.doors import Service
from tests.services.identity.factories import USCC
from tests.services.inbox import deliver_platform_events
from tests.services.platform_events import Json, event, send

SHOP_URL = "https://north.example/shops/lamp"
HOME_URL = "https://north.example/"
# Another operator's number whose check digits hold.
OTHER = "91330106MA27QQQQ8J"
SHOWN = f"<footer><p>统一社会信用代码：{USCC}</p></footer>"
HOME = (
    "<footer><p>统一社会信用代码：" + USCC + "</p><p>京ICP备12345678号-1</p>"
    "<p>地址：北京市海淀区示例路1号</p><p>客服电话：400-555-0100</p></footer>"
)


def html(body: str) -> str:
    return f"<!DOCTYPE html><html><head><title>商店</title></head><body><h1>Lamp</h1>{body}</body></html>"


def captured(body: str | None = SHOWN, *, at: str = "2026-03-01T10:00:00Z", **says: Any) -> Json:
    platform_id = says.pop("platform_id", "north")
    page = {} if body is None else {"html": html(body)}
    data = {"url": SHOP_URL, "kind": "shop", "captured_at": at, **page, **says}
    return event("page.captured", data, platform_id=platform_id, time=at)


def home(body: str | None = HOME, **says: Any) -> Json:
    return captured(body, **{"url": HOME_URL, "kind": "home", **says})


def encoded(text: str, codec: str) -> str:
    return base64.b64encode(text.encode(codec)).decode()


async def told(service: Service, *events: Json) -> None:
    for one in events:
        answer = await send(service, [one], platform_id=one["source"].removeprefix("/platforms/"))
        assert answer.json()["rejected"] == []
    await deliver_platform_events(service)


async def pages(service: Service, query: str = "") -> list[Json]:
    answer = await service.get(f"/v1/pages{query}")
    assert answer.status_code == 200, answer.text
    items: list[Json] = answer.json()["items"]
    return items


async def only_page(service: Service) -> Json:
    (found,) = await pages(service)
    answer = await service.get(f"/v1/pages/{found['id']}")
    detail: Json = answer.json()
    return detail
