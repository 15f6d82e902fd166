"""Asking identity's search."""

from typing import Any

from shared.auth import Role
from shared.identifiers import account_id
from tests.services.doors import Service

NORTH = {"role": Role.PLATFORM, "platform_id": "north"}


async def search(service: Service, role: Role = Role.REGULATOR, platform_id: str | None = None, **asked: Any) -> Any:
    """Return the answer to a search."""
    answer = await service.client.get(
        "/v1/operators", params=asked, headers=service.bearer(role, platform_id=platform_id)
    )
    assert answer.status_code == 200, answer.text
    return answer.json()


async def found(service: Service, **asked: Any) -> list[str]:
    """Return the ids of the operators that a search finds."""
    return [item["id"] for item in (await search(service, **asked))["items"]]


def of(ref: str, platform_id: str = "north") -> str:
    """Return the id of an operator that is known by one account only."""
    return str(account_id(platform_id, ref))
