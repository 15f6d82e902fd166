"""The one place that reads the wall clock or waits for it."""

import asyncio
from datetime import UTC, datetime

# What a caller may ask about: any zone's instant between them exists in every other zone and in the database.
EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
LATEST = datetime(2200, 1, 1, tzinfo=UTC)


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
