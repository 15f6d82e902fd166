"""The worker of the anchors' work as a process of its own: as many of them as a group should have members."""

import argparse
import asyncio

import uvloop

from benchmarks.anchors.work import AnchorTransaction, on_transactions
from shared.consumer import Consumer
from shared.database import make_engine, make_sessions
from shared.process import run_in_batches, settle_memory

TOPIC = "anchors.transactions"


async def main() -> None:
    """Consume until ended."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--topic", default=TOPIC)
    given = parser.parse_args()
    consumer = Consumer(
        "anchors",
        bootstrap=given.bootstrap,
        sessions=make_sessions(make_engine(given.database_url, pool_size=2)),
        handlers={AnchorTransaction: on_transactions},
        known_types={AnchorTransaction.type: AnchorTransaction},
        topics=[given.topic],
    )
    await consumer.run(asyncio.Event())


if __name__ == "__main__":
    # As the host runs every worker.
    settle_memory()
    run_in_batches()
    uvloop.run(main())
