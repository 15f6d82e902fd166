"""The services behind their doors, for these tests."""

from collections.abc import AsyncIterator

import pytest_asyncio

from deploy.tokens import Issuer
from tests.conftest import NewSettings
from tests.services.doors import OpenService, opening


@pytest_asyncio.fixture
async def open_service(new_settings: NewSettings, issuer: Issuer) -> AsyncIterator[OpenService]:
    """Yield what opens a service by name, on a database of its own."""
    async with opening(new_settings, issuer) as open_service:
        yield open_service
