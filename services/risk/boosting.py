"""LightGBM where it is needed, and what a scored thing comes to."""

from typing import Any, NamedTuple

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
