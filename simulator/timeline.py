"""The simulated month: when it starts and ends, and the windows in which orders are drawn."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Self

import numpy as np
from numpy.typing import NDArray

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
HISTORY_DAYS = 30
OPENING_DAYS = 1
NEVER = 2**62

_ORDERS_PER_WINDOW = 2_000
_FEWEST_WINDOWS, _MOST_WINDOWS = 12, 120
_DAY_SWING = 0.7
_LAPSES_AFTER_DAYS = 8

Moments = NDArray[np.int64]


@dataclass(frozen=True)
class Timeline:
    """Milliseconds since 1970. Shops open on the first day; orders are placed from the second to the end."""

    start_ms: int
    end_ms: int
    windows: int

    @classmethod
    def before(cls, base: datetime, *, orders: int) -> Self:
        """Return the month that ends at `base`, cut into windows of some two thousand orders."""
        if base.tzinfo is None:
            raise ValueError("base needs a time zone")
        end_ms = round(base.timestamp()) * 1000
        windows = min(max(orders // _ORDERS_PER_WINDOW, _FEWEST_WINDOWS), _MOST_WINDOWS)
        return cls(end_ms - HISTORY_DAYS * DAY_MS, end_ms, windows)

    @property
    def lapse_ms(self) -> int:
        """Return the midnight (UTC) from which a certificate that ended within the month holds no more."""
        return (self.start_ms // DAY_MS + _LAPSES_AFTER_DAYS) * DAY_MS

    def edges(self) -> Moments:
        """Return the `windows + 1` moments between which the windows lie."""
        return self.moments(np.linspace(0.0, 1.0, self.windows + 1))

    def moments(self, shares: NDArray[np.float64]) -> Moments:
        """Map shares of all orders (0 to 1) to times, in a daily rhythm that keeps their order."""
        days = shares * (HISTORY_DAYS - OPENING_DAYS)
        swing = np.sin(2 * np.pi * days) * (_DAY_SWING / (2 * np.pi))
        first = self.start_ms + OPENING_DAYS * DAY_MS
        return first + ((days + swing) * DAY_MS).astype(np.int64)


def moment(at_ms: int) -> datetime:
    """Return the UTC time of milliseconds since 1970."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)
