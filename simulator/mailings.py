"""What platforms write to people: with their consent, after they withdrew it, or without."""

from collections.abc import Iterator
from datetime import datetime
from random import Random

from shared.events.platform import ConsentRecorded, MessageSent, PlatformEvent
from simulator.operators import tag_of
from simulator.platforms import Platform
from simulator.timeline import DAY_MS, HOUR_MS, Timeline, moment

_PEOPLE = 20
_PURPOSE, _CHANNEL = "marketing", "sms"


def mailings(platform: Platform, *, seed: int, timeline: Timeline) -> list[tuple[int, datetime, str, PlatformEvent]]:
    """Return consents, withdrawals and messages of a platform in order of time: of ten messages seven with consent."""
    draw = Random(f"{seed} {platform.id} mailings")
    found = [
        fact
        for number in range(_PEOPLE)
        for fact in _of_person(f"reader-{tag_of(seed)}-{number}", number % 10, draw, timeline)
    ]
    return sorted(found, key=lambda fact: (fact[0], fact[2]))


def _of_person(
    person: str, kind: int, draw: Random, timeline: Timeline
) -> Iterator[tuple[int, datetime, str, PlatformEvent]]:
    given_ms = timeline.start_ms + draw.randrange(HOUR_MS, 5 * DAY_MS)
    withdrawn_ms, sent_ms = given_ms + DAY_MS, given_ms + 3 * DAY_MS
    if kind != 0:
        yield given_ms, moment(given_ms), person, ConsentRecorded(person_ref=person, purpose=_PURPOSE)
    if kind in (1, 2):
        withdrawn = ConsentRecorded(person_ref=person, purpose=_PURPOSE, granted=False)
        yield withdrawn_ms, moment(withdrawn_ms), person, withdrawn
    yield sent_ms, moment(sent_ms), person, MessageSent(person_ref=person, purpose=_PURPOSE, channel=_CHANNEL)
