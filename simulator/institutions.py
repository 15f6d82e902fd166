"""Payment institutions of the sample platforms: who is certified for which channels, and who no longer is."""

from collections.abc import Iterator
from datetime import date, datetime

from msgspec import Struct

from simulator.orders import Flaw, OrderRow
from simulator.platforms import Platform
from simulator.timeline import Timeline, moment

_LICENSED_FROM = date(2016, 1, 1)
# Certified for no institution of any platform.
_SIDE_CHANNEL = "qr_transfer"
# How many payments take the institution whose certificate ends, while it lasts: one in so many.
_FORMER_SHARE = 7


class Entry(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A row of the registry, as the risk service takes it."""

    institution_id: str
    name: str
    jurisdiction: str
    scheme: str
    number: str
    authority: str
    certified_from: date
    certified_to: date | None = None
    channel: str | None = None
    channel_from: date | None = None


class Institutions:
    """Through whom a platform's buyers pay. One institution's certificate ends within the month, one is renewed."""

    def __init__(self, platform: Platform, *, timeline: Timeline, tag: str) -> None:
        self._platform = platform
        self._lapses_at = moment(timeline.lapse_ms)
        # Its last day depends on when the month lies: another month's is another institution.
        self._former = f"{platform.prefix.lower()}-pay-{tag.lower()}"

    def of(self, row: OrderRow, at: datetime) -> tuple[str, str]:
        """Return institution and channel of a payment."""
        channels, institutions = self._platform.channels, self._platform.institutions
        channel, institution = channels[row.buyer % len(channels)], institutions[row.buyer % len(institutions)]
        if row.flaw == Flaw.CHANNEL:
            return (
                (institution, _SIDE_CHANNEL),
                (self._former, channel),
                (f"{self._platform.prefix.lower()}-agent-{row.buyer % 3}", channel),
            )[row.text % 3]
        if at < self._lapses_at and row.buyer % _FORMER_SHARE == 0:
            return self._former, channel
        return institution, channel

    def entries(self) -> Iterator[Entry]:
        """Yield what a regulator registers of them before the month."""
        last_day = self._lapses_at.date()
        for turn, institution in enumerate(self._platform.institutions):
            if turn:
                yield from self._entries(institution, _LICENSED_FROM, None)
            else:
                yield from self._entries(institution, _LICENSED_FROM, last_day)
                yield from self._entries(institution, last_day, None)
        yield from self._entries(self._former, _LICENSED_FROM, last_day)

    def _entries(self, institution: str, first: date, end: date | None) -> Iterator[Entry]:
        licensing = self._platform.licensing
        for channel in self._platform.channels:
            yield Entry(
                institution_id=institution,
                name=institution.replace("-", " ").title(),
                jurisdiction=licensing.jurisdiction,
                scheme=licensing.scheme,
                number=f"{institution}-{first:%Y%m%d}",
                authority=licensing.authority,
                certified_from=first,
                certified_to=end,
                channel=channel,
                channel_from=_LICENSED_FROM,
            )
