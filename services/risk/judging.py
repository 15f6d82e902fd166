"""What a model is worth: precision at the share that is inspected, and how far the world has moved since. Pure."""

from collections.abc import Mapping

import numpy as np

from services.risk.boosting import Floats

_BINS = 10
_MOST_VALUES = 20
_LEAST_SHARE = 1e-4


def precision_at(share: float, scores: Floats, violated: Floats, weights: Floats) -> float:
    """Return the share of violations among the highest-scored `share` of things, each counting as its weight.

    Of things with the same score as many are taken as are needed, whichever they are.
    """
    _, group = np.unique(-scores, return_inverse=True)
    weight = np.bincount(group, weights)
    found = np.bincount(group, weights * violated)
    before = np.cumsum(weight) - weight
    taken = np.clip((share * weight.sum() - before) / weight, 0.0, 1.0)
    return float((found * taken).sum() / (weight * taken).sum())


def average_precision(scores: Floats, right: Floats) -> float:
    """Return the mean precision over the recalls that each score gives, those with the same score taken together.

    It is 0 where nothing is right.
    """
    if not right.sum():
        return 0.0
    _, group = np.unique(-scores, return_inverse=True)
    taken, found = np.cumsum(np.bincount(group)), np.bincount(group, right)
    return float((found * np.cumsum(found) / taken).sum() / right.sum())


def drifts(names: Mapping[str, bool], before: Floats, after: Floats) -> dict[str, float]:
    """Return the population stability index of each feature between two times; `names` says which are categories."""
    return {
        name: round(stability_index(before[:, at], after[:, at], is_category=is_category), 4)
        for at, (name, is_category) in enumerate(names.items())
    }


def stability_index(before: Floats, after: Floats, *, is_category: bool) -> float:
    """Return how far a distribution moved: the sum of (q - p) ln(q / p) over its tenths, or over its values.

    Below 0.1 it is taken to stand still, above 0.25 to have moved (the rule of thumb of credit scoring). Unknown
    values are a part of their own.
    """
    bins = _values(before) if is_category else _tenths(before)
    p, q = (_shares(_binned(column, bins, is_category=is_category), len(bins) + 2) for column in (before, after))
    return float(((q - p) * np.log(q / p)).sum())


def _tenths(column: Floats) -> Floats:
    known = column[np.isfinite(column)]
    return np.unique(np.quantile(known, np.linspace(0, 1, _BINS + 1)[1:-1])) if len(known) else np.empty(0)


def _values(column: Floats) -> Floats:
    values, counts = np.unique(column[np.isfinite(column)], return_counts=True)
    return np.sort(values[np.argsort(-counts, kind="stable")[:_MOST_VALUES]])


def _binned(column: Floats, bins: Floats, *, is_category: bool) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return the number of each value's part; the last one is of unknown values, the one before of rare categories."""
    unknown, rare = len(bins) + 1, len(bins)
    at = np.searchsorted(bins, column, side="left" if is_category else "right")
    if is_category:
        at = np.where(np.isin(column, bins), at, rare)
    return np.where(np.isfinite(column), at, unknown)


def _shares(parts: np.ndarray[tuple[int], np.dtype[np.int64]], count: int) -> Floats:
    shares: Floats = np.maximum(np.bincount(parts, minlength=count) / max(1, len(parts)), _LEAST_SHARE)
    return shares
