"""When a child that ended may start again."""

# A child that ends younger than this is taken for one that cannot start.
_YOUNG_SECONDS = 3.0
_LONGEST_DELAY_SECONDS = 10.0


class Revival:
    """The deaths of one child: it may start again at once, unless it keeps ending young."""

    def __init__(self) -> None:
        self.due: float | None = None
        self.deaths_in_a_row = 0

    def died(self, started_at: float, now: float) -> None:
        """Take note of an end and set when to start again."""
        self.deaths_in_a_row = self.deaths_in_a_row + 1 if now - started_at < _YOUNG_SECONDS else 0
        delay = 0.0 if self.deaths_in_a_row < 2 else 0.5 * 2 ** (self.deaths_in_a_row - 2)
        self.due = now + min(delay, _LONGEST_DELAY_SECONDS)
