"""Three brokers, replication 3, two in sync: any one may be killed, and the stream stands still for seconds."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient

from deploy.kafka.cluster import KafkaCluster
from deploy.report import Counts
from shared.topics import all_topics
from tests.faults.load import Cut, send_steadily
from tests.faults.stalls import watched
from tests.kafka.stacks import Running, record, running_on, supply_of

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

_BROKERS = (1, 2, 3)
_EVENTS_PER_SECOND = 150.0
_SECONDS_DOWN = 10.0
_SECONDS_OF_PEACE = 3.0
# More than is sent: the stream ends when the last broker is back.
_EVENTS = 60_000
# A dead broker's session ends after 3 s (KafkaCluster); electing, and noticing that, takes the rest.
_LONGEST_STALL_SECONDS = 10.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Running]:
    async with running_on(len(_BROKERS)) as running:
        yield running


async def replicas(bootstrap: str, topics: list[str]) -> dict[str, set[int]]:
    """Return how many replicas the partitions of each topic have."""
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        described = await admin.describe_topics(topics)
    finally:
        await admin.close()
    return {one["topic"]: {len(place["replicas"]) for place in one["partitions"]} for one in described}


async def kill_in_turn(cluster: KafkaCluster) -> list[tuple[int, float, float]]:
    """Kill each broker, let the others do without it, and bring it back; return number, start and end."""
    absences = []
    for number in _BROKERS:
        await asyncio.sleep(_SECONDS_OF_PEACE)
        killed_at = time.monotonic()
        await cluster.kill(number)
        await asyncio.sleep(_SECONDS_DOWN)
        absences.append((number, killed_at, time.monotonic()))
        cluster.restart(number)
        await cluster.ready()
    return absences


class TestThreeBrokers:
    async def test_lose_nothing_when_each_is_killed_under_load(self, running: Running) -> None:
        supply = supply_of(_EVENTS, seed=3)
        before = await Counts.ask(running.stack)

        async with watched(running.stack, ("listings", "risk", "credit")) as progress:
            killing = asyncio.create_task(kill_in_turn(running.cluster))
            supply = replace(supply, source=Cut(supply.source, killing.done))
            totals = await send_steadily(running.stack, supply, events_per_second=_EVENTS_PER_SECOND)
            absences = await killing

        await running.settle(supply, totals, before)
        stalls = {number: round(progress.longest_gap(start, end), 1) for number, start, end in absences}
        record("three_brokers", {"stall_seconds": stalls, "events": totals.events, "lost": 0, "doubled": 0})
        assert max(stalls.values()) < _LONGEST_STALL_SECONDS

    async def test_hold_every_partition_three_times(self, running: Running) -> None:
        found = await replicas(running.cluster.bootstrap, [*all_topics(), "__consumer_offsets"])

        assert set(found) == {*all_topics(), "__consumer_offsets"}
        assert set().union(*found.values()) == {3}
