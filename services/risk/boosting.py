"""LightGBM where it is needed, and what a scored thing comes to."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from shared.errors import Unavailable


class Ranked(NamedTuple):
    """How suspicious a thing is, from 0 to 1, and what speaks for it, the strongest first."""

    score: float
    reasons: list[str]


def load() -> Any:
    """Return LightGBM, which the services start without. Raises Unavailable where it cannot be loaded."""
    try:
        import lightgbm  # noqa: PLC0415 - its wheel needs a system library that may be missing
    except OSError as error:
        raise Unavailable(f"LightGBM cannot be loaded: {error} (Debian: apt-get install libgomp1)") from error
    return lightgbm


def reasons(features: Sequence[str], row: Sequence[float], contributions: npt.NDArray[np.float64]) -> list[str]:
    """Return the three features that raise a score most, with their values and what they add (log odds).

    The last contribution is that of no feature; all of them add up to the score before it becomes a probability.
    """
    return [f"{features[i]}={row[i]:.4g} ({contributions[i]:+.2f})" for i in np.argsort(-contributions[:-1])[:3]]
