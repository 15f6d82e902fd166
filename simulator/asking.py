"""A service asked as one caller: what it answers, or why it refused."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import httpx
import msgspec

from simulator.retries import Connection, SendError

_JSON = {"content-type": "application/json"}


async def get(caller: Connection, address: str) -> dict[str, Any]:  # JSON
    """Return what is there. Raises SendError."""
    return _content(address, (await caller.get(address)).response)


async def post(caller: Connection, address: str, body: Mapping[str, str]) -> dict[str, Any]:  # JSON
    """Send something and return the answer. Raises SendError."""
    return _content(address, (await caller.post(address, msgspec.json.encode(body), _JSON)).response)


def _content(address: str, response: httpx.Response) -> dict[str, Any]:
    if response.status_code >= HTTPStatus.BAD_REQUEST:
        raise SendError(f"{address} answered {response.status_code}: {response.text[:300]}")
    found: dict[str, Any] = msgspec.json.decode(response.content)
    return found
