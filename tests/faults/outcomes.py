"""What a run came to, asked of the services, and in what two runs of one seed differ."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx

from deploy.report import Counts
from deploy.stack import Stack
from shared.auth import Role
from tests.faults.duties import Compared
from tests.faults.histories import Purged

_ALERTS_A_PAGE = 200
_PROFILES_A_PAGE = 1_000
# Sums of floating-point numbers differ in their last bits with the order of their parts.
_DIGITS = 6


@dataclass(frozen=True)
class Outcome:
    """Everything that must not depend on what was killed."""

    accepted: Mapping[str, int]
    matching: Mapping[str, int]
    assessed: int
    open_alerts: frozenset[str]
    profiles: Mapping[str, Any]  # the JSON the credit API answers with, by operator
    # What identity's clocks and purges came to: accounts by state, versions of files, purges by account.
    identity: Mapping[str, Any]
    duties: Compared

    def differences(self, other: "Outcome") -> Iterator[str]:
        """Name what another run of the same seed came to otherwise."""
        for name in ("accepted", "matching", "assessed"):
            mine, theirs = getattr(self, name), getattr(other, name)
            if mine != theirs:
                yield f"{name}: {mine} became {theirs}"
        for identifier in sorted(self.open_alerts - other.open_alerts):
            yield f"alert {identifier} is missing"
        for identifier in sorted(other.open_alerts - self.open_alerts):
            yield f"alert {identifier} is new"
        yield from _differ("profile", self.profiles, other.profiles)
        yield from _differ("identity", self.identity, other.identity)
        yield from _differ("order of removal", self.duties.removals, other.duties.removals)
        yield from _differ("demand to know", self.duties.demands, other.duties.demands)
        both = self.duties.overdue.keys() & other.duties.overdue.keys()
        mine, theirs = ({name: one.duties.overdue[name] for name in both} for one in (self, other))
        yield from _differ("overdue order of removal", mine, theirs)


def _differ(what: str, mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> Iterator[str]:
    for name in sorted(mine.keys() | theirs.keys()):
        if mine.get(name) != theirs.get(name):
            yield f"{what} {name}: {_first_difference(mine.get(name), theirs.get(name))}"


async def outcome(stack: Stack, as_of: date, purges: Mapping[str, Purged], duties: Compared) -> Outcome:
    """Ask every service what a run came to."""
    counts = await Counts.ask(stack)
    headers = {"authorization": f"Bearer {stack.issuer.issue(Role.REGULATOR)}"}
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
        alerts = await _all(client, f"{stack.ports.url('risk')}/v1/alerts", _ALERTS_A_PAGE)
        credit = f"{stack.ports.url('credit')}/v1/profiles"
        operators = [item["operator_id"] for item in await _all(client, credit, _PROFILES_A_PAGE)]
        profiles = {
            operator: _rounded(await _one(client, f"{credit}/{operator}", as_of=as_of.isoformat()))
            for operator in operators
        }
    return Outcome(
        accepted=counts.accepted,
        matching=counts.of["listings"]["matching"],
        assessed=counts.of["risk"]["assessed"],
        open_alerts=frozenset(alert["id"] for alert in alerts if alert["state"] == "open"),
        profiles=profiles,
        identity={**_clocks(counts), **{f"purge of {account}": purge for account, purge in purges.items()}},
        duties=duties,
    )


def _clocks(counts: Counts) -> dict[str, Any]:  # JSON
    of = counts.of["identity"]
    return {name: of[name] for name in ("verdicts", "states", "reasons")}


async def notices_missing(stack: Stack) -> int:
    """Return how many notices are missing in the sequences the receiver has."""
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        summary = await _one(client, f"{stack.ports.url('receiver')}/notices")
    return int(summary["missing"])


async def _all(client: httpx.AsyncClient, url: str, limit: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = await _one(client, url, limit=str(limit), **cursor)
        items += page["items"]
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


async def _one(client: httpx.AsyncClient, url: str, **query: str) -> dict[str, Any]:
    answer: dict[str, Any] = (await client.get(url, params=query)).raise_for_status().json()
    return answer


def _rounded(value: Any) -> Any:  # JSON
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(inner) for name, inner in value.items()}
    return [_rounded(inner) for inner in value] if isinstance(value, list) else value


def _first_difference(mine: Any, theirs: Any, path: str = "") -> str:  # JSON
    if isinstance(mine, dict) and isinstance(theirs, dict) and mine.keys() == theirs.keys():
        name = next(name for name in mine if mine[name] != theirs[name])
        return _first_difference(mine[name], theirs[name], f"{path}/{name}")
    if isinstance(mine, list) and isinstance(theirs, list) and len(mine) == len(theirs):
        index = next(index for index, (a, b) in enumerate(zip(mine, theirs, strict=True)) if a != b)
        return _first_difference(mine[index], theirs[index], f"{path}/{index}")
    return f"{path or '/'} was {mine}, is {theirs}"
