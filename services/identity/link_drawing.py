"""An operator's hidden links drawn as SVG: itself in the middle, whom it is linked to on both sides. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple
from uuid import UUID
from xml.etree import ElementTree as ET

from shared.svg import GREY, INK, LINE, document, element, heading, shortened, text, written

MOST_OTHERS = 40
_WIDTH, _MIDDLE, _LEFT, _RIGHT = 1_160, 580, 350, 810
_TOP, _BOTTOM, _ROW = 92, 60, 56
_OWN, _OTHER, _BANNED = "#1d4e89", "#52606d", "#b42318"
_THIN, _THICK = 1.5, 7.0


class Node(NamedTuple):
    """An operator: how it is called, what else is said of it, and whether an account of its was banned."""

    id: UUID
    label: str
    about: str
    banned: bool


class Line(NamedTuple):
    """A link of two operators: its score in bits, and what speaks for it, the weightiest first."""

    a: UUID
    b: UUID
    score: float
    kinds: Sequence[str]


class Web(NamedTuple):
    """An operator, the strongest of those it is linked to, how many it is linked to in all, and all their links."""

    centre: Node
    others: Sequence[Node]
    linked: int
    lines: Sequence[Line]


class _Place(NamedTuple):
    x: float
    y: float

    @property
    def outwards(self) -> int:
        """Return the direction away from the middle: -1 is left."""
        return -1 if self.x < _MIDDLE else 1


def picture(web: Web) -> bytes:
    """Return an operator's links as SVG; of more than forty the strongest, which the picture says."""
    sides = _sides(web)
    inner = max(*(len(side) for side in sides), 2) * _ROW
    height = _TOP + inner + _BOTTOM
    title, about = f"Hidden links of {web.centre.label}", _about(web)
    root = document(_WIDTH, height, title, f"{about} {_described(web)}".strip())
    heading(root, title, about)
    places = dict(chain(_column(sides[0], _LEFT, inner), _column(sides[1], _RIGHT, inner)))
    places[web.centre.id] = _Place(_MIDDLE, _TOP + inner / 2)
    names = {node.id: node.label for node in (web.centre, *web.others)}
    _draw_lines(root, web, places, names)
    own = {line.b if line.a == web.centre.id else line.a: line for line in web.lines if web.centre.id in line[:2]}
    for node in web.others:
        _draw_node(root, node, places[node.id], own.get(node.id))
    _draw_centre(root, web.centre, places[web.centre.id])
    _draw_legend(root, height - 22)
    return written(root)


def _about(web: Web) -> str:
    said = [web.centre.about, f"linked to {web.linked:,} other{'' if web.linked == 1 else 's'}"]
    if web.linked > len(web.others):
        said.append(f"shown are the {len(web.others)} with the strongest links")
    return f"{'; '.join(part for part in said if part)}."


def _described(web: Web) -> str:
    """Return the links in words, for those who do not see them."""
    names = {node.id: node.label for node in (web.centre, *web.others)}
    found = [f"{names[line.a]} and {names[line.b]}: {', '.join(line.kinds)}" for line in web.lines[:10]]
    return f"The strongest links: {'; '.join(found)}." if found else ""


def _sides(web: Web) -> tuple[list[Node], list[Node]]:
    """Return who is on the left and on the right: those that are linked to each other side by side, if it can be."""
    groups = _groups(web)
    ordered = sorted(web.others, key=lambda node: groups[node.id])
    half = (len(ordered) + 1) // 2
    return ordered[:half], ordered[half:]


def _groups(web: Web) -> Mapping[UUID, int]:
    """Return of each of the others the place of the first one that it hangs together with, without the middle."""
    group = {node.id: place for place, node in enumerate(web.others)}
    for line in web.lines:
        if web.centre.id not in line[:2]:
            one, other = sorted((group[line.a], group[line.b]))
            group = {node: one if place == other else place for node, place in group.items()}
    return group


def _column(nodes: Sequence[Node], x: float, inner: float) -> Iterator[tuple[UUID, _Place]]:
    for place, node in enumerate(nodes):
        yield node.id, _Place(x, round(_TOP + (place + 0.5) * inner / len(nodes), 1))


def _draw_lines(root: ET.Element, web: Web, places: Mapping[UUID, _Place], names: Mapping[UUID, str]) -> None:
    drawn = element(root, "g", fill="none", stroke=LINE, **{"stroke-opacity": 0.6, "stroke-linecap": "round"})
    most = max((line.score for line in web.lines), default=1.0)
    for line in sorted(web.lines, key=lambda one: one.score):
        width = round(_THIN + (_THICK - _THIN) * line.score / most, 2)
        one = element(drawn, "path", d=_curve(places[line.a], places[line.b]), **{"stroke-width": width})
        text(one, "title", f"{names[line.a]} and {names[line.b]}: {', '.join(line.kinds)} ({line.score:.1f} bits)")


def _curve(a: _Place, b: _Place) -> str:
    if a.x != b.x:
        return f"M{a.x} {a.y}L{b.x} {b.y}"
    # On one side, towards the middle, and further the further they are from each other.
    bent = a.x - a.outwards * min(150.0, 40 + abs(a.y - b.y) / 3)
    return f"M{a.x} {a.y}C{bent:g} {a.y} {bent:g} {b.y} {b.x} {b.y}"


def _draw_node(root: ET.Element, node: Node, at: _Place, line: Line | None) -> None:
    drawn = element(root, "g", **{"text-anchor": "start" if at.outwards > 0 else "end"})
    text(drawn, "title", f"{node.label} ({node.id})")
    element(drawn, "circle", cx=at.x, cy=at.y, r=7, fill=_BANNED if node.banned else _OTHER)
    x = at.x + 14 * at.outwards
    text(drawn, "text", shortened(node.label), x=x, y=at.y - 9, fill=_BANNED if node.banned else INK)
    said = ", ".join(line.kinds) if line is not None else ""
    for below, part in ((6, said), (21, node.about)):
        text(drawn, "text", shortened(part, 52), x=x, y=at.y + below, fill=GREY)


def _draw_centre(root: ET.Element, node: Node, at: _Place) -> None:
    drawn = element(root, "g", **{"text-anchor": "middle"})
    text(drawn, "title", f"{node.label} ({node.id})")
    element(drawn, "circle", cx=at.x, cy=at.y, r=11, fill=_BANNED if node.banned else _OWN)
    # On a strip of white, so that lines do not run through it.
    stroke = {"stroke-width": 5, "paint-order": "stroke", "font-weight": "bold"}
    text(drawn, "text", shortened(node.label), x=at.x, y=at.y + 30, fill=INK, stroke="#ffffff", **stroke)


def _draw_legend(root: ET.Element, y: float) -> None:
    drawn = element(root, "g", fill=GREY)
    for x, fill, said in ((30, _BANNED, "an account was banned"), (200, _OTHER, "not banned")):
        element(drawn, "circle", cx=x, cy=y - 4, r=6, fill=fill)
        text(drawn, "text", said, x=x + 12, y=y)
    element(drawn, "path", d=f"M310 {y - 4}h40", stroke=LINE, **{"stroke-width": _THICK})
    text(drawn, "text", "the thicker, the more speaks for it", x=360, y=y)
