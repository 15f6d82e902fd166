"""What a badge on a page is worth: whether it holds, and whether it is shown where it belongs. Pure."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from services.identity.badge_tokens import Badge
from services.identity.shop_pages import Page, page_of

Status = Literal["valid", "expired", "revoked", "forged", "wrong_shop", "cloned"]


class Check(NamedTuple):
    """A verdict in one word and in a sentence; `badge` is what it says, nothing where it is forged."""

    status: Status
    said: str
    badge: Badge | None = None


def forged(why: str) -> Check:
    """Return the verdict on what is no badge of ours."""
    return Check("forged", why)


def check(badge: Badge, *, revoked_at: datetime | None, page: str | None, now: datetime) -> Check:
    """Return the verdict on a badge whose signature holds, shown on a page if one is named."""
    if revoked_at is not None:
        return Check("revoked", f"it was revoked on {revoked_at.date()}", badge)
    if badge.expires_at <= now:
        return Check("expired", f"it expired on {badge.expires_at.date()}", badge)
    if page is None:
        return Check("valid", "it holds; no page was named to look at", badge)
    status, said = where(page, badge.shops)
    return Check(status, said, badge)


def where(page: str, shops: Sequence[str]) -> tuple[Status, str]:
    """Tell whether a page is of one of the shops, of another shop beside one of them, or of another site."""
    shown = page_of(page)
    if shown is None:
        return "cloned", "the address of the page is none on the web"
    fronts = [front for shop in shops if (front := page_of(shop)) is not None]
    if any(shown.is_within(front) for front in fronts):
        return "valid", "it holds, and the page is of a shop it names"
    if any(shown.host == front.host for front in fronts):
        return "wrong_shop", "it is of another shop on the same platform"
    return "cloned", f"it names no shop at {_named(shown)}: a copy of a badge from elsewhere"


def _named(page: Page) -> str:
    return page.host[:100]
