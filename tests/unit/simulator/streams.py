"""Small simulations and the decoding of what they send, for the tests beside this file."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple, TypeVar

import msgspec

from shared.events.base import Envelope
from shared.events.catalogue import SENT
from shared.events.platform import PlatformEvent
from simulator.cloudevents import Outgoing
from simulator.marketplace import Marketplace

BASE = datetime(2026, 3, 1, 12, tzinfo=UTC)
_TYPES = {kind.type: kind for kind in SENT}
_Fact = TypeVar("_Fact", bound=PlatformEvent)


class Decoded(NamedTuple):
    """An event as a service sees it."""

    envelope: Envelope
    fact: PlatformEvent


def marketplace(*, events: int = 6_000, seed: int = 7, base: datetime = BASE) -> Marketplace:
    return Marketplace(events=events, seed=seed, base=base)


def decoded(events: Iterable[Outgoing]) -> Iterator[Decoded]:
    for event in events:
        envelope = msgspec.json.decode(event.body, type=Envelope)
        yield Decoded(envelope, msgspec.json.decode(envelope.data, type=_TYPES[envelope.type]))


def facts_of(kind: type[_Fact], stream: Iterable[Decoded]) -> list[_Fact]:
    return [event.fact for event in stream if isinstance(event.fact, kind)]
