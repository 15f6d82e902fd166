"""Chains of what platforms stated: linked once, verified link by link, and what was rewritten is named."""

import hashlib

import msgspec
import pytest_asyncio
import zstandard

from services.risk import chains
from services.risk.bookkeeping import verify_whole
from shared.clock import utc_now
from shared.database import transaction as in_transaction
from shared.events.risk import ChainExtended
from shared.identifiers import transaction_id
from tests.services.doors import OpenService, Service
from tests.services.inbox import handle
from tests.services.listings.trade import later, transaction


@pytest_asyncio.fixture
async def risk(open_service: OpenService) -> Service:
    return await open_service("risk")


async def link(service: Service) -> int:
    async with in_transaction(service.sessions) as session:
        return await chains.link(session, at=utc_now())


async def three_links(service: Service) -> None:
    """State three orders in three batches, and link them."""
    for number in range(3):
        await handle(service, [transaction(order_ref=f"o{number}")])
    await link(service)


async def verified(service: Service, platform_id: str = "north", after: int = 0) -> dict[str, object]:
    answer = await service.get(f"/v1/chains/{platform_id}/verification?after={after}")
    assert answer.status_code == 200, answer.text
    found: dict[str, object] = answer.json()
    return found


class TestLink:
    async def test_chains_each_batch_once_and_each_platform_alone(self, risk: Service) -> None:
        await handle(risk, [transaction(order_ref="a"), transaction(order_ref="b", platform_id="south")])
        await handle(risk, [transaction(order_ref="c"), transaction(order_ref="d")])

        assert [await link(risk), await link(risk)] == [3, 0]

        north, south = [(await risk.get(f"/v1/chains/{name}")).json() for name in ("north", "south")]
        assert (north["length"], north["entries"]) == (2, 3)
        assert (south["length"], south["entries"]) == (1, 1)

    async def test_can_be_recomputed_by_anybody_from_what_is_stored(self, risk: Service) -> None:
        await three_links(risk)

        previous = bytes(32)
        for row in await risk.rows("SELECT sequence, content FROM chain_links ORDER BY sequence"):
            content = hashlib.sha256(row["content"]).digest()
            previous = hashlib.sha256(previous + row["sequence"].to_bytes(8, "big") + content).digest()

        assert (await risk.get("/v1/chains/north")).json()["hash"] == previous.hex()
        (entry,) = msgspec.json.decode(zstandard.ZstdDecompressor().decompress(row["content"]))
        assert entry[0] == str(transaction_id("north", "o2"))
        assert entry[5:9] == ["CNY", 10_000, 10_000, 10_000]

    async def test_publishes_the_head_for_witnesses(self, risk: Service) -> None:
        await three_links(risk)

        (told,) = [msgspec.json.decode(one.data, type=ChainExtended) for one in await risk.published(ChainExtended)]
        head = (await risk.get("/v1/chains/north")).json()
        assert (told.length, told.hash, told.entries) == (head["length"], head["hash"], 3)

    async def test_continues_from_the_head(self, risk: Service) -> None:
        await three_links(risk)
        before = (await risk.get("/v1/chains/north")).json()

        await handle(risk, [later(transaction(order_ref="o1"))])
        await link(risk)

        after = (await risk.get("/v1/chains/north")).json()
        assert (after["length"], after["since"]) == (4, before["since"])
        assert (await risk.get("/v1/chains/north/links/3")).json()["hash"] == before["hash"]


class TestVerify:
    async def test_finds_nothing_where_nothing_was_changed(self, risk: Service) -> None:
        await three_links(risk)

        assert await verified(risk) == {
            "platform_id": "north",
            "length": 3,
            "checked_to": 3,
            "broken_at": None,
            "why": None,
        }
        assert (await verified(risk, after=2))["broken_at"] is None

    async def test_names_the_link_whose_content_was_changed(self, risk: Service) -> None:
        await three_links(risk)
        await risk.rows("UPDATE chain_links SET content = content || '\\x00'::bytea WHERE sequence = 2")

        found = await verified(risk)

        assert (found["broken_at"], found["checked_to"]) == (2, 1)
        assert "does not follow from its content" in str(found["why"])

    async def test_names_the_link_after_one_that_was_made_to_fit(self, risk: Service) -> None:
        await three_links(risk)
        forged = await risk.rows("SELECT content FROM chain_links WHERE sequence = 1")
        content = forged[0]["content"] + b"\0"
        fitting = hashlib.sha256(bytes(32) + (1).to_bytes(8, "big") + hashlib.sha256(content).digest()).digest()
        await risk.rows("UPDATE chain_links SET content = $1, hash = $2 WHERE sequence = 1", content, fitting)

        assert (await verified(risk))["broken_at"] == 2

    async def test_names_a_link_that_is_missing(self, risk: Service) -> None:
        await three_links(risk)
        await risk.rows("DELETE FROM chain_links WHERE sequence = 2")

        found = await verified(risk)

        assert (found["broken_at"], found["why"]) == (2, "link 2 is missing")

    async def test_misses_the_last_link_by_the_head(self, risk: Service) -> None:
        await three_links(risk)
        await risk.rows("DELETE FROM chain_links WHERE sequence = 3")

        found = await verified(risk)

        assert (found["broken_at"], found["why"]) == (3, "link 3 is missing: the head says there are 3")

    async def test_does_not_take_another_head(self, risk: Service) -> None:
        await three_links(risk)
        await risk.rows("UPDATE chains SET hash = '\\x00'")

        assert (await verified(risk))["why"] == "the head is not the last link, 3"

    async def test_goes_step_by_step_through_the_whole_chain(self, risk: Service) -> None:
        await three_links(risk)
        whole = [await verify_whole(risk.sessions, "north", step=step) for step in (1, 2, 3, 4)]
        await risk.rows("DELETE FROM chain_links WHERE sequence = 2")

        broken = await verify_whole(risk.sessions, "north", step=1)

        assert [(one.checked_to, one.broken_at) for one in whole] == [(3, None)] * 4
        assert broken.broken_at is not None
        assert broken.broken_at.sequence == 2

    async def test_has_nothing_to_say_of_a_platform_that_stated_nothing(self, risk: Service) -> None:
        answers = [await risk.get(f"/v1/chains/nobody{path}") for path in ("", "/verification", "/links/1")]

        assert [answer.status_code for answer in answers] == [404, 404, 404]
