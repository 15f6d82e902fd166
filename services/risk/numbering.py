"""Numbers that came as runs, in any order and any number of times, and the gaps between them. Pure."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple


class Run(NamedTuple):
    """Numbers without a gap, and when the first of them to come came, in milliseconds since 1970."""

    first: int
    last: int
    seen_ms: int


class Gap(NamedTuple):
    """Numbers that did not come, between some that did, and since when both sides are known."""

    first: int
    last: int
    since_ms: int


def merged(runs: Iterable[Run]) -> list[Run]:
    """Return the same numbers as few runs, in their order; neither order nor repetition of what comes matters."""
    found: list[Run] = []
    for run in sorted(runs):
        if found and run.first <= found[-1].last + 1:
            before = found.pop()
            run = Run(before.first, max(before.last, run.last), min(before.seen_ms, run.seen_ms))  # noqa: PLW2901
        found.append(run)
    return found


def gaps(runs: Sequence[Run]) -> list[Gap]:
    """Return the gaps between merged runs."""
    below = list(accumulate((run.seen_ms for run in runs), min))
    above = list(accumulate((run.seen_ms for run in reversed(runs)), min))[::-1]
    return [
        Gap(one.last + 1, other.first - 1, max(before, after))
        for one, other, before, after in zip(runs, runs[1:], below, above[1:], strict=False)
    ]


def bounded(runs: Sequence[Run], most: int) -> tuple[list[Run], int]:
    """Return the newest gaps of merged runs, at most so many, and up to which number others were forgotten."""
    if len(runs) <= most + 1:
        return list(runs), 0
    old, kept = runs[: len(runs) - most], runs[len(runs) - most :]
    return [Run(old[0].first, old[-1].last, min(run.seen_ms for run in old)), *kept], old[-1].last
