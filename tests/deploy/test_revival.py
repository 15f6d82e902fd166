"""A killed child starts again at once; one that cannot start is tried ever more rarely."""

from deploy.revival import Revival


def delays(revival: Revival, lifetimes: list[float]) -> list[float]:
    pauses, now = [], 100.0
    for lifetime in lifetimes:
        started_at, now = now, now + lifetime
        revival.died(started_at, now)
        assert revival.due is not None
        pauses.append(revival.due - now)
    return pauses


class TestRevival:
    def test_does_not_keep_a_child_waiting_that_has_lived(self) -> None:
        assert delays(Revival(), [60.0, 5.0, 3.5]) == [0.0, 0.0, 0.0]

    def test_waits_longer_each_time_a_child_dies_young_but_never_long(self) -> None:
        assert delays(Revival(), [0.1] * 8) == [0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0]

    def test_forgets_early_deaths_after_a_life(self) -> None:
        assert delays(Revival(), [0.1, 0.1, 30.0, 0.1]) == [0.0, 0.5, 0.0, 0.0]
