"""What a shop's page is worth as a display of its operator's licence. Pure."""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal, NamedTuple

from services.identity.badge_checks import Status
from shared.events.pages import PageMark

Finding = Literal["displayed", "violated", "not_judged"]

# Of badges that are a fault whatever else a page shows.
_FALSE = frozenset({"forged", "revoked", "wrong_shop", "cloned"})
_UNREADABLE = frozenset({"page_too_deep", "page_tangled", "page_shows_nothing"})


class Expected(NamedTuple):
    """What a page has to show on its day.

    `fits` tells whether the blind form of a number is of the operator, whose number may not be known; `is_exempt`
    whether it may say instead that it need not register; `is_expired` whether its licence had run out.
    """

    fits: Callable[[str], bool]
    is_known: bool
    is_exempt: bool
    is_expired: bool


class Verdict(NamedTuple):
    """What a page came to, and why by codes."""

    finding: Finding
    codes: list[str]


def judge(
    marks: Sequence[PageMark], issues: Sequence[str], badges: Sequence[tuple[PageMark, Status]], expected: Expected
) -> Verdict:
    """Return what a page is worth: shown once is shown, whatever else stands there, but for badges that are false."""
    false = sorted({f"badge_{status}" for _, status in badges if status in _FALSE})
    shown = list(dict.fromkeys(_shown(marks, badges, expected)))
    if false:
        return Verdict("violated", false)
    if shown and expected.is_expired:
        return Verdict("violated", ["licence_expired"])
    if shown:
        return Verdict("displayed", shown)
    faults = sorted(set(_faults(marks, badges, expected)))
    if faults:
        return Verdict("violated", faults)
    if unreadable := sorted(_UNREADABLE.intersection(issues)):
        return Verdict("not_judged", unreadable)
    return Verdict("violated", ["licence_missing"])


def _shown(marks: Sequence[PageMark], badges: Sequence[tuple[PageMark, Status]], expected: Expected) -> Iterable[str]:
    """Say by what a page shows the licence."""
    numbers = [mark for mark in marks if mark.kind == "number"]
    if any(mark.code in (None, "number_old_kind") and _fits(mark, expected) for mark in numbers):
        yield "licence_shown"
    if not expected.is_known and any(mark.code is None for mark in numbers):
        yield "number_not_comparable"
    if any(status == "valid" for _, status in badges):
        yield "badge_shown"
    if expected.is_exempt and any(mark.kind == "exemption" for mark in marks):
        yield "exemption_stated"
    is_wrong = any(mark.code is not None for mark in numbers)
    yield from (code for mark in marks if (code := _linked(mark, expected, is_wrong=is_wrong)) is not None)


def _linked(mark: PageMark, expected: Expected, *, is_wrong: bool) -> str | None:
    """Say what kind of link shows the licence. One that names no number counts unless a number is written wrong."""
    if mark.kind == "register_link" and mark.code is None and mark.blind is not None:
        return "register_linked" if _fits(mark, expected) else None
    if is_wrong or mark.code is not None:
        return None
    return {"register_link": "register_linked", "licence_link": "licence_linked"}.get(mark.kind)


def _faults(marks: Sequence[PageMark], badges: Sequence[tuple[PageMark, Status]], expected: Expected) -> Iterable[str]:
    for mark in marks:
        is_number = mark.kind == "number" or (mark.kind == "register_link" and mark.blind is not None)
        if mark.code is not None and mark.kind in ("number", "register_link", "image"):
            yield mark.code
        elif is_number and expected.is_known and not _fits(mark, expected):
            yield "licence_of_another"
        elif mark.kind == "exemption" and not expected.is_exempt:
            yield "exemption_not_due"
    if any(status == "expired" for _, status in badges):
        yield "badge_expired"


def _fits(mark: PageMark, expected: Expected) -> bool:
    return mark.blind is not None and expected.fits(mark.blind)
