"""How many badges were looked at, and what they were worth: counted in memory and written down every half second."""

import asyncio
from collections import Counter
from datetime import date
from typing import Any, Protocol

import structlog

from services.identity.badge_checks import Status
from shared.clock import utc_now
from shared.database import driver, is_connection_error, transaction

log = structlog.get_logger(__name__)

_SECONDS = 0.5
_COUNT = """
    INSERT INTO badge_days (day, status, checks) SELECT * FROM unnest($1::date[], $2::text[], $3::bigint[])
    ON CONFLICT (day, status) DO UPDATE SET checks = badge_days.checks + excluded.checks
"""


class Serving(Protocol):
    """An application, of which the sessions are needed."""

    state: Any  # starlette's, which holds whatever was put there


class Tally:
    """Counts of one process; what a crash takes is at most half a second of them."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[date, Status]] = Counter()

    def note(self, status: Status) -> None:
        """Count one look at a badge."""
        self._counts[utc_now().date(), status] += 1

    async def kept(self, app: Serving) -> None:
        """Write counts down until cancelled, and a last time then."""
        try:
            while True:
                await asyncio.sleep(_SECONDS)
                await self._write(app)
        finally:
            await self._write(app)

    async def _write(self, app: Serving) -> None:
        if not self._counts:
            return
        counts, self._counts = self._counts, Counter()
        # In one order, so that two processes do not wait for each other.
        rows = [(*key, counts[key]) for key in sorted(counts)]
        try:
            async with transaction(app.state.sessions) as session:
                await (await driver(session)).execute(_COUNT, *map(list, zip(*rows, strict=True)))
        except Exception as error:
            self._counts.update(counts)
            if not is_connection_error(error):
                raise
            log.warning("badge_checks_wait", error=repr(error))
