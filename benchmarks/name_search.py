"""Searching a million operators by misspelt and shortened names, beside `ILIKE` and rapidfuzz over all names."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from random import Random
from uuid import UUID

import asyncpg
import numpy as np
from rapidfuzz import fuzz, process

from benchmarks.invented_names import Firm, firm
from benchmarks.register import account_of, operator_of, register
from benchmarks.results import Result
from deploy.databases import plain
from services.identity.search_questions import Wanted, named
from services.identity.search_store import Found, record, searched
from shared.clock import utc_now
from shared.database import Sessions, driver, transaction

_OPERATORS = 1_000_000
_QUERIES, _WARM, _REFERENCES = 1_000, 200, 30
_TOP = 10
_AT_ONCE = 5_000
_ILIKE = "SELECT operator_id FROM searched_accounts WHERE name ILIKE '%' || $1::text || '%' LIMIT 10"

# What is asked for, of a firm.
_ASKED: dict[str, Callable[[Firm, Random], str]] = {
    "misspelt": lambda one, draw: one.misspelt(draw).whole,
    "shortened": lambda one, _: one.short,
    "both": lambda one, draw: one.misspelt(draw).short,
}
Search = Callable[[str], Awaitable[Sequence[UUID]]]


def name_search_p99_ms() -> Result:
    """Return the 99th percentile of a search by a name, the slowest kind of name."""
    return asyncio.run(_measure())


async def _measure() -> Result:
    firms = list(_firms())
    async with register(_OPERATORS) as (sessions, owner_url):
        await _fill(sessions, owner_url, firms)
        found = {kind: await _timed(_searching(sessions), firms, kind, _QUERIES) for kind in _ASKED}
        like = await _timed(_by_ilike(sessions), firms, "shortened", _REFERENCES)
    whole = await _timed(_by_rapidfuzz(firms), firms, "both", _REFERENCES)
    worst = max(p99 for p99, _ in found.values())
    notes = [
        f"{_OPERATORS:,} invented names, half of them Chinese; {_QUERIES:,} searches of each kind one after the other: "
        + ", ".join(f"{kind} {p99:.1f} ms, recall@{_TOP} {recall:.3f}" for kind, (p99, recall) in found.items()),
        f"of {_REFERENCES} searches: ILIKE '%…%' on shortened names {like[0]:,.0f} ms, recall@{_TOP} {like[1]:.3f}",
        f"of {_REFERENCES} searches: rapidfuzz over all names on both {whole[0]:,.0f} ms, recall@{_TOP} {whole[1]:.3f}",
    ]
    return Result(
        name="identity.name_search_p99_ms",
        value=worst,
        unit="ms",
        reference="ILIKE '%…%' over the same names",
        reference_value=like[0],
        ratio=worst / like[0],
        command="make bench ONLY=identity.name_search_p99_ms",
        notes=notes,
    )


def _firms() -> Iterator[Firm]:
    draw = Random(11)
    return (firm(draw) for _ in range(_OPERATORS))


async def _timed(search: Search, firms: Sequence[Firm], kind: str, queries: int) -> tuple[float, float]:
    """Return the 99th percentile in ms, and the share of searches that found whom they meant among the first ten."""
    draw, spent, hits = Random(kind), [], 0
    for number in range(-min(_WARM, queries), queries):
        meant = draw.randrange(len(firms))
        name = _ASKED[kind](firms[meant], draw)
        began = time.perf_counter()
        answer = await search(name)
        if number >= 0:
            spent.append(time.perf_counter() - began)
            hits += operator_of(meant + 1) in answer[:_TOP]
    return float(np.percentile(spent, 99)) * 1e3, hits / queries


def _searching(sessions: Sessions) -> Search:
    async def search(name: str) -> Sequence[UUID]:
        async with transaction(sessions) as session:
            items, _ = await named(session, name, Wanted(), after=None, limit=50)
        return [item["id"] for item in items]

    return search


def _by_ilike(sessions: Sessions) -> Search:
    async def search(name: str) -> Sequence[UUID]:
        async with transaction(sessions) as session:
            return [row["operator_id"] for row in await (await driver(session)).fetch(_ILIKE, name)]

    return search


def _by_rapidfuzz(firms: Sequence[Firm]) -> Search:
    names = [one.whole for one in firms]

    async def search(name: str) -> Sequence[UUID]:
        best = process.extract(name, names, scorer=fuzz.ratio, limit=_TOP)
        return [operator_of(place + 1) for _, _, place in best]

    return search


async def _fill(sessions: Sessions, owner_url: str, firms: Sequence[Firm]) -> None:
    """Keep what accounts are found by as the worker does, batch by batch."""
    now = utc_now()
    for first in range(0, len(firms), _AT_ONCE):
        part = [
            Found(account_of(n), "north", operator_of(n), "CN", "company", now, one.whole, None)
            for n, one in enumerate(firms[first : first + _AT_ONCE], start=first + 1)
        ]
        async with transaction(sessions) as session:
            await record(await driver(session), [searched(one) for one in part], {})
    connection = await asyncpg.connect(plain(owner_url), timeout=10)
    try:
        await connection.execute("VACUUM ANALYZE searched_accounts, name_pieces, name_piece_counts", timeout=600)
    finally:
        await connection.close()
