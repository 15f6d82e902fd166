"""The registry of payment institutions over risk's API: rows of a list, sent as a regulator."""

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import httpx
import msgspec

from deploy.layout import Ports
from deploy.preflight import StackError
from deploy.streaming import Supply
from deploy.tokens import Issuer
from shared.auth import Role
from simulator.marketplace import Marketplace

_ROWS_AT_A_TIME = 500


async def register_institutions(supply: Supply, ports: Ports, issuer: Issuer) -> None:
    """Register the institutions of a simulated marketplace, as a regulator has before it trades."""
    if not isinstance(supply.source, Marketplace):
        return
    rows = msgspec.to_builtins(supply.source.institutions())
    refused = [answer for answer in await enter(rows, ports, issuer) if answer["outcome"] == "refused"]
    if refused:
        raise StackError(f"the registry refused institution row {refused[0]['row']}: {refused[0]['detail']}")


async def enter(rows: Sequence[Mapping[str, Any]], ports: Ports, issuer: Issuer) -> list[dict[str, Any]]:
    """Send rows to the registry and return what became of each, in their order. Raises StackError."""
    answers: list[dict[str, Any]] = []
    headers = {"authorization": f"Bearer {issuer.issue(Role.REGULATOR)}"}
    async with httpx.AsyncClient(trust_env=False, timeout=60, headers=headers) as client:
        for first in range(0, len(rows), _ROWS_AT_A_TIME):
            body = {"entries": rows[first : first + _ROWS_AT_A_TIME]}
            try:
                answer = (await client.post(f"{ports.url('risk')}/v1/institutions", json=body)).raise_for_status()
            except httpx.HTTPStatusError as error:
                raise StackError(f"risk answered {error.response.status_code}: {error.response.text}") from error
            except httpx.TransportError as error:
                raise StackError(f"{ports.url('risk')} does not answer ({error}); is the stack up?") from error
            places = count(first)
            answers += [{**one, "row": next(places)} for one in answer.json()["results"]]
    return answers
