"""What a platform's home page shows of what it has to: four items, each worth points by the values of its day. Pure."""

from collections.abc import Mapping, Sequence
from typing import Literal, NamedTuple

from shared.events.pages import MarkKind, PageMark
from shared.rule_values import Value

Status = Literal["shown", "linked", "malformed", "not_readable", "missing"]
Item = Literal["licence", "icp", "address", "contacts"]

ITEMS: tuple[Item, ...] = ("licence", "icp", "address", "contacts")
_KINDS: Mapping[Item, tuple[MarkKind, ...]] = {
    "licence": ("number", "badge", "register_link", "licence_link", "image"),
    "icp": ("icp",),
    "address": ("address",),
    "contacts": ("contact",),
}
_LINKS = frozenset({"register_link", "licence_link", "badge"})
_COUNTS = frozenset({"shown", "linked"})
# The best of what a page has of an item counts.
_BEST: tuple[Status, ...] = ("shown", "linked", "malformed", "not_readable")


class Checked(NamedTuple):
    """One item: whether it is shown, what of its points that gives, by which article, and where it is seen."""

    item: Item
    status: Status
    code: str | None
    points: float
    most_points: float
    source: str
    excerpt: str
    path: str
    offset: int


def checked(marks: Sequence[PageMark], rules: Mapping[Item, Value]) -> list[Checked]:
    """Return the items that were asked for on a day, each by the best mark there is of it."""
    return [_checked(item, marks, rules[item]) for item in ITEMS if item in rules]


def score(items: Sequence[Checked]) -> float | None:
    """Return the share of the points in hundredths; None before anything was asked for."""
    most = sum(item.most_points for item in items)
    return round(100 * sum(item.points for item in items) / most, 1) if most else None


def _checked(item: Item, marks: Sequence[PageMark], rule: Value) -> Checked:
    own = [(mark, _status(mark)) for mark in marks if mark.kind in _KINDS[item]]
    if not own:
        return Checked(item, "missing", f"{item}_missing", 0.0, rule.value, rule.source, "", "", 0)
    mark, status = min(own, key=lambda one: (_BEST.index(one[1]), one[0].offset))
    points = rule.value if status in _COUNTS else 0.0
    return Checked(item, status, mark.code, points, rule.value, rule.source, mark.excerpt, mark.path, mark.offset)


def _status(mark: PageMark) -> Status:
    if mark.kind == "image":
        return "not_readable"
    if mark.code is not None:
        return "malformed"
    return "linked" if mark.kind in _LINKS else "shown"
