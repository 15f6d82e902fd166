"""Which processes make up the stack, and where each listens."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

SERVICES = ("identity", "listings", "risk", "credit", "disputes", "gateway")

# Keys of personal data have a database of their own: back-ups of what they open do not hold them.
DATABASES = (*SERVICES, "identity_keys")

_BASE = 8100
# Distances from the base, so that a second stack beside this one only needs another base.
_OFFSETS = {
    "console": 0,
    "identity": 1,
    "listings": 2,
    "risk": 3,
    "credit": 4,
    "disputes": 5,
    "governance": 6,
    "supervision": 7,
    "gateway": 8,
    "receiver": 9,
    "postgres": 32,
    "broker": 92,
}


@dataclass(frozen=True)
class Ports:
    """The ports of one stack on 127.0.0.1."""

    base: int = _BASE

    def of(self, name: str) -> int:
        """Return the port of a service, the receiver, PostgreSQL or the broker."""
        return self.base + _OFFSETS[name]

    def url(self, name: str) -> str:
        """Return the address of a service."""
        return f"http://127.0.0.1:{self.of(name)}"


@dataclass(frozen=True)
class Process:
    """One process of the stack: a module of Python and its arguments."""

    name: str
    module: str
    arguments: tuple[str, ...]
    serves: tuple[str, ...] = ()
    # It holds positions in the broker's log, so it must not outlive that log.
    speaks_kafka: bool = False


def hosted(name: str, *parts: str) -> Process:
    """Return a process that runs several services' parts in one event loop, as `api:risk` and the like."""
    return Process(
        name,
        "deploy.host",
        parts,
        serves=tuple(part.partition(":")[2] for part in parts if part.startswith("api:")),
        speaks_kafka=any(part.startswith(("relay:", "worker:")) for part in parts),
    )


@dataclass(frozen=True)
class Composition:
    """The services a stack is made of, and the processes they run in."""

    services: tuple[str, ...]
    processes: tuple[Process, ...]

    def process(self, name: str) -> Process:
        """Return the process of that name."""
        return next(process for process in self.processes if process.name == name)

    def served(self) -> list[str]:
        """Return the services that answer HTTP."""
        return [service for process in self.processes for service in process.serves]

    def listening(self, ports: Ports) -> Mapping[str, int]:
        """Return every port the processes listen on, by name."""
        receivers = [process.name for process in self.processes if process.name == "receiver"]
        return {name: ports.of(name) for name in [*self.served(), *receivers]}


def local_composition(ports: Ports, var_dir: Path) -> Composition:
    """Return what one machine runs.

    Relays have a process of their own: one that shares its loop with ingest or consumers slows both.
    """
    keys = f"{ports.url('gateway')}/.well-known/webhook-keys.json"
    receiver = ("--port", str(ports.of("receiver")), "--data", str(var_dir / "receiver"), "--keys", keys)
    return Composition(
        SERVICES,
        (
            hosted("api-listings", "api:listings"),
            hosted("api", *(f"api:{service}" for service in SERVICES if service != "listings")),
            hosted("relay", *(f"relay:{service}" for service in SERVICES)),
            hosted("worker-listings", "worker:listings"),
            hosted("worker-risk", "worker:risk"),
            hosted("worker-credit", "worker:credit"),
            hosted("patrol", "patrol:risk"),
            hosted("worker", "worker:identity", "worker:disputes", "worker:gateway"),
            Process("receiver", "simulator.receiver", receiver),
        ),
    )
