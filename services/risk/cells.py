"""Kernels over the events of keys: insert one, and count what lies within a window around it. Pure, compiled.

A key's first eight events within the longest window are kept as they are. From the ninth on they are cells of an
exponential histogram (Datar, Gionis, Indyk and Motwani, "Maintaining Stream Statistics over Sliding Windows", 2002):
cells that are old, beside what is newer, are merged first.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Shorts = npt.NDArray[np.int32]
Marks = npt.NDArray[np.uint32]
Floats = npt.NDArray[np.float64]

EVENTS = 8
CELLS = 64
# Merged cells do not know whom their events were with: so many of the newest stay single.
SINGLE = 16

ORDERS, VALUES, PARTNERS, USUAL = 0, 4, 8, 12
WIDTH = 18


class Rows(NamedTuple):
    """A row a key, and in the second half, from `used` on, a row for each key with cells: `cells` says which, or -1."""

    keys: Ints
    held: Shorts
    cells: Shorts
    seen: Ints
    last: Ints
    marks: Marks
    # Number, sum and sum of squares of values, each fading by the half-life.
    faded: Floats
    times: Ints
    values: Floats
    partners: Marks
    used: Shorts
    began: Ints
    ended: Ints
    counts: Ints
    sums: Floats
    who: Marks


class Spans(NamedTuple):
    """The events of one key in the order of their times, each cell with when it began and ended."""

    began: Ints
    ended: Ints
    counts: Ints
    sums: Floats
    used: int


class Company(NamedTuple):
    """Whom a key's newest single events were with; `before` is scratch."""

    times: Ints
    partners: Marks
    before: Ints


class Batch(NamedTuple):
    """Events in the order they came: their keys' rows, times in ms, values (NaN where unknown), partners and marks."""

    rows: Ints
    times: Ints
    values: Floats
    partners: Marks
    marks: Marks


@njit(cache=True)
def locate(index: Shorts, keys: Ints, known: int, wanted: Ints, found: Ints) -> int:  # pragma: no cover - compiled
    """Find the row of each key, or give it the next free one; return how many there are. `index` is a hash table."""
    mask = len(index) - 1
    for i in range(len(wanted)):
        place = wanted[i] & mask
        while index[place] >= 0 and keys[index[place]] != wanted[i]:
            place = (place + 1) & mask
        if index[place] < 0:
            index[place] = known
            keys[known] = wanted[i]
            known += 1
        found[i] = index[place]
    return known


@njit(cache=True)
def reindex(index: Shorts, keys: Ints, known: int) -> None:  # pragma: no cover - compiled
    """Fill an empty hash table."""
    mask = len(index) - 1
    for row in range(known):
        place = keys[row] & mask
        while index[place] >= 0:
            place = (place + 1) & mask
        index[place] = row


@njit(cache=True)
def fold(
    rows: Rows, batch: Batch, widths: Ints, half_life: float, place: tuple[int, int], out: Floats
) -> tuple[int, int]:  # pragma: no cover - compiled
    """Add each event to its key, in the order they came, and write what is known of the key then, (n, `WIDTH`).

    What is usual of a key is what it was before the event; windows have it in them. `place` is how many events were
    added before and how many rows of cells are in use; the same is returned, early where rows of cells run out.
    """
    start, celled = place
    ones = np.ones(EVENTS, np.int64)
    company = Company(np.empty(SINGLE, np.int64), np.empty(SINGLE, np.uint32), np.empty(SINGLE, np.int64))
    for i in range(start, len(batch.rows)):
        row, at = batch.rows[i], batch.times[i]
        if rows.cells[row] < 0 and rows.held[row] == EVENTS and celled == len(rows.used):
            return i, celled
        _become(rows, row, batch, i, half_life, out[i])
        value = 0.0 if np.isnan(batch.values[i]) else batch.values[i]
        oldest = rows.last[row] - widths[-1]
        if rows.cells[row] < 0 and not _hold(rows, row, at, value, batch.partners[i], oldest):
            _promote(rows, row, celled)
            celled += 1
        cell = rows.cells[row]
        if cell >= 0:
            _insert(rows, cell, at, value, batch.partners[i], oldest)
            known = _newest(rows, cell, company)
            spans = Spans(rows.began[cell], rows.ended[cell], rows.counts[cell], rows.sums[cell], rows.used[cell])
        else:
            known = rows.held[row]
            company.times[:known] = rows.times[row, :known]
            company.partners[:known] = rows.partners[row, :known]
            spans = Spans(rows.times[row], rows.times[row], ones, rows.values[row], known)
        _widest(spans, at, widths, out[i])
        _meet(company, known)
        for w in range(len(widths)):
            out[i, PARTNERS + w] = _different(company, known, at, widths[w])
    return len(batch.rows), celled


@njit(cache=True)
def _become(
    rows: Rows, row: int, batch: Batch, i: int, half_life: float, out: Floats
) -> None:  # pragma: no cover - compiled
    """Write what was usual, and let the event be part of what is."""
    at, value, mark = batch.times[i], batch.values[i], batch.marks[i]
    number, total, squares = rows.faded[row, 0], rows.faded[row, 1], rows.faded[row, 2]
    seen, last = rows.seen[row], rows.last[row]
    if seen > 0 and at > last:
        fading = 2.0 ** (-(at - last) / half_life)
        number, total, squares = number * fading, total * fading, squares * fading
    out[USUAL] = seen
    out[USUAL + 1] = number
    out[USUAL + 2] = np.nan
    out[USUAL + 3] = np.nan
    if number > 0:
        mean = total / number
        out[USUAL + 2] = mean
        out[USUAL + 3] = max(0.0, squares / number - mean * mean) ** 0.5
    out[USUAL + 4] = (at - last) / 1000.0 if seen > 0 else np.nan
    out[USUAL + 5] = 1.0 if seen > 0 and mark != 0 and rows.marks[row] == mark else 0.0
    if not np.isnan(value):
        number, total, squares = number + 1.0, total + value, squares + value * value
    rows.faded[row, 0], rows.faded[row, 1], rows.faded[row, 2] = number, total, squares
    rows.last[row] = at if seen == 0 or at > last else last
    rows.seen[row] = seen + 1
    rows.marks[row] = mark


@njit(cache=True)
def _hold(
    rows: Rows, row: int, at: int, value: float, partner: int, oldest: int
) -> bool:  # pragma: no cover - compiled
    """Put an event among those of its key in the order of their times; tell whether there was room."""
    held, gone = rows.held[row], 0
    if held == EVENTS:
        while gone < held and rows.times[row, gone] < oldest:
            gone += 1
        if gone == 0:
            return False
        for i in range(gone, held):
            rows.times[row, i - gone] = rows.times[row, i]
            rows.values[row, i - gone] = rows.values[row, i]
            rows.partners[row, i - gone] = rows.partners[row, i]
        held -= gone
    i = held
    while i > 0 and rows.times[row, i - 1] > at:
        rows.times[row, i] = rows.times[row, i - 1]
        rows.values[row, i] = rows.values[row, i - 1]
        rows.partners[row, i] = rows.partners[row, i - 1]
        i -= 1
    rows.times[row, i], rows.values[row, i], rows.partners[row, i] = at, value, partner
    rows.held[row] = held + 1
    return True


@njit(cache=True)
def _promote(rows: Rows, row: int, cell: int) -> None:  # pragma: no cover - compiled
    """Make cells of a key's events, which were as many as are held."""
    for i in range(EVENTS):
        rows.began[cell, i] = rows.ended[cell, i] = rows.times[row, i]
        rows.counts[cell, i] = 1
        rows.sums[cell, i] = rows.values[row, i]
        rows.who[cell, i] = rows.partners[row, i]
    rows.used[cell] = EVENTS
    rows.cells[row] = cell
    rows.held[row] = 0


@njit(cache=True)
def _insert(
    rows: Rows, cell: int, at: int, value: float, partner: int, oldest: int
) -> None:  # pragma: no cover - compiled
    used = rows.used[cell]
    if used == CELLS:
        gone = 0
        while gone < used and rows.ended[cell, gone] < oldest:
            gone += 1
        if gone == 0:
            _join(rows, cell, _least_missed(rows.counts[cell], used))
        else:
            _shift(rows, cell, gone, -gone, used)
            used -= gone
        used = min(used, CELLS - 1)
    i = used
    while i > 0 and rows.began[cell, i - 1] > at:
        i -= 1
    if i > 0 and rows.counts[cell, i - 1] > 1 and rows.ended[cell, i - 1] >= at:
        rows.counts[cell, i - 1] += 1
        rows.sums[cell, i - 1] += value
        rows.used[cell] = used
        return
    _shift(rows, cell, i, 1, used)
    rows.began[cell, i] = rows.ended[cell, i] = at
    rows.counts[cell, i], rows.sums[cell, i], rows.who[cell, i] = 1, value, partner
    rows.used[cell] = used + 1


@njit(cache=True)
def _shift(rows: Rows, cell: int, start: int, by: int, used: int) -> None:  # pragma: no cover - compiled
    """Move the cells from `start` on by some places."""
    for k in range(used - start):
        i = start + k if by < 0 else used - 1 - k
        rows.began[cell, i + by], rows.ended[cell, i + by] = rows.began[cell, i], rows.ended[cell, i]
        rows.counts[cell, i + by], rows.sums[cell, i + by] = rows.counts[cell, i], rows.sums[cell, i]
        rows.who[cell, i + by] = rows.who[cell, i]


@njit(cache=True)
def _least_missed(counts: Ints, used: int) -> int:  # pragma: no cover - compiled
    """Return which cell to merge with the next one: the two that are least beside what is newer."""
    newer, best, least = 0, 0, np.inf
    for i in range(used - 1, -1, -1):
        if i < used - SINGLE:
            share = (counts[i] + counts[i + 1]) / newer
            if share < least:
                best, least = i, share
        if i + 1 < used:
            newer += counts[i + 1]
    return best


@njit(cache=True)
def _join(rows: Rows, cell: int, i: int) -> None:  # pragma: no cover - compiled
    rows.ended[cell, i] = max(rows.ended[cell, i], rows.ended[cell, i + 1])
    rows.counts[cell, i] += rows.counts[cell, i + 1]
    rows.sums[cell, i] += rows.sums[cell, i + 1]
    _shift(rows, cell, i + 2, -1, rows.used[cell])


@njit(cache=True)
def _newest(rows: Rows, cell: int, company: Company) -> int:  # pragma: no cover - compiled
    """Copy the newest cells, as far as they are single events; return how many."""
    used, known = rows.used[cell], 0
    for i in range(max(0, used - SINGLE), used):
        if rows.counts[cell, i] == 1:
            company.times[known], company.partners[known] = rows.began[cell, i], rows.who[cell, i]
            known += 1
    return known


@njit(cache=True)
def _widest(spans: Spans, at: int, widths: Ints, out: Floats) -> None:  # pragma: no cover - compiled
    """Write the most events, and the largest sum, that a window of each width has which `at` lies in."""
    for w in range(len(widths)):
        i, earliest = 0, at - widths[w]
        while i < spans.used and spans.ended[i] < earliest:
            i += 1
        j, count, total, most, largest = i, 0, 0.0, 0, 0.0
        # Of a cell that began before the window half is counted, as the paper does.
        half = i if i < spans.used and spans.began[i] < earliest else -1
        while i < spans.used and spans.began[i] <= at:
            end = max(spans.began[i], earliest) + widths[w]
            while j < spans.used and spans.began[j] <= end:
                count += spans.counts[j] // 2 if j == half else spans.counts[j]
                total += spans.sums[j] / 2 if j == half else spans.sums[j]
                j += 1
            most, largest = max(most, count), max(largest, total)
            if j == spans.used:
                break
            count -= spans.counts[i] // 2 if i == half else spans.counts[i]
            total -= spans.sums[i] / 2 if i == half else spans.sums[i]
            i += 1
        out[ORDERS + w], out[VALUES + w] = most, largest


@njit(cache=True)
def _meet(company: Company, known: int) -> None:  # pragma: no cover - compiled
    """Note for each event which one before it was with the same partner."""
    for k in range(known):
        company.before[k] = -1
        for earlier in range(k - 1, -1, -1):
            if company.partners[earlier] == company.partners[k]:
                company.before[k] = earlier
                break


@njit(cache=True)
def _different(company: Company, known: int, at: int, width: int) -> int:  # pragma: no cover - compiled
    """Return how many different partners a window has at most that `at` lies in."""
    most, i = 0, 0
    while i < known and company.times[i] < at - width:
        i += 1
    while i < known and company.times[i] <= at:
        different, j = 0, i
        while j < known and company.times[j] <= company.times[i] + width:
            different += company.before[j] < i and company.partners[j] != 0
            j += 1
        most = max(most, different)
        if j == known:
            break
        i += 1
    return most
