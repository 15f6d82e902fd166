"""The reference of the spine: the same bytes through the same broker with nothing in between."""

import asyncio
import time
from collections.abc import Sequence

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from benchmarks.load import Batch
from shared.identifiers import new_id
from shared.topics import PARTITIONS, ensure_topics

_CHUNK = 2_000


async def raw_events_per_s(bootstrap: str, load: Sequence[Batch], *, replication: int = 1) -> float:
    """Produce the load's events with aiokafka and consume them again at once; return events per second."""
    values = [line for batch in load for line in batch.body.split(b"\n")]
    topic = f"reference-{new_id().hex[:8]}"
    await ensure_topics(bootstrap, replication, [topic])
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_batch_size=1_000_000)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20
    )
    await producer.start()
    await consumer.start()
    consumer.assign([TopicPartition(topic, partition) for partition in range(PARTITIONS)])
    await consumer.seek_to_beginning()
    started = time.monotonic()
    try:
        await asyncio.gather(_produce(producer, topic, values), _consume(consumer, len(values)))
    finally:
        await producer.stop()
        await consumer.stop()
    return len(values) / (time.monotonic() - started)


async def _produce(producer: AIOKafkaProducer, topic: str, values: Sequence[bytes]) -> None:
    for start in range(0, len(values), _CHUNK):
        batches = [producer.create_batch() for _ in range(PARTITIONS)]
        for index, value in enumerate(values[start : start + _CHUNK]):
            if batches[index % PARTITIONS].append(key=None, value=value, timestamp=None) is None:
                raise ValueError(f"{_CHUNK} events do not fit {PARTITIONS} batches")
        sent = [await producer.send_batch(b, topic, partition=p) for p, b in enumerate(batches)]
        await asyncio.gather(*sent)


async def _consume(consumer: AIOKafkaConsumer, count: int) -> None:
    while count > 0:
        records = await consumer.getmany(timeout_ms=1_000, max_records=_CHUNK)
        count -= sum(map(len, records.values()))
