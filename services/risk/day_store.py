"""Days of operators, loaded for a batch and stored with its effects."""

from collections.abc import Collection
from datetime import date
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.days import Day
from shared.database import driver

Key = tuple[UUID, date]

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Day).decode

_LOAD = """
    SELECT d.account_id, d.day, d.content FROM day_features d
    JOIN unnest($1::uuid[], $2::date[]) AS x (a, d) ON d.account_id = x.a AND d.day = x.d
"""
_STORE = """
    INSERT INTO day_features (account_id, day, content) SELECT * FROM unnest($1::uuid[], $2::date[], $3::bytea[])
    ON CONFLICT (account_id, day) DO UPDATE SET content = excluded.content
"""


async def load(session: AsyncSession, keys: Collection[Key]) -> dict[Key, Day]:
    """Return the day behind each key, an empty one where nothing is known."""
    wanted = sorted(keys)
    days = {key: Day() for key in wanted}
    rows = await (await driver(session)).fetch(_LOAD, [a for a, _ in wanted], [d for _, d in wanted])
    for row in rows:
        days[row["account_id"], row["day"]] = _unpack(row["content"])
    return days


async def store(session: AsyncSession, days: dict[Key, Day]) -> None:
    """Write days back, in the caller's transaction."""
    items = sorted(days.items(), key=lambda item: item[0])
    if items:
        await (await driver(session)).execute(
            _STORE, [k[0] for k, _ in items], [k[1] for k, _ in items], [_pack(day) for _, day in items]
        )
