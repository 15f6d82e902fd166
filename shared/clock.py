"""The one place that reads the wall clock or waits for it."""

import asyncio
from datetime import UTC, datetime


def utc_now() -> datetime:
    """Return the present instant, in UTC."""
    return datetime.now(UTC)


async def wait(stop: asyncio.Event, seconds: float) -> bool:
    """Wait until told to stop, at most so long; tell whether told."""
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return False
    return True
