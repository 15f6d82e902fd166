"""Platforms ask for badges of verified merchants, and visitors look at them: where they belong, copied, changed."""

from typing import Any

import httpx

from simulator.asking import get, post
from simulator.retries import Caller, Connection, Patience, TokenFor

_MERCHANTS = 20
_COPY = "https://copied-pages.example/shop"


async def visit(
    platform_ids: tuple[str, ...], *, url: str, token_for: TokenFor, patience: Patience | None = None
) -> int:
    """Let each platform have badges issued and revoke one; return how many were looked at. Raises SendError."""
    known = patience or Patience()
    looked = 0
    async with httpx.AsyncClient(timeout=known.timeout_seconds, trust_env=False) as client:
        for platform_id in platform_ids:
            caller = Caller(role="platform", platform_id=platform_id)
            platform = Connection(client, caller, token_for=token_for, patience=known)
            badges = [await _issued(platform, url, account) for account in await _verified(platform, url)]
            for place, badge in enumerate(badges):
                shop = await _shop(platform, url, badge)
                head, said, signature = badge["token"].split(".")
                shown = [(badge["token"], shop), (badge["token"], _COPY), (f"{head}.{said[:-2]}AA.{signature}", shop)]
                if place == 0:
                    await post(platform, f"{url}/v1/badges/{badge['id']}/revocation", {"reason": "the shop was sold"})
                for token, page in shown:
                    await post(platform, f"{url}/public/v1/badges/verification", {"token": token, "page": page})
                    looked += 1
    return looked


async def _verified(platform: Connection, url: str) -> list[str]:
    """Return accounts that are verified and open, of the platform's first merchants."""
    page = await get(platform, f"{url}/v1/operators?limit={_MERCHANTS}")
    held = [await get(platform, f"{url}/v1/operators/{operator['id']}") for operator in page["items"]]
    return [
        account["account_id"]
        for operator in held
        for account in operator["accounts"]
        if account["verdict"] == "verified" and account["state"] == "active" and account["content"].get("shop_urls")
    ]


async def _issued(platform: Connection, url: str, account_id: str) -> dict[str, Any]:
    return await post(platform, f"{url}/v1/badges", {"account_id": account_id})


async def _shop(platform: Connection, url: str, badge: dict[str, Any]) -> str:
    found = await get(platform, f"{url}/public/v1/lookup?account={badge['account_id']}")
    return next(str(shop["url"]) for shop in found["shops"] if shop["account_id"] == badge["account_id"])
