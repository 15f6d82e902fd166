"""What is kept beside the patrol, every few seconds: chains are linked, months compared, gaps looked for."""

import asyncio

import structlog

from services.risk import chains, numbered, totals
from shared.clock import utc_now, wait
from shared.database import CONNECTION_ERRORS, Sessions, transaction

log = structlog.get_logger(__name__)

_POLL_SECONDS = 2.0


async def keep_books(sessions: Sessions, stop: asyncio.Event) -> None:
    """Link what was stated and compare totals, until told to stop."""
    while not stop.is_set():
        try:
            await update_books(sessions)
        except CONNECTION_ERRORS as error:
            log.info("bookkeeping_waits", error=repr(error))
        await wait(stop, _POLL_SECONDS)


async def update_books(sessions: Sessions) -> None:
    """Link all that waits, some of it a transaction; then compare the months that changed, and look for gaps."""
    linked = chains.MOST_LINKS
    while linked == chains.MOST_LINKS:
        async with transaction(sessions) as session:
            linked = await chains.link(session, at=utc_now())
    compared = totals.MOST_COMPARED
    while compared == totals.MOST_COMPARED:
        async with transaction(sessions) as session:
            compared = await totals.compare(session, at=utc_now())
    async with transaction(sessions) as session:
        await numbered.look(session, at=utc_now())


async def verify_whole(sessions: Sessions, platform_id: str, *, step: int = chains.MOST_LINKS) -> chains.Verified:
    """Verify a chain from its start, some links a transaction. Raises ChainNotFound."""
    after = 0
    while True:
        async with transaction(sessions) as session:
            found = await chains.verify(session, platform_id, after=after, most=step)
        if found.broken_at is not None or found.checked_to - after < step:
            return found
        after = found.checked_to
