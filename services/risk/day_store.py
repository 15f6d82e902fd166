"""Days of operators: kept by this process, loaded where they are not, stored with a batch's effects."""

from collections.abc import Collection, Mapping
from datetime import date
from itertools import islice
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.days import Day
from shared.database import driver

Key = tuple[UUID, date]

MOST_KEPT = 50_000

_pack = msgspec.msgpack.Encoder().encode
_unpack = msgspec.msgpack.Decoder(Day).decode

_LOAD = """
    SELECT d.account_id, d.day, d.version, d.content FROM day_features d
    JOIN unnest($1::uuid[], $2::date[]) AS x (a, d) ON d.account_id = x.a AND d.day = x.d
"""
_STORE = """
    INSERT INTO day_features (account_id, day, version, content)
    SELECT * FROM unnest($1::uuid[], $2::date[], $3::int[], $4::bytea[])
    ON CONFLICT (account_id, day) DO UPDATE SET content = excluded.content, version = excluded.version
    WHERE day_features.version = excluded.version - 1
"""


class StaleDay(Exception):
    """What was kept of a day is not what is stored: it is read again."""


class Days:
    """A bounded memory of this process. It may be wrong after a rollback or a rebalance: storing checks versions.

    What is taken is no longer kept, so a batch that fails leaves nothing half-counted behind.
    """

    def __init__(self, most: int = MOST_KEPT) -> None:
        self._kept: dict[Key, tuple[Day, int]] = {}
        self._taken: dict[Key, tuple[Day, int]] = {}
        self._most = most

    async def take(self, session: AsyncSession, keys: Collection[Key]) -> dict[Key, Day]:
        """Return the day behind each key, an empty one where nothing is known."""
        held = {key: self._kept.pop(key) for key in keys if key in self._kept}
        held |= await _load(session, [key for key in keys if key not in held])
        self._taken = held
        return {key: day for key, (day, _) in held.items()}

    async def store(self, session: AsyncSession, days: Mapping[Key, Day]) -> None:
        """Write changed days, in the caller's transaction. Raises StaleDay, once, where what was kept was wrong."""
        items = sorted(days.items(), key=lambda item: (item[0][0].int, item[0][1]))
        self._kept |= self._taken
        if not items:
            return
        versions = [self._taken[key][1] + 1 for key, _ in items]
        status = await (await driver(session)).execute(
            _STORE, [k[0] for k, _ in items], [k[1] for k, _ in items], versions, [_pack(d) for _, d in items]
        )
        if int(status.rsplit(" ", 1)[1]) != len(items):
            self._kept.clear()
            raise StaleDay("a day was counted by somebody else, or its last batch was rolled back")
        for (key, day), version in zip(items, versions, strict=True):
            self._kept[key] = (day, version)
        for key in list(islice(self._kept, max(0, len(self._kept) - self._most))):
            del self._kept[key]


async def _load(session: AsyncSession, keys: Collection[Key]) -> dict[Key, tuple[Day, int]]:
    wanted = list(keys)
    days = {key: (Day(), 0) for key in wanted}
    if wanted:
        rows = await (await driver(session)).fetch(_LOAD, [a for a, _ in wanted], [d for _, d in wanted])
        for row in rows:
            days[row["account_id"], row["day"]] = (_unpack(row["content"]), row["version"])
    return days
