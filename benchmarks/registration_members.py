"""Members of identity's worker as processes of their own: each applies its share of the accepted log, as it grows."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import msgspec
from aiokafka import TopicPartition

from services.identity.handlers import handlers
from services.identity.settings import Settings
from services.identity.vault import open_vault
from shared.database import Sessions, driver, make_engine, make_sessions, transaction
from shared.events.base import Envelope
from shared.events.platform import OperatorRegistered
from shared.messaging import unpack
from shared.process import settle_memory
from shared.received import Received
from shared.settings import service_settings

POSTED, APPLIED = 500, 2_000
_PLACE = TopicPartition("identity.accepted", 0)
_SHARE = "BENCHMARK_SHARE"
_POLL_SECONDS = 0.05
_NEWER = "SELECT id FROM outbox WHERE topic = $1 AND id > $2 ORDER BY id LIMIT 1000"
_BODIES = "SELECT body FROM outbox WHERE id = ANY ($1::bigint[]) ORDER BY id"
_envelope = msgspec.json.Decoder(Envelope).decode
_event = msgspec.json.Decoder(OperatorRegistered).decode


class Share(msgspec.Struct):
    """Which of the rows of the accepted log a member applies, of how many there will be."""

    member: int
    members: int
    rows: int


@asynccontextmanager
async def members(
    count: int, files: int, environment: dict[str, str]
) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Yield members that are ready and wait to be told to begin."""
    rows = -(-files // POSTED)
    running = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "benchmarks.registration_members",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={**os.environ, **environment, _SHARE: msgspec.json.encode(Share(member, count, rows)).decode()},
        )
        for member in range(count)
    ]
    try:
        for one in running:
            assert one.stdout is not None, "it was asked for"
            await one.stdout.readline()
        yield running
    finally:
        for one in running:
            if one.returncode is None:
                one.kill()
            await one.wait()


async def apply_all(running: Sequence[asyncio.subprocess.Process]) -> None:
    """Let members begin, and wait until they have applied everything. Raises RuntimeError where one failed."""
    for one in running:
        assert one.stdin is not None, "it was asked for"
        one.stdin.close()
    if any(await asyncio.gather(*(one.wait() for one in running))):
        raise RuntimeError("a member of the worker failed")


async def _apply(settings: Settings, share: Share) -> None:
    vault = open_vault(settings)
    sessions = make_sessions(make_engine(settings.database_url, pool_size=2))
    on_operators = handlers(vault)[OperatorRegistered]
    settle_memory()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    last = place = 0
    own: list[int] = []
    while place < share.rows or own:
        fresh = await _newer(sessions, last) if place < share.rows else []
        for row in fresh:
            # A batch's rows follow one another, as in a partition.
            if place * POSTED // APPLIED % share.members == share.member:
                own.append(row)
            last, place = row, place + 1
        if not own:
            await asyncio.sleep(_POLL_SECONDS)
            continue
        now, own = own[: APPLIED // POSTED], own[APPLIED // POSTED :]
        batch = await _received(sessions, now)
        async with transaction(sessions) as session:
            await on_operators(session, batch)


async def _newer(sessions: Sessions, last: int) -> list[int]:
    async with transaction(sessions) as session:
        return [row["id"] for row in await (await driver(session)).fetch(_NEWER, _PLACE.topic, last)]


async def _received(sessions: Sessions, rows: Sequence[int]) -> list[Received]:
    async with transaction(sessions) as session:
        found = await (await driver(session)).fetch(_BODIES, rows)
    return [_as_received(_envelope(message.value)) for row in found for message in unpack(row["body"])]


def _as_received(event: Envelope) -> Received:
    named = {"ce_id": event.id, "ce_type": event.type, "ce_source": event.source, "ce_time": event.time or ""}
    headers = {name: text.encode() for name, text in named.items()}
    return Received(_event(event.data), headers, _PLACE, 0)


if __name__ == "__main__":
    asyncio.run(_apply(service_settings(Settings), msgspec.json.decode(os.environ[_SHARE], type=Share)))
