"""The departments of the local stack: their endpoints at the receiver, and what arrived there."""

import logging
from collections.abc import Collection
from typing import Any

import httpx
from msgspec import Struct

from deploy.layout import Ports
from deploy.tokens import Issuer
from shared.auth import Role

log = logging.getLogger(__name__)

DEPARTMENTS = {"customs": Role.CUSTOMS, "tax": Role.TAX}
_TYPES = [
    *("credit.level.changed.v1", "risk.alert.raised.v1", "risk.alert.withdrawn.v1"),
    *("identity.operator.returned.v1", "identity.operator.cleared.v1"),
]
_OWN_TYPES = {"customs": ["risk.declaration.channelled.v1"]}
_PAGE = 1_000


class Arrival(Struct, frozen=True):
    """Notices the gateway counts as delivered against those the receiver has verified and kept."""

    delivered: int
    received: int
    lost: int
    doubled: int


async def register(ports: Ports, issuer: Issuer) -> None:
    """Register an endpoint at the local receiver for each department; again changes nothing."""
    async with httpx.AsyncClient(trust_env=False, timeout=10) as client:
        for name, role in DEPARTMENTS.items():
            endpoint = {
                "department": name,
                "url": f"{ports.url('receiver')}/notices/{name}",
                "types": [*_TYPES, *_OWN_TYPES.get(name, [])],
                "least_severity": "medium",
            }
            token = issuer.issue(role)
            response = await client.post(
                f"{ports.url('gateway')}/v1/endpoints",
                json=endpoint,
                headers={"authorization": f"Bearer {token}"},
            )
            if response.status_code == httpx.codes.CONFLICT:
                # Data from before a type was added, or somebody's own choice: it stays as it is.
                log.warning("%s keeps the subscription it has: %s", name, response.json()["detail"])
                continue
            response.raise_for_status()


async def arrival(ports: Ports, delivered: Collection[str]) -> Arrival:
    """Compare the ids of delivered notices with what the receiver kept."""
    received: list[str] = []
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        for name in DEPARTMENTS:
            after: int | None = 0
            while after is not None:
                page: dict[str, Any] = (
                    await client.get(f"{ports.url('receiver')}/notices/{name}", params={"after": after, "limit": _PAGE})
                ).json()
                received.extend(notice["webhook_id"] for notice in page["notices"])
                after = page["next"]
    distinct = set(received)
    return Arrival(
        delivered=len(delivered),
        received=len(received),
        lost=len(set(delivered) - distinct),
        doubled=len(received) - len(distinct),
    )
