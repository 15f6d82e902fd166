"""Accounts of long ago: their clocks run out, and their data is purged, while things are killed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, NamedTuple

import httpx
import msgspec

from deploy.stack import Stack
from deploy.streaming import Supply
from shared.auth import Role
from shared.events.platform import OperatorDeregistered, OperatorRegistered, PlatformEvent
from shared.identifiers import account_id, source_of
from simulator.cloudevents import CloudEvent, Outgoing, encode
from simulator.complaints import Complaint
from simulator.dormant import dormant
from simulator.sender import Source

# Verified in 2021 and never again: it lapses. One that left in 2022 may be purged since 2025.
_REGISTERED, _LEFT = datetime(2021, 12, 1, tzinfo=UTC), datetime(2022, 1, 10, tzinfo=UTC)
_EVERY, _MOST = 400, 40
_AGAIN_SECONDS, _GIVE_UP_SECONDS = 0.5, 120.0
_FIELDS = ["representative", "contacts.address", "contacts.phone"]


@dataclass(frozen=True)
class Histories:
    """A source with accounts of long ago after every few hundred of its events: one stays, the next one leaves."""

    source: Source
    # Platform and reference of the accounts that left, once they were sent, and those that stayed.
    left: set[tuple[str, str]] = field(default_factory=set)
    stayed: set["Stayed"] = field(default_factory=set)

    @property
    def platform_ids(self) -> tuple[str, ...]:
        """The platforms whose events these are."""
        return self.source.platform_ids

    def events(self, platform_id: str) -> Iterator[Outgoing]:
        """Yield a platform's events, and those of long ago among them."""
        for number, event in enumerate(self.source.events(platform_id)):
            yield event
            if number % _EVERY == _EVERY - 1 and number // _EVERY < _MOST:
                yield from _history(platform_id, number // _EVERY)
                if _leaves(number // _EVERY):
                    self.left.add((platform_id, _ref(number // _EVERY)))
                else:
                    self.stayed.add(Stayed(platform_id, number // _EVERY))

    def complaints(self, platform_id: str) -> Iterator[Complaint]:
        """Yield what the platform's buyers complain about."""
        return self.source.complaints(platform_id)


class Stayed(NamedTuple):
    """An account of long ago that its platform has not ended."""

    platform_id: str
    number: int

    @property
    def ref(self) -> str:
        """Return its reference."""
        return _ref(self.number)

    @property
    def turn(self) -> int:
        """Return its place among those of its platform."""
        return self.number // 2


@dataclass(frozen=True)
class Purged:
    """What became of an account that left long ago."""

    version: int
    generations: list[int]
    kept_until: str
    certificate_holds: bool
    # Personal fields that nobody can open any more, and those that somebody can.
    destroyed: list[str]
    readable: list[str]


def with_histories(supply: Supply) -> Supply:
    """Return a supply with accounts of long ago in it."""
    return replace(supply, source=Histories(supply.source))


def left(supply: Supply) -> set[tuple[str, str]]:
    """Return platform and reference of the accounts of long ago that were sent and have left."""
    assert isinstance(supply.source, Histories), "it was made with_histories"
    return supply.source.left


def stayed(supply: Supply) -> set[Stayed]:
    """Return the accounts of long ago that were sent and have not left."""
    assert isinstance(supply.source, Histories), "it was made with_histories"
    return supply.source.stayed


def file_of(one: Stayed) -> OperatorRegistered:
    """Return the file of an account of long ago."""
    return _file(one.platform_id, one.number)


def end_of(one: Stayed) -> bytes:
    """Return the event that an account of long ago has left all the same."""
    event = OperatorDeregistered(operator_ref=one.ref, reason="left")
    return _encoded(one.platform_id, "left", one.ref, _LEFT, event).body


@asynccontextmanager
async def purging(stack: Stack, supply: Supply) -> AsyncIterator[None]:
    """Purge accounts that left while the stream goes on, whatever is away, and be done with all at the end."""
    left(supply).clear()
    is_over = asyncio.Event()
    task = asyncio.create_task(_purge_all(stack, left(supply), is_over))
    try:
        yield
        is_over.set()
        await asyncio.wait_for(task, _GIVE_UP_SECONDS)
    finally:
        task.cancel()


async def _purge_all(stack: Stack, accounts: set[tuple[str, str]], is_over: asyncio.Event) -> None:
    done: set[tuple[str, str]] = set()
    async with _client(stack, Role.ADMINISTRATOR) as client:
        while not is_over.is_set() or accounts - done:
            for one in sorted(accounts - done):
                if await _purge(client, one) == HTTPStatus.CREATED:
                    done.add(one)
            await asyncio.sleep(_AGAIN_SECONDS)


async def purges_of(stack: Stack, supply: Supply) -> dict[str, Purged]:
    """Return what became of the accounts that left, by platform and reference."""
    found: dict[str, Purged] = {}
    async with _client(stack, Role.ADMINISTRATOR) as client, _client(stack, Role.INSPECTOR) as inspector:
        for platform_id, ref in sorted(left(supply)):
            answer = await client.post("/v1/purges", json={"account_id": str(account_id(platform_id, ref))})
            purge = answer.raise_for_status().json()
            found[f"{platform_id} {ref}"] = await _purged(client, inspector, purge)
    return found


async def _purged(client: httpx.AsyncClient, inspector: httpx.AsyncClient, purge: dict[str, Any]) -> Purged:
    shown = {"certificate": purge["certificate"] or "none"}
    checked = (await client.post("/public/v1/purges/verification", json=shown)).raise_for_status().json()
    asked = {
        "operator_id": purge["operator_id"],
        "purpose": "inspection",
        "reason": "the kill loop looks",
        "fields": _FIELDS,
    }
    read = (await inspector.post("/v1/personal-reads", json=asked)).raise_for_status().json()
    (own,) = [one for one in read["accounts"] if one["account_id"] == purge["account_id"]]
    operator = (await inspector.get(f"/v1/operators/{purge['operator_id']}")).raise_for_status().json()
    (file,) = [one for one in operator["accounts"] if one["account_id"] == purge["account_id"]]
    return Purged(
        version=file["version"],
        generations=purge["generations"],
        kept_until=purge["kept_until"],
        certificate_holds=checked["holds"],
        destroyed=own["destroyed"],
        readable=sorted(own["fields"]),
    )


async def _purge(client: httpx.AsyncClient, account: tuple[str, str]) -> int:
    try:
        answer = await client.post("/v1/purges", json={"account_id": str(account_id(*account))})
    except httpx.HTTPError:
        return 0
    return answer.status_code


def _client(stack: Stack, role: Role) -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {stack.issuer.issue(role)}"}
    return httpx.AsyncClient(base_url=stack.ports.url("identity"), trust_env=False, timeout=30, headers=headers)


def _history(platform_id: str, number: int) -> Iterator[Outgoing]:
    ref = _ref(number)
    yield _encoded(platform_id, "registered", ref, _REGISTERED, _file(platform_id, number))
    if _leaves(number):
        yield _encoded(platform_id, "left", ref, _LEFT, OperatorDeregistered(operator_ref=ref, reason="left"))


def _file(platform_id: str, number: int) -> OperatorRegistered:
    return msgspec.structs.replace(dormant(platform_id, 100 + number), operator_ref=_ref(number))


def _encoded(platform_id: str, what: str, ref: str, at: datetime, data: PlatformEvent) -> Outgoing:
    source = source_of(platform_id)
    return encode(CloudEvent(id=f"{ref}-{what}", source=source, type=data.type, time=at, subject=ref, data=data))


def _leaves(number: int) -> bool:
    return number % 2 == 1


def _ref(number: int) -> str:
    return f"history-{number}"
