"""Currencies of ISO 4217: which exist, and how many minor units make one."""

from functools import lru_cache

import iso4217

_CODES = frozenset(currency.code for currency in iso4217.Currency)


def is_currency(code: str) -> bool:
    """Tell whether an alphabetic code names a currency of ISO 4217."""
    return code in _CODES


@lru_cache(maxsize=256)
def minor_units(code: str) -> int:
    """Return how many minor units make one unit: 100 for CNY, 1 for JPY."""
    exponent: int = iso4217.Currency(code).exponent or 0
    return int(10**exponent)
