"""How long the stream stood still: the time between two moments at which consumers had moved on."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

import asyncpg

from deploy.databases import plain
from deploy.stack import Stack

_EVERY_SECONDS = 0.1
_APPLIED = "SELECT coalesce(sum(applied), 0)::bigint FROM stream_offsets"


@dataclass
class Progress:
    """The moments at which more had been applied than before."""

    moments: list[float] = field(default_factory=list)
    applied: int = 0

    def longest_gap(self, start: float, end: float) -> float:
        """Return the longest time without progress that overlaps with these moments (time.monotonic())."""
        inside = [at for at in self.moments if start < at < end]
        before = max((at for at in self.moments if at <= start), default=start)
        after = min((at for at in self.moments if at >= end), default=end)
        edges = [before, *inside, after]
        return max(later - earlier for earlier, later in pairwise(edges))


@asynccontextmanager
async def watched(stack: Stack, services: Sequence[str]) -> AsyncIterator[Progress]:
    """Sample what the consumers of these services have applied."""
    progress = Progress()
    task = asyncio.create_task(_sample(stack, services, progress))
    try:
        yield progress
    finally:
        task.cancel()
        await asyncio.wait({task})


async def _sample(stack: Stack, services: Sequence[str], progress: Progress) -> None:
    while True:
        try:
            await _follow([plain(stack.urls[service].app) for service in services], progress)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError):
            # PostgreSQL is one of those that are killed.
            await asyncio.sleep(_EVERY_SECONDS)


async def _follow(urls: Sequence[str], progress: Progress) -> None:
    async with AsyncExitStack() as open_connections:
        connections = []
        for url in urls:
            connection = await asyncpg.connect(url, timeout=5)
            open_connections.callback(connection.terminate)
            connections.append(connection)
        while True:
            applied = sum([await connection.fetchval(_APPLIED) for connection in connections])
            if applied > progress.applied:
                progress.applied = applied
                progress.moments.append(time.monotonic())
            await asyncio.sleep(_EVERY_SECONDS)
