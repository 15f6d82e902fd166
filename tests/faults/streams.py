"""A service's consumer and relay against a real broker and a real database, in this process."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord

from shared.consumer import Consumer
from shared.database import Sessions, make_engine, make_sessions
from shared.process import Role, plain_url, relay
from shared.settings import Member, ServiceSettings
from tests.faults.waiting import eventually

Headers = Sequence[tuple[str, bytes]]

# As in the embedded stack: a broker that nobody else uses lets a new member in sooner.
QUICK = Member(None, 1_000)


@dataclass(frozen=True)
class Stream:
    """Where to put messages, and the database behind those who read them."""

    settings: ServiceSettings
    sessions: Sessions
    producer: AIOKafkaProducer

    async def put(self, topic: str, value: bytes | None, headers: Headers, *, key: bytes | None = b"key") -> None:
        """Put a message on partition 0."""
        await self.producer.send_and_wait(topic, value, key=key, partition=0, headers=list(headers))

    async def rows(self, statement: str) -> list[asyncpg.Record]:
        """Return what a statement finds, every platform in sight."""
        connection = await asyncpg.connect(plain_url(self.settings.database_url))
        try:
            await connection.execute("SELECT set_config('crosswatch.platform', '*', false)")
            return list(await connection.fetch(statement))
        finally:
            await connection.close()

    async def until(self, statement: str) -> None:
        """Wait until a statement finds something."""

        async def found() -> bool:
            return bool(await self.rows(statement))

        await eventually(found)


@asynccontextmanager
async def opened(settings: ServiceSettings, bootstrap: str) -> AsyncIterator[Stream]:
    """Yield a stream to a service's database, with its relay running."""
    settings = settings.model_copy(update={"kafka_bootstrap": bootstrap})
    engine = make_engine(settings.database_url)
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=8_000_000)
    await producer.start()
    try:
        async with running(lambda stop: relay(settings, stop)):
            yield Stream(settings, make_sessions(engine), producer)
    finally:
        await producer.stop()
        await engine.dispose()


@asynccontextmanager
async def consuming(*consumers: Consumer) -> AsyncIterator[None]:
    """Let consumers run."""
    async with AsyncExitStack() as stack:
        for consumer in consumers:
            await stack.enter_async_context(running(consumer.run))
        yield


@asynccontextmanager
async def running(role: Role) -> AsyncIterator[None]:
    """Run something until the end of the block, and wait for its end."""
    stop = asyncio.Event()
    task = asyncio.ensure_future(role(stop))
    try:
        yield
    finally:
        stop.set()
        await task


async def first_message(bootstrap: str, topic: str) -> ConsumerRecord:
    """Return the first message of a topic that may not exist yet."""
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest", metadata_max_age_ms=200
    )
    await consumer.start()
    try:
        async with asyncio.timeout(30):
            return await consumer.getone()
    finally:
        await consumer.stop()
