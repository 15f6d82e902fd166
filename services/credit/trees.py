"""The version of the index that holds on a date."""

import time
from datetime import date

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.credit.index import Tree
from services.credit.models import IndexTree
from shared.errors import NotFound

FRESH_SECONDS = 2.0


class NoIndex(NotFound):
    """No version of the index holds on the date asked for."""


class KeptTree:
    """The index in force, read again every few seconds: a new version holds within `FRESH_SECONDS`."""

    def __init__(self) -> None:
        self._kept: tuple[float, date, Tree] | None = None

    async def tree_on(self, session: AsyncSession, on: date) -> Tree:
        """Return the newest index that holds on a date."""
        if self._kept is None or self._kept[0] < time.monotonic() or self._kept[1] != on:
            self._kept = (time.monotonic() + FRESH_SECONDS, on, await tree_on(session, on))
        return self._kept[2]


async def tree_on(session: AsyncSession, on: date) -> Tree:
    """Return the newest index that holds on a date. Raises NoIndex."""
    statement = select(IndexTree).where(IndexTree.valid_from <= on).order_by(IndexTree.version.desc()).limit(1)
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NoIndex(f"no index holds on {on}")
    return msgspec.convert({**row.tree, "version": row.version}, Tree)
