"""Statements that PostgreSQL works through while Python goes on: in one transaction, in order."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from services.identity.link_store import Connection
from shared.database import driver

T = TypeVar("T")

# How many files are looked at before the connection is served again: a statement of a batch is sent in many parts.
_AT_ONCE = 100


class Writes:
    """Statements that are under way. Nothing else may ask anything of the connection before they are done."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def execute(self, statement: str, *values: Any) -> None:
        """Let a statement be executed after those before it; what it fails with is raised by `done()`."""
        self._waiting.append((statement, values))
        if self._work is None or self._work.done():
            await self.done()
            self._work = asyncio.create_task(self._through())
        await asyncio.sleep(0)

    async def done(self) -> None:
        """Wait until everything is executed."""
        work, self._work = self._work, None
        if work is not None:
            await work

    async def given_up(self) -> None:
        """Wait for the statement that is being executed, and forget the others."""
        self._waiting.clear()
        with suppress(Exception):
            await self.done()

    async def _through(self) -> None:
        while self._waiting:
            statement, values = self._waiting.popleft()
            await self._connection.execute(statement, *values)


@asynccontextmanager
async def writing(session: AsyncSession) -> AsyncIterator[Writes]:
    """Execute statements beside what is done inside of it; all of them are done at its end."""
    writes = Writes(await driver(session))
    try:
        yield writes
        await writes.done()
    except BaseException:
        await writes.given_up()
        raise


async def in_turns(items: Iterable[T]) -> AsyncIterator[T]:
    """Yield items, and let statements go on in between."""
    for place, item in enumerate(items):
        if place % _AT_ONCE == 0:
            await asyncio.sleep(0)
        yield item
