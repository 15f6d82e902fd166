"""Whom to kill, in a seeded order, and at which point of the stream."""

import asyncio
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from random import Random

from deploy.stack import Stack
from simulator.totals import Totals

# Restarted so often at least; the receiver stands for somebody else's system and is left alone.
_LEAST_RESTARTS = 3
_SPARED = frozenset({"receiver"})
_POLL_SECONDS = 0.05

Kill = Callable[[], Awaitable[None]]


def order_of_kills(kills: int, *, processes: Sequence[str], servers: Sequence[str], rng: Random) -> list[str]:
    """Return `kills` names: each server at least three times, spread over the run, processes in between."""
    rounds = [[*servers, *_drawn(processes, rng, kills, len(servers), part)] for part in range(_LEAST_RESTARTS)]
    for part in rounds:
        rng.shuffle(part)
    return [name for part in rounds for name in part][:kills]


def _drawn(processes: Sequence[str], rng: Random, kills: int, servers: int, part: int) -> list[str]:
    size = kills * (part + 1) // _LEAST_RESTARTS - kills * part // _LEAST_RESTARTS - servers
    return [rng.choice(processes) for _ in range(max(size, 0))]


def killable(stack: Stack) -> list[str]:
    """Return the names of the processes that may be killed, servers left out."""
    return sorted(set(stack.pids()) - {"postgres", "broker"} - _SPARED)


@dataclass
class Killer:
    """Kills as the stream goes on: the k-th victim falls when its share of the events is sent."""

    stack: Stack
    victims: Sequence[str]
    events: int
    # What to do for a victim that is no child of the stack, such as a broker of Apache Kafka.
    others: dict[str, Kill] = field(default_factory=dict)
    killed: Counter[str] = field(default_factory=Counter)
    moments: list[tuple[float, str]] = field(default_factory=list)
    sent: int = 0

    def on_progress(self, totals: Totals) -> None:
        """Take note of how far the stream is."""
        self.sent = totals.events

    async def run(self, on_kill: Callable[[int], None] = lambda _: None) -> None:
        """Kill every victim at its time."""
        for number, name in enumerate(self.victims, 1):
            await self._until_sent(self.events * number // (len(self.victims) + 1))
            await self._kill(name)
            on_kill(number)

    async def _until_sent(self, events: int) -> None:
        while True:
            if self.sent >= events:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _kill(self, name: str) -> None:
        if name in self.others:
            await self.others[name]()
        else:
            await self._until_it_runs(name)
            self.stack.kill(name, signal.SIGKILL)
        self.killed[name] += 1
        self.moments.append((time.monotonic(), name))

    async def _until_it_runs(self, name: str) -> None:
        """Wait while it is being started again: it is as dead as it can be."""
        while True:
            if name in self.stack.pids():
                return
            await asyncio.sleep(_POLL_SECONDS)
