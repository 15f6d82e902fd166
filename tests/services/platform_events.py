"""CloudEvents as a platform writes them, and their way through `POST /v1/events`."""

import json
from itertools import count
from typing import Any

import httpx

from shared.auth import Role
from shared.bodies import BATCH
from tests.services.doors import Service

PLATFORM = "north"
AT = "2026-03-01T10:00:00Z"

_numbers = count(1)

Json = dict[str, Any]  # an event's JSON, good or not


def event(kind: str, data: Json, *, platform_id: str = PLATFORM, **attributes: object) -> Json:
    """Return an event with an id of its own."""
    return {
        "specversion": "1.0",
        "id": f"event-{next(_numbers)}",
        "source": f"/platforms/{platform_id}",
        "type": f"platform.{kind}.v1",
        "time": AT,
        "data": data,
        **attributes,
    }


async def send(
    service: Service,
    body: bytes | list[Json],
    *,
    platform_id: str = PLATFORM,
    media: str = BATCH,
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """Send a body to the door as a platform."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    who = headers if headers is not None else service.bearer(Role.PLATFORM, platform_id=platform_id)
    return await service.client.post("/v1/events", content=content, headers={"content-type": media, **who})
