"""What is done with the rights and duties of the law once the month is over.

Platforms say that they read orders of removal; buyers demand to know who sold to them, and platforms answer most;
departments ask for what merchants handed in once, and ask again.
"""

from collections.abc import Sequence
from typing import Any

import httpx

from simulator.asking import get, post
from simulator.retries import Caller, Connection, Patience, Role, TokenFor

_MERCHANTS = 4
# What stands for the name of a natural person.
_HIDDEN = "***"
_DEPARTMENTS: tuple[Role, ...] = ("customs", "tax", "regulator")


async def exercise(
    platform_ids: Sequence[str], *, url: str, token_for: TokenFor, patience: Patience | None = None
) -> None:
    """Let platforms, buyers and departments use their rights and do their duties. Raises SendError."""
    known = patience or Patience()
    async with httpx.AsyncClient(timeout=known.timeout_seconds, trust_env=False) as client:

        def connected(caller: Caller) -> Connection:
            return Connection(client, caller, token_for=token_for, patience=known)

        for platform_id in platform_ids:
            platform = connected(Caller(role="platform", platform_id=platform_id))
            await _acknowledge(platform, url)
            operators = (await get(platform, f"{url}/v1/operators?limit={_MERCHANTS}"))["items"]
            held = [await get(platform, f"{url}/v1/operators/{operator['id']}") for operator in operators]
            buyer = connected(Caller(role="consumer", subject=f"buyer-of-{platform_id}"))
            await _demand(buyer, platform, url, [account for own in held for account in own["accounts"]])
            for department in _DEPARTMENTS:
                asking = connected(Caller(role=department))
                for operator in operators:
                    first = await post(asking, f"{url}/v1/projections", {"operator_id": operator["id"]})
                    again = {"operator_id": operator["id"], "known": first["files"]}
                    await post(asking, f"{url}/v1/projections", again)


async def _acknowledge(platform: Connection, url: str) -> None:
    page = await get(platform, f"{url}/v1/removal-orders?state=open&limit=200")
    for order in page["items"]:
        await post(platform, f"{url}/v1/removal-orders/{order['id']}/acknowledgement", {})


async def _demand(buyer: Connection, platform: Connection, url: str, accounts: Sequence[dict[str, Any]]) -> None:
    """Demand of each account who it is; the platform answers all but the last one and those of persons."""
    for place, account in enumerate(accounts, 1):
        wanted = {"platform_id": account["platform_id"], "operator_ref": account["operator_ref"], "cause": "dispute"}
        request = await post(buyer, f"{url}/v1/disclosure-requests", wanted)
        name = account["content"].get("legal_name", _HIDDEN)
        if place == len(accounts) or request["answered_at"] is not None or name == _HIDDEN:
            continue
        said = {
            "legal_name": name,
            "address": "as filed with the platform",
            "contact": "+86 10 5555 0100",
        }
        answered = f"{url}/v1/disclosure-requests/{request['id']}"
        await post(platform, f"{answered}/answer", said)
        await post(buyer, f"{answered}/reading", {})
