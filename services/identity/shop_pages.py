"""Addresses of shops and pages as browsers read them (WHATWG URL), and which page belongs to which shop. Pure."""

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from ada_url import URL

_WEB = frozenset({"http:", "https:"})
_MOST = 2_000


class Page(NamedTuple):
    """Where a page is: its host with a port that is not the usual one, and its path without a slash at its end."""

    host: str
    path: str

    @property
    def text(self) -> str:
        """Return it as it is stored and looked up."""
        return f"{self.host}{self.path}"

    def is_within(self, shop: "Page") -> bool:
        """Tell whether a page is a shop's front page or lies under it."""
        return self.host == shop.host and (self.path == shop.path or self.path.startswith(f"{shop.path}/"))

    def fronts(self) -> list[str]:
        """Return the texts of all pages it lies under, itself first."""
        parts = self.path.split("/")
        return [f"{self.host}{'/'.join(parts[:count])}" for count in range(len(parts), 0, -1)]


@lru_cache(maxsize=10_000)
def page_of(address: str) -> Page | None:
    """Return the page of an address; None for what is none on the web.

    Scheme, user, query and fragment do not count: a copy of a shop's page does not get better by another query.
    """
    if len(address) > _MOST:
        return None
    try:
        url = URL(address.strip())
    except ValueError:
        return None
    if url.protocol not in _WEB or not url.hostname:
        return None
    return Page(url.host.removesuffix("."), url.pathname.rstrip("/"))


def addresses_of(urls: Iterable[str] | None) -> frozenset[str]:
    """Return the texts of the pages of addresses, without those that are none on the web."""
    return frozenset(page.text for page in map(page_of, urls or ()) if page is not None)
