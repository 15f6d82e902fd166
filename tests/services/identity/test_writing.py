"""Statements beside what else is done: in order, done at the end, and given up where something fails."""

import asyncpg
import pytest

from services.identity.writing import writing
from shared.database import driver, transaction
from tests.services.doors import OpenService, Service

_ADD = "INSERT INTO name_piece_counts (piece, accounts) VALUES ($1, $2)"
_MOVE = "UPDATE name_piece_counts SET accounts = accounts + $2 WHERE piece = $1"
_ALL = "SELECT piece, accounts FROM name_piece_counts"


async def test_statements_are_done_in_their_order(open_service: OpenService) -> None:
    service = await open_service("identity")

    async with transaction(service.sessions) as session:
        async with writing(session) as writes:
            await writes.execute(_ADD, 1, 1)
            for by in range(50):
                await writes.execute(_MOVE, 1, by)
        seen = await (await driver(session)).fetch(_ALL)

    assert [tuple(row) for row in seen] == [(1, 1 + sum(range(50)))]


async def added(service: Service, *pieces: int, then: Exception | None = None) -> None:
    async with transaction(service.sessions) as session, writing(session) as writes:
        for piece in pieces:
            await writes.execute(_ADD, piece, 1)
            await writes.execute("SELECT pg_sleep(0.05)")
        if then is not None:
            raise then


async def test_what_fails_is_raised_and_nothing_stays(open_service: OpenService) -> None:
    service = await open_service("identity")

    with pytest.raises(asyncpg.UniqueViolationError):
        await added(service, 1, 1, 2)

    assert await service.rows(_ALL) == []


async def test_a_failure_beside_them_leaves_nothing_and_the_connection_whole(open_service: OpenService) -> None:
    service = await open_service("identity")

    with pytest.raises(ValueError, match="beside"):
        await added(service, 1, 2, 3, then=ValueError("beside"))

    assert await service.rows(_ALL) == []
    await added(service, 4)
    assert [row["piece"] for row in await service.rows(_ALL)] == [4]
