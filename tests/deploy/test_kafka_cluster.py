"""Real brokers: the idempotent producer works, and a killed broker comes back with what it had."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from deploy.kafka.cluster import KafkaCluster
from deploy.layout import ROOT
from deploy.preflight import is_free
from shared.topics import ensure_topics

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

_TOPIC = "sample.things"


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=[1, 3])
async def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[KafkaCluster]:
    directory = tmp_path_factory.mktemp("kafka")
    shared_jars(directory)
    port = next(p for p in range(22_000, 60_000, 10) if all(is_free(p + n) for n in range(6)))
    async with KafkaCluster(directory, brokers=request.param, first_port=port) as running:
        await ensure_topics(running.bootstrap, request.param, [_TOPIC])
        yield running


def shared_jars(directory: Path) -> None:
    """Let a cluster in a directory of its own use the jars `make test-kafka` has fetched."""
    for name in ("jars", "jars.sha256"):
        (directory / name).symlink_to(ROOT / "var" / "kafka" / name)


async def produce(cluster: KafkaCluster, count: int) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=cluster.bootstrap, acks="all", enable_idempotence=True)
    await producer.start()
    for number in range(count):
        await producer.send_and_wait(_TOPIC, b"%d" % number, partition=number % 4)
    await producer.stop()


async def stored(cluster: KafkaCluster) -> int:
    consumer = AIOKafkaConsumer(bootstrap_servers=cluster.bootstrap)
    await consumer.start()
    ends = await consumer.end_offsets([TopicPartition(_TOPIC, number) for number in range(4)])
    await consumer.stop()
    return sum(ends.values())


class TestCluster:
    async def test_keeps_what_it_acknowledged_when_a_broker_is_killed(self, cluster: KafkaCluster) -> None:
        before = await stored(cluster)
        await produce(cluster, 100)

        await cluster.kill(1)
        cluster.restart(1)
        await cluster.ready()

        assert await stored(cluster) == before + 100
        await produce(cluster, 100)
        assert await stored(cluster) == before + 200
