"""Merchants of long ago: verified once, with no trade in the month, and not verified again in time."""

from collections.abc import Iterator
from datetime import date, datetime
from random import Random

from shared.events.platform import Contacts, Licence, OperatorRegistered
from simulator.operators import tag_of
from simulator.platforms import Platform
from simulator.registrations import registration
from simulator.timeline import DAY_MS, Timeline, moment

_MERCHANTS = 2
_DAYS_BEFORE = 240

File = tuple[int, datetime, str, OperatorRegistered]


def long_ago(platform: Platform, *, seed: int, timeline: Timeline) -> Iterator[File]:
    """Yield time (twice), subject and registration of the platform's merchants of long ago, in order of time."""
    for number in range(_MERCHANTS):
        at_ms = timeline.start_ms - (_DAYS_BEFORE - number) * DAY_MS
        file = dormant(f"{platform.id} {tag_of(seed)}", number)
        yield at_ms, moment(at_ms), file.operator_ref, file


def dormant(whose: str, number: int) -> OperatorRegistered:
    """Return the file of a merchant that every check of a registration passes; `whose` ends with a tag of its own."""
    name = "".join(chr(ord("a") + int(digit)) for digit in str(number))
    return OperatorRegistered(
        operator_ref=f"long-ago-{whose.rpartition(' ')[2]}-{number}",
        legal_name=f"{name} {whose} Long Ago Ltd",
        entity_type="company",
        jurisdiction="DE",
        registration=registration("DE", Random(f"{whose} {number}")),
        licence=Licence(number=f"HRB {number}", issued_on=date(2020, 1, 1)),
        representative=f"Anna {whose} {number}",
        contacts=Contacts(address=f"{number} Old Road, {whose}", phone=f"+49 30 {5_000_000 + number}"),
    )
