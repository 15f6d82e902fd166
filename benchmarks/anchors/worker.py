"""The worker of the anchors' work as a process of its own: it ends when it has applied what it was told to expect."""

import argparse
import asyncio
import json
import resource
import time

import uvloop

from benchmarks.anchors.work import AnchorTransaction, on_transactions
from shared.consumer import Consumer, Records
from shared.database import make_engine, make_sessions
from shared.process import run_in_batches, settle_memory

TOPIC = "anchors.transactions"


class Measured(Consumer):
    """A consumer that counts what it has committed; the clock runs from `warm` on, as with the other engines."""

    def __init__(self, *, warm: int, expected: int, stop: asyncio.Event, **settings: object) -> None:
        super().__init__("anchors", **settings)  # type: ignore[arg-type] # they are the consumer's own
        self._warm, self._expected, self._stop = warm, expected, stop
        self._count = 0
        self._began: tuple[int, float, float] | None = None

    async def apply(self, records: Records) -> None:
        """Apply, and look at the clock once it is committed."""
        await super().apply(records)
        self._count += sum(map(len, records.values()))
        if self._began is None and self._count >= self._warm:
            self._began = (self._count, time.perf_counter(), _cpu())
        if self._count >= self._expected and not self._stop.is_set():
            assert self._began is not None, "more is expected than it takes to warm up"
            count, began, used = self._began
            seconds = time.perf_counter() - began
            result = {
                "events_per_s": (self._count - count) / seconds,
                "cores": (_cpu() - used) / seconds,
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1_024,
            }
            print(json.dumps(result), flush=True)
            self._stop.set()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


async def main() -> None:
    """Consume until everything expected is committed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--database-url", required=True)
    parser.add_argument("--topic", default=TOPIC)
    parser.add_argument("--warm", type=int, default=100_000)
    parser.add_argument("--expect", type=int, default=400_000)
    given = parser.parse_args()
    stop = asyncio.Event()
    consumer = Measured(
        warm=given.warm,
        expected=given.expect,
        stop=stop,
        bootstrap=given.bootstrap,
        sessions=make_sessions(make_engine(given.database_url, pool_size=2)),
        handlers={AnchorTransaction: on_transactions},
        known_types={AnchorTransaction.type: AnchorTransaction},
        topics=[given.topic],
    )
    await consumer.run(stop)


if __name__ == "__main__":
    # As the host runs every worker.
    settle_memory()
    run_in_batches()
    uvloop.run(main())
