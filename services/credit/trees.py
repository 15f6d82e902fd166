"""The version of the index that holds on a date."""

from datetime import date

import msgspec
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.credit.index import Tree
from services.credit.models import IndexTree
from shared.errors import NotFound


class NoIndex(NotFound):
    """No version of the index holds on the date asked for."""


async def tree_on(session: AsyncSession, on: date) -> Tree:
    """Return the newest index that holds on a date. Raises NoIndex."""
    statement = (
        select(IndexTree).where(IndexTree.valid_from <= on).order_by(IndexTree.version.desc()).limit(1)
    )
    row = (await session.execute(statement)).scalar_one_or_none()
    if row is None:
        raise NoIndex(f"no index holds on {on}")
    return msgspec.convert({**row.tree, "version": row.version}, Tree)
