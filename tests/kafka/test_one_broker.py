"""The stack on one Apache Kafka broker, with the idempotent producer: all arrives once, kills or not."""

import asyncio
from collections.abc import AsyncIterator
from random import Random

import pytest
import pytest_asyncio

from deploy.kafka.cluster import KafkaCluster
from deploy.report import Counts
from tests.faults.killing import Killer, killable
from tests.faults.load import send_steadily
from tests.kafka.stacks import Running, record, running_on, supply_of

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="module")]

_KILLS = 10
_EVENTS = 6_000
_EVENTS_PER_SECOND = 150.0


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running() -> AsyncIterator[Running]:
    async with running_on(1) as running:
        yield running


async def restart(cluster: KafkaCluster) -> None:
    """Kill the only broker and start it again on its data."""
    await cluster.kill(1)
    cluster.restart(1)


class TestOneBroker:
    async def test_carries_a_marketplace(self, running: Running) -> None:
        supply = supply_of(3_000, seed=1)
        before = await Counts.ask(running.stack)

        totals = await send_steadily(running.stack, supply, events_per_second=None)

        report = await running.settle(supply, totals, before)
        assert report.risk.assessed > 0
        assert report.notices.delivered > 0

    async def test_loses_nothing_when_everything_is_killed_in_turn(self, running: Running) -> None:
        supply, rng = supply_of(_EVENTS, seed=2), Random(2)
        before = await Counts.ask(running.stack)
        victims = [*(rng.choice(killable(running.stack)) for _ in range(_KILLS)), "kafka"]
        rng.shuffle(victims)
        killer = Killer(running.stack, victims, int(_EVENTS * 0.95), others={"kafka": lambda: restart(running.cluster)})

        killing = asyncio.create_task(killer.run())
        totals = await send_steadily(
            running.stack, supply, events_per_second=_EVENTS_PER_SECOND, on_progress=killer.on_progress
        )
        await killing

        report = await running.settle(supply, totals, before)
        record("one_broker", {"kills": dict(killer.killed), "events": totals.events, "lost": 0, "doubled": 0})
        assert report.reconciliation.lost == 0
