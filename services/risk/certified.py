"""Whether payments went through institutions and channels that were certified when they were made."""

import time
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from shared.database import driver
from shared.events.listings import PaidThrough

FRESH_SECONDS = 2.0
_MOST_EVIDENCE = 20
_MOST_VERDICTS = 100_000
# Every change is a row of its own, so that the same number of them is the same registry.
_CHANGES = "SELECT count(*) FROM institution_changes"
_INSTITUTIONS = "SELECT institution_id FROM institutions"
_CERTIFICATIONS = "SELECT institution_id, valid_from, valid_to FROM institution_certifications"
_CHANNELS = "SELECT institution_id, channel, valid_from, valid_to FROM institution_channels"


class Span(NamedTuple):
    """Days (UTC) from the first to before the last; without a last one, for good."""

    first: date
    end: date | None

    def holds(self, day: date) -> bool:
        """Tell whether a day lies in it."""
        return self.first <= day and (self.end is None or day < self.end)


class Certified(NamedTuple):
    """When an institution is certified, and when for which channel."""

    spans: list[Span]
    channels: dict[str, list[Span]]


class Verdict(NamedTuple):
    """What the registry says of one payment; None is unknown. The fields are features of rules."""

    institution_listed: bool | None = None
    institution_certified: bool | None = None
    channel_certified: bool | None = None


UNKNOWN = Verdict()
FEATURES = frozenset(Verdict._fields)


class Registry:
    """The registry of payment institutions, read again where it changed: a change holds within `FRESH_SECONDS`."""

    def __init__(self) -> None:
        self._until = 0.0
        self._changes = -1
        self._institutions: Mapping[str, Certified] = {}
        self._verdicts: dict[tuple[str, str | None, date], Verdict] = {}

    async def refresh(self, session: AsyncSession) -> None:
        """Read the registry again if it is no longer fresh and has changed."""
        if self._until >= time.monotonic():
            return
        connection = await driver(session)
        changes = await connection.fetchval(_CHANGES)
        if changes != self._changes:
            found = {row["institution_id"]: Certified([], {}) for row in await connection.fetch(_INSTITUTIONS)}
            # What was registered between these questions waits until the next look, which its change calls for.
            for row in await connection.fetch(_CERTIFICATIONS):
                if (own := found.get(row["institution_id"])) is not None:
                    own.spans.append(Span(row["valid_from"], row["valid_to"]))
            for row in await connection.fetch(_CHANNELS):
                if (own := found.get(row["institution_id"])) is not None:
                    own.channels.setdefault(row["channel"], []).append(Span(row["valid_from"], row["valid_to"]))
            self._changes, self._institutions, self._verdicts = changes, found, {}
        self._until = time.monotonic() + FRESH_SECONDS

    def forget(self) -> None:
        """Look again at the next batch."""
        self._until = 0.0

    def judge(self, paid_through: Sequence[PaidThrough]) -> Verdict:
        """Return what the registry says of all payments of a transaction: yes, if it says so of each it knows."""
        if not paid_through or not self._institutions:
            return UNKNOWN
        verdicts = [verdict for one in paid_through for _, verdict in self._of(one)]
        return verdicts[0] if len(verdicts) == 1 else Verdict(*map(_all, zip(*verdicts, strict=True)))

    def evidence(self, paid_through: Sequence[PaidThrough], features: Collection[str]) -> list[str]:
        """Return institution, channel and day of the payments that some features are no for."""
        named: list[str] = []
        for one in paid_through:
            for day, verdict in self._of(one):
                if any(getattr(verdict, name) is False for name in FEATURES.intersection(features)):
                    channel = [f"channel:{one.channel}"] if one.channel is not None else []
                    named += [f"institution:{one.institution_id}", *channel, f"paid:{day}"]
        return list(dict.fromkeys(named))[:_MOST_EVIDENCE]

    def _of(self, one: PaidThrough) -> list[tuple[date, Verdict]]:
        days = [at.astimezone(UTC).date() for at in one.made_at]
        return [(day, self._verdict(one.institution_id, one.channel, day)) for day in days]

    def _verdict(self, institution_id: str | None, channel: str | None, day: date) -> Verdict:
        if institution_id is None or not self._institutions:
            return UNKNOWN
        key = institution_id, channel, day
        known = self._verdicts.get(key)
        if known is None:
            known = verdict_of(self._institutions.get(institution_id), channel, day)
            # Ids are the platforms' own, so there may be any number of them.
            if len(self._verdicts) < _MOST_VERDICTS:
                self._verdicts[key] = known
        return known


def verdict_of(certified: Certified | None, channel: str | None, day: date) -> Verdict:
    """Return what is to be said of a payment by an institution, None where it is not in the registry, on a day."""
    if certified is None:
        return Verdict(institution_listed=False)
    may = None
    if channel is not None and certified.channels:
        may = any(span.holds(day) for span in certified.channels.get(channel, ()))
    return Verdict(True, any(span.holds(day) for span in certified.spans), may)  # noqa: FBT003 - as the fields are


def _all(answers: Sequence[bool | None]) -> bool | None:
    known = [answer for answer in answers if answer is not None]
    return all(known) if known else None
