"""A gateway that sends to a receiver of the test's."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio

from services.gateway.signing import Wrapping, ensure_key
from shared.database import transaction
from tests.services.doors import OpenService
from tests.services.gateway.customs import Gateway


@pytest_asyncio.fixture
async def gateway(open_service: OpenService, tmp_path: Path) -> AsyncIterator[Gateway]:
    service = await open_service("gateway")
    wrapping: Wrapping = service.app.state.wrapping
    async with transaction(service.sessions) as session:
        await ensure_key(session, wrapping)
    gateway = Gateway(service, wrapping)
    await gateway.subscribe()
    yield gateway
