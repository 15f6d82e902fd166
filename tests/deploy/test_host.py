"""Several parts in one process live and end together."""

import asyncio

import pytest

from deploy.host import run_parts


async def until_told(_role: str, stop: asyncio.Event) -> None:
    await stop.wait()


async def failing(_role: str, _stop: asyncio.Event) -> None:
    raise ValueError("out of order")


async def ending(_role: str, _stop: asyncio.Event) -> None:
    return


async def stopping(_role: str, stop: asyncio.Event) -> None:
    stop.set()


class TestRunParts:
    async def test_ends_well_when_told_to(self) -> None:
        await run_parts([("api", "sample", until_told), ("worker", "sample", stopping)])

    async def test_fails_with_the_part_that_failed(self) -> None:
        with pytest.RaisesGroup(pytest.RaisesExc(ValueError, match="out of order")):
            await run_parts([("api", "sample", until_told), ("worker", "sample", failing)])

    async def test_takes_a_part_that_just_ends_for_a_failure(self) -> None:
        with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="relay:sample ended")):
            await run_parts([("api", "sample", until_told), ("relay", "sample", ending)])
