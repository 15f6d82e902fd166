"""The whole stack on Apache Kafka, with a database of its own, and what a stream through it came to."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from deploy.departments import register
from deploy.kafka.cluster import KafkaCluster
from deploy.layout import ROOT
from deploy.report import Counts, Report
from deploy.stack import Stack
from deploy.streaming import Supply, open_supply, settled_report
from simulator.totals import Totals
from tests.deploy.test_stack import free_ports, reachable_directory
from tests.faults.outcomes import notices_missing
from tests.kafka.clusters import new_cluster

FIGURES = ROOT / "var" / "kafka.json"


@dataclass(frozen=True)
class Running:
    """A stack and the cluster it uses."""

    stack: Stack
    cluster: KafkaCluster

    async def settle(self, supply: Supply, totals: Totals, before: Counts) -> Report:
        """Return the report once all is quiet, and assert that nothing was lost or doubled on the way."""
        await self.stack.ready()
        report = await settled_report(self.stack, supply, totals, time.monotonic(), before)
        assert (totals.rejected, totals.unaccounted) == (0, 0)
        assert report.reconciles(), report
        assert report.accepted == report.sent
        assert await notices_missing(self.stack) == 0
        return report


@asynccontextmanager
async def running_on(brokers: int) -> AsyncIterator[Running]:
    """Yield a stack on so many brokers, all empty."""
    with reachable_directory() as directory:
        jars = directory / "kafka"
        jars.mkdir()
        async with (
            new_cluster(jars, brokers=brokers) as cluster,
            Stack(directory, free_ports(), kafka_bootstrap=cluster.bootstrap, keep=False) as stack,
        ):
            await register(stack.ports, stack.issuer)
            yield Running(stack, cluster)


def supply_of(events: int, seed: int) -> Supply:
    """Return a simulated marketplace."""
    return open_supply(None, events=events, seed=seed, base=None)


def record(name: str, figures: dict[str, Any]) -> None:  # JSON
    """Write figures into var/kafka.json, beside those of other tests."""
    known = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    FIGURES.write_text(json.dumps({**known, name: figures}, indent=2) + "\n")
