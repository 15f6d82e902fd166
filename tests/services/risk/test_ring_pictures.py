"""Pictures of rings, by risk's door: members with the orders between them, and of nobody else."""

from collections import Counter
from datetime import timedelta
from xml.etree import ElementTree as ET

import httpx
import pytest_asyncio

from services.risk.patrol import go_round
from shared.auth import Role
from shared.events.listings import TransactionEvent
from shared.identifiers import account_id, as_key, new_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import PLACED
from tests.services.risk.test_patrol import order, ring, rings, wide_market

SVG = "{http://www.w3.org/2000/svg}"


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


def lines(answer: httpx.Response) -> set[str]:
    root = ET.fromstring(answer.content)  # noqa: S314 - our own
    found = (line.find(SVG + "title") for line in root.iter(SVG + "path"))
    return {str(title.text) for title in found if title is not None}


def between(trade: list[TransactionEvent], buyers: set[str], shops: set[str]) -> set[str]:
    """Return what lines are to say: the orders that shops and buyers have with each other."""
    pairs = Counter(
        (str(as_key(one.trade.account_id)), str(one.buyer_ref))
        for one in trade
        if one.trade is not None and str(as_key(one.trade.account_id)) in shops and one.buyer_ref in buyers
    )
    return {f"{shop} and {buyer}: {n} order{'' if n == 1 else 's'}" for (shop, buyer), n in pairs.items()}


async def test_has_the_orders_between_members_and_no_others(risk: Service) -> None:
    trade = wide_market() + ring(range(12), range(250, 258))
    await handle(risk, trade)
    await handle(risk, [order("other", 250, "b1", day=0)])
    await go_round(risk.sessions)
    [found] = await rings(risk)

    answer = await risk.get(f"/v1/rings/{found['id']}/picture")

    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    buyers, shops = set(found["buyers"]), set(found["accounts"])  # type: ignore[call-overload]
    expected = between([*trade, order("other", 250, "b1", day=0)], buyers, shops)
    assert lines(answer) == expected
    assert len(expected) > 50
    assert (await risk.get(f"/v1/rings/{found['id']}/picture")).content == answer.content


async def test_names_shops_as_their_platform_does_where_that_is_known(risk: Service) -> None:
    await handle(risk, wide_market() + ring(range(12), range(250, 258)))
    await go_round(risk.sessions)
    [found] = await rings(risk)
    await risk.rows(
        "INSERT INTO operators (account_id, platform_id, operator_ref, operator_id, verdict, reasons, version)"
        " VALUES ($1, 'north', '<b>角落小店</b>', $1, 'verified', '{}', 1)",
        account_id("north", "s250"),
    )

    answer = await risk.get(f"/v1/rings/{found['id']}/picture")

    assert any(line.startswith("<b>角落小店</b> and b") for line in lines(answer))
    assert b"<b>" not in answer.content


async def test_of_long_ago_has_its_members_and_says_that_orders_are_gone(risk: Service) -> None:
    await handle(risk, wide_market() + ring(range(12), range(250, 258)))
    await go_round(risk.sessions)
    [found] = await rings(risk)
    await risk.rows("UPDATE rings SET seen_at = $1", PLACED - timedelta(days=90))

    answer = await risk.get(f"/v1/rings/{found['id']}/picture")

    assert lines(answer) == set()
    assert "No orders between them are kept" in answer.text
    assert all(f">{buyer}<" in answer.text for buyer in found["buyers"])  # type: ignore[attr-defined]


async def test_is_for_those_who_read_rings_and_of_rings_there_are(risk: Service) -> None:
    path = f"/v1/rings/{new_id()}/picture"

    assert (await risk.get(path)).status_code == 404
    assert (await risk.get("/v1/rings/none/picture")).status_code == 422
    assert (await risk.get(path, Role.PLATFORM, platform_id="north")).status_code == 403
