"""Folds of labelled things, so that no model scores what it has learned from."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import xxhash


def deal(names: Sequence[str], truths: Sequence[bool | None], folds: int, *, partition: int) -> npt.NDArray[np.intp]:
    """Deal the things of each class out to the folds, in the order of a hash of their names."""
    hashes = [xxhash.xxh64_intdigest(name.encode(), seed=partition) for name in names]
    dealt = np.empty(len(names), dtype=np.intp)
    for truth in (True, False, None):
        rows = sorted((row for row, own in enumerate(truths) if own is truth), key=hashes.__getitem__)
        dealt[rows] = np.arange(len(rows)) % folds
    return dealt
