"""Schemathesis against every service: nothing that its document allows or forbids ends in a surprise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from deploy.preflight import free_port
from shared.auth import Role
from shared.process import serve
from tests.services.doors import APPS, OpenService, Service

EXAMPLES = 12  # of what is allowed, and as many of what is not
CHECKS = [not_a_server_error, status_code_conformance, response_schema_conformance]

# Who asks; where another role may do what this one may not, an operation is asked twice.
ROLES: dict[str, tuple[Role, ...]] = {
    "identity": (Role.PLATFORM, Role.REGULATOR),
    "listings": (Role.PLATFORM,),
    "risk": (Role.REGULATOR, Role.PLATFORM),
    "credit": (Role.REGULATOR,),
    "disputes": (Role.CONSUMER, Role.REGULATOR),
    "gateway": (Role.ADMINISTRATOR, Role.CUSTOMS, Role.PLATFORM),
}


@asynccontextmanager
async def listening(service: Service) -> AsyncIterator[str]:
    """Serve an application on a port of its own, as in production, and yield its address."""
    stop, port = asyncio.Event(), free_port()
    serving = asyncio.create_task(serve(service.app, port, stop))
    url = f"http://127.0.0.1:{port}"
    try:
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                break
            except ConnectionRefusedError:
                await asyncio.wait({serving}, timeout=0.02)
        yield url
    finally:
        stop.set()
        await serving


def examine(url: str, headers: dict[str, str]) -> list[str]:
    """Ask every operation of a document in both ways, and return which there are."""
    document = schemathesis.openapi.from_url(f"{url}/openapi.json")
    labels = []
    for found in document.get_all_operations():
        assert isinstance(found, Ok)
        operation: Any = found.ok()  # its type has four parameters, none of which matters here
        labels.append(operation.label)
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            examine_operation(operation, mode, url, headers)
    return labels


def examine_operation(operation: Any, mode: GenerationMode, url: str, headers: dict[str, str]) -> None:
    negative = mode is GenerationMode.NEGATIVE
    if negative and not (operation.body or operation.query or operation.path_parameters):
        return  # nothing that could be wrong

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Any) -> None:  # as above
        case.call_and_validate(base_url=url, headers=headers, checks=CHECKS)

    ask()


@pytest.mark.parametrize(("name", "role"), [(name, role) for name in APPS for role in ROLES[name]], ids=str)
async def test_keeps_its_document(open_service: OpenService, name: str, role: Role) -> None:
    service = await open_service(name)
    platform = "north" if role is Role.PLATFORM else None
    headers = service.bearer(role, platform_id=platform)

    async with listening(service) as url:
        labels = await asyncio.to_thread(examine, url, headers)

    assert "GET /v1/summary" in labels
