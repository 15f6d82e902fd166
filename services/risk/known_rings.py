"""Rings over time: the same ring keeps its id while it grows or shrinks, and a part that breaks off says from which."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.shops import Members
from shared.database import driver
from shared.identifiers import new_id

# Of the smaller of two rings, the share of members that makes them the same.
_SAME = 0.5

_ACTIVE = "SELECT id, buyers, accounts FROM rings WHERE platform_id = $1 AND state = 'active' ORDER BY id"
_STORE = """
    INSERT INTO rings (id, platform_id, buyers, accounts, orders, expected_pairs, chance_log10, split_from, state,
        first_seen_at, seen_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, 'active', $9, $9)
    ON CONFLICT (id) DO UPDATE SET buyers = excluded.buyers, accounts = excluded.accounts, orders = excluded.orders,
        expected_pairs = excluded.expected_pairs, chance_log10 = excluded.chance_log10, seen_at = excluded.seen_at
"""
_PAST = "UPDATE rings SET state = 'past' WHERE platform_id = $1 AND state = 'active' AND NOT id = ANY ($2::uuid[])"


class Identity(NamedTuple):
    """Which known ring a ring is, if any, and which one it broke off from."""

    known: UUID | None
    split_from: UUID | None


def recognise(known: Mapping[UUID, frozenset[str]], found: Sequence[frozenset[str]]) -> list[Identity]:
    """Tell which known ring each found one is: the one it shares most members with, if that is half of the smaller.

    A known ring goes on as one found ring only; the others that share half their members broke off from it.
    """
    overlaps = sorted(
        (-len(members & before), place, ring)
        for ring, before in known.items()
        for place, members in enumerate(found)
        if len(members & before) >= _SAME * min(len(members), len(before))
    )
    identities: dict[int, Identity] = {}
    taken: set[UUID] = set()
    for _, place, ring in overlaps:
        if place not in identities and ring not in taken:
            identities[place] = Identity(ring, None)
            taken.add(ring)
    for _, place, ring in overlaps:
        identities.setdefault(place, Identity(None, ring))
    return [identities.get(place, Identity(None, None)) for place in range(len(found))]


async def store(session: AsyncSession, platform_id: str, rings: Sequence[Members], *, at: datetime) -> list[UUID]:
    """Keep the rings found on a platform; return the id of each. Those not found any more are past."""
    connection = await driver(session)
    known = {
        row["id"]: _members(row["buyers"], row["accounts"]) for row in await connection.fetch(_ACTIVE, platform_id)
    }
    identities = recognise(known, [_members(ring.buyers, ring.accounts) for ring in rings])
    ids = [identity.known or new_id() for identity in identities]
    for ring, identity, identifier in zip(rings, identities, ids, strict=True):
        await connection.execute(
            _STORE,
            identifier,
            platform_id,
            ring.buyers,
            ring.accounts,
            ring.orders,
            ring.expected,
            ring.chance_log10,
            identity.split_from,
            at,
        )
    await connection.execute(_PAST, platform_id, ids)
    return ids


def _members(buyers: Sequence[str], accounts: Sequence[UUID]) -> frozenset[str]:
    return frozenset([*buyers, *map(str, accounts)])
