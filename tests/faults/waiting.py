"""Waiting for what must happen soon."""

import asyncio
from collections.abc import Awaitable, Callable

_POLL_SECONDS = 0.05


async def eventually(what: Callable[[], Awaitable[bool]], *, seconds: float = 30.0) -> None:
    """Return once `what` holds. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if await what():
                return
            await asyncio.sleep(_POLL_SECONDS)
