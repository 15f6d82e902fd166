"""Orders of removal and demands to know sellers: given, acknowledged and answered while things are killed.

A regulator orders that accounts of long ago be removed, and consumers demand to know who is behind them, so that what
becomes of each is known beforehand. Orders by dated rules come as the stream has them.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import httpx

from deploy.stack import Stack
from deploy.streaming import Supply
from shared.auth import Role
from shared.identifiers import account_id
from tests.faults.histories import Stayed, end_of, file_of, stayed

_AGAIN_SECONDS, _GIVE_UP_SECONDS = 0.5, 120.0
_DECISION, _OVERDUE = "removal.decision", "not_removed"
_NDJSON = {"content-type": "application/x-ndjson"}
_A_PAGE = 200
# Certificates of authorities would be loaded for every client.
_NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
Json = dict[str, Any]


class Compared(NamedTuple):
    """What orders and demands came to, as far as it must be the same in another run of one seed.

    By platform and reference of an account, for ids and times differ. Grounds come from risk and credit, and ends of
    accounts from their platforms; no order of things says which comes first, or which of them come in one batch. Where
    the end does, or a ground comes together with its own end, there never was an order. So these are left out:

    - orders by rules that are over: another run may have had none. Of those by a decision, which was seen to be kept
      before anything else was done, state and reason are compared;
    - times, and whether the day to acknowledge in was missed: it depends on how fast the stream went;
    - when it was acknowledged: at the end everything open is. That none was lost is looked at in each run by itself.

    What is open at the end does not depend on it: an account that has not ended has an order while it has a ground.
    """

    removals: Mapping[str, Any]
    demands: Mapping[str, Any]
    # How often an open order by rules was told to be overdue, by account and deadline. The deadline moves with what
    # came in the batch that gave the order; so only those are compared that both runs have.
    overdue: Mapping[str, int]

    def counts(self) -> dict[str, int]:
        """Return how many there are of what."""
        orders = [name for name, own in self.removals.items() if isinstance(own, list)]
        return {
            "orders of removal": len(orders),
            "of these open": sum(name.startswith("open") for name in orders),
            "told to be overdue": sum(self.overdue.values()),
            "demands to know a seller": len(self.demands),
        }


@dataclass
class Duties:
    """What regulators, platforms and consumers do beside a stream."""

    stack: Stack
    supply: Supply
    # Orders of which a platform was told that its acknowledgement is kept.
    acknowledged: set[str] = field(default_factory=set)

    @asynccontextmanager
    async def done_meanwhile(self) -> AsyncIterator[None]:
        """Give orders and demands while the stream goes on, whatever is away, and be done with all at the end."""
        stayed(self.supply).clear()
        is_over = asyncio.Event()
        task = asyncio.create_task(self._do_all(is_over))
        try:
            yield
            is_over.set()
            await asyncio.wait_for(task, _GIVE_UP_SECONDS)
        finally:
            task.cancel()

    async def compared(self) -> Compared:
        """Acknowledge what is open, and return what orders and demands came to."""
        for platform_id in self.supply.source.platform_ids:
            await self._acknowledge(platform_id)
        async with self._client(Role.REGULATOR) as regulator:
            orders = await _everything(regulator, "/v1/removal-orders")
            demands = await _everything(regulator, "/v1/disclosure-requests")
            ended = await _ended(regulator, [order for order in orders if order["state"] == "open"])
        answers = {(one.platform_id, one.ref): await self._answers(one) for one in sorted(stayed(self.supply))}
        return Compared(
            removals={**_by_account(orders), **_faults(orders, self.acknowledged, ended)},
            demands=_demands(demands, answers),
            overdue={
                f"{_name(order)} by {order['remove_by']}": order["escalations"].count(_OVERDUE)
                for order in orders
                if order["state"] == "open" and _DECISION not in order["grounds"]
            },
        )

    async def _do_all(self, is_over: asyncio.Event) -> None:
        done: set[Stayed] = set()
        while not is_over.is_set() or stayed(self.supply) - done:
            for platform_id in self.supply.source.platform_ids:
                await self._acknowledge(platform_id)
            for one in sorted(stayed(self.supply) - done):
                await self._demand(one)
                await self._order(one)
                done.add(one)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _acknowledge(self, platform_id: str) -> None:
        async with self._client(Role.PLATFORM, platform_id) as platform:
            try:
                orders = await _everything(platform, "/v1/removal-orders", state="open")
            except httpx.HTTPError:
                return
            for order in orders:
                if order["acknowledged_at"] is None:
                    said = await _tried(platform.post(f"/v1/removal-orders/{order['id']}/acknowledgement"))
                    if said is not None and said.is_success:
                        self.acknowledged.add(order["id"])

    async def _demand(self, one: Stayed) -> None:
        """Demand to know a seller; every other one's platform answers."""
        wanted = {"platform_id": one.platform_id, "operator_ref": one.ref, "cause": "dispute"}
        async with self._buyer(one) as buyer, self._client(Role.PLATFORM, one.platform_id) as platform:
            # Sent again before it is answered it is the same one.
            asked = await _until(lambda: buyer.post("/v1/disclosure-requests", json=wanted), {200, 201})
            if one.turn % 2 == 0:
                path = f"/v1/disclosure-requests/{asked.json()['id']}/answer"
                said = {"legal_name": file_of(one).legal_name, "address": "1 Old Road", "contact": "+86 10 5555 0100"}
                await _until(lambda: platform.post(path, json=said), {200, 409})

    async def _order(self, one: Stayed) -> None:
        """Order that an account be removed; of three orders one is withdrawn, one carried out, and one stays open."""
        decision = {"account_id": str(account_id(one.platform_id, one.ref)), "because": "the kill loop decides"}
        async with self._client(Role.REGULATOR) as regulator, self._client(Role.PLATFORM, one.platform_id) as platform:
            # Sent again it is one more ground of the same order.
            order = (await _until(lambda: regulator.post("/v1/removal-orders", json=decision), {201})).json()
            if one.turn % 3 == 0:
                path, because = f"/v1/removal-orders/{order['id']}/withdrawal", {"because": "the kill loop withdraws"}
                await _until(lambda: regulator.post(path, json=because), {200, 409})
            elif one.turn % 3 == 1:
                # What an account is worth when it ends depends on whether its file has lapsed by then.
                await self._until_lapsed(regulator, order)
                ended = end_of(one)
                await _until(lambda: platform.post("/v1/events", content=ended, headers=_NDJSON), {202})

    async def _until_lapsed(self, regulator: httpx.AsyncClient, order: Json) -> None:
        while True:
            if await _in_state(regulator, [order], {"lapsed"}):
                return
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _answers(self, one: Stayed) -> list[Json]:
        """Return what the consumer who demanded to know a seller can read."""
        found = []
        async with self._buyer(one) as buyer:
            for request in await _everything(buyer, "/v1/disclosure-requests"):
                if request["answered_at"] is not None:
                    read = await buyer.post(f"/v1/disclosure-requests/{request['id']}/reading")
                    found.append(read.raise_for_status().json()["fields"])
        return found

    def _buyer(self, one: Stayed) -> httpx.AsyncClient:
        return self._client(Role.CONSUMER, subject=f"buyer of {one.platform_id} {one.ref}")

    def _client(self, role: Role, platform_id: str | None = None, subject: str | None = None) -> httpx.AsyncClient:
        token = self.stack.issuer.issue(role, platform_id=platform_id, subject=subject)
        headers = {"authorization": f"Bearer {token}"}
        url = self.stack.ports.url("identity")
        return httpx.AsyncClient(base_url=url, trust_env=False, timeout=30, headers=headers, verify=_NO_TLS)


def _by_account(orders: Iterable[Json]) -> dict[str, list[Json]]:
    found: dict[str, list[Json]] = defaultdict(list)
    for order in orders:
        if order["state"] == "open":
            is_acknowledged = order["acknowledged_at"] is not None
            found[f"open {_name(order)}"].append({"grounds": sorted(order["grounds"]), "acknowledged": is_acknowledged})
        elif _DECISION in order["grounds"]:
            found[f"{order['state']} {_name(order)}"].append({"because": order["closed_because"]})
    return dict(found)


def _faults(orders: Iterable[Json], acknowledged: Collection[str], ended: Collection[str]) -> dict[str, int]:
    """Return what must not be of any order, whatever came first."""
    of = {order["id"]: order for order in orders}
    told = [of[one] for one in acknowledged if one in of]
    return {
        "missing though acknowledged": len(acknowledged) - len(told),
        "acknowledged and not kept": sum(order["acknowledged_at"] is None for order in told),
        "open though the account has ended": len(ended),
        "told of twice": sum(len(set(order["escalations"])) < len(order["escalations"]) for order in of.values()),
    }


def _demands(demands: Iterable[Json], answers: Mapping[tuple[str, str], list[Json]]) -> dict[str, Any]:
    states: dict[tuple[str, str], list[str]] = defaultdict(list)
    for one in demands:
        states[one["platform_id"], one["operator_ref"]].append(one["state"])
    return {
        f"{platform_id} {ref}": {"states": sorted(own), "answers": answers.get((platform_id, ref), [])}
        for (platform_id, ref), own in states.items()
    }


def _name(order: Json) -> str:
    return f"{order['platform_id']} {order['operator_ref']}"


async def _ended(regulator: httpx.AsyncClient, orders: Iterable[Json]) -> set[str]:
    return await _in_state(regulator, orders, {"deregistered", "banned"})


async def _in_state(regulator: httpx.AsyncClient, orders: Iterable[Json], states: Collection[str]) -> set[str]:
    """Return which of the accounts that are to be removed are in one of some states."""
    found = set()
    for order in orders:
        answer = await _tried(regulator.get(f"/v1/operators/{order['operator_id']}"))
        accounts = answer.json()["accounts"] if answer is not None and answer.is_success else ()
        own = {one["account_id"] for one in accounts if one["state"] in states}
        found |= own & {order["account_id"]}
    return found


async def _everything(client: httpx.AsyncClient, path: str, **asked: str) -> list[Json]:
    items: list[Json] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(path, params={"limit": str(_A_PAGE), **asked, **cursor})).raise_for_status().json()
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


async def _until(ask: Callable[[], Awaitable[httpx.Response]], good: Collection[int]) -> httpx.Response:
    """Ask until there is an answer that says it is done."""
    while True:
        answer = await _tried(ask())
        if answer is not None and answer.status_code in good:
            return answer
        await asyncio.sleep(_AGAIN_SECONDS)


async def _tried(asked: Awaitable[httpx.Response]) -> httpx.Response | None:
    try:
        return await asked
    except httpx.HTTPError:
        return None
