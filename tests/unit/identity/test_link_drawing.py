"""Hidden links as a picture: everybody in it, what speaks for each, and nothing that a name could start."""

from collections.abc import Sequence
from itertools import pairwise
from uuid import UUID
from xml.etree import ElementTree as ET

from services.identity.link_drawing import Line, Node, Web, picture

SVG = "{http://www.w3.org/2000/svg}"
CENTRE = Node(UUID(int=0), "Lamp Trading Ltd", "north", banned=False)


def node(number: int, label: str = "", *, banned: bool = False) -> Node:
    return Node(UUID(int=number), label or f"Firm {number}", "south", banned)


def line(a: int, b: int, score: float = 20.0, kinds: Sequence[str] = ("phone",)) -> Line:
    return Line(UUID(int=a), UUID(int=b), score, kinds)


def drawn(others: Sequence[Node], lines: Sequence[Line], linked: int | None = None) -> ET.Element:
    web = Web(CENTRE, others, len(others) if linked is None else linked, lines)
    return ET.fromstring(picture(web))  # noqa: S314 - our own


def texts(root: ET.Element, kind: str = "text") -> list[str]:
    return [found.text or "" for found in root.iter(SVG + kind)]


def heights(root: ET.Element) -> dict[str, tuple[float, float]]:
    """Return where each operator stands, by its title."""
    return {
        title.text or "": (float(circle.attrib["cx"]), float(circle.attrib["cy"]))
        for group in root.iter(SVG + "g")
        if (title := group.find(SVG + "title")) is not None and (circle := group.find(SVG + "circle")) is not None
    }


def test_has_everybody_and_a_line_for_each_link_as_thick_as_it_is_strong() -> None:
    root = drawn([node(1), node(2)], [line(0, 1, 40.0, ("bank account", "phone")), line(0, 2, 10.0), line(1, 2, 20.0)])

    found = {
        str(title.text): float(path.attrib["stroke-width"])
        for path in root.iter(SVG + "path")
        if (title := path.find(SVG + "title")) is not None
    }
    assert {"Lamp Trading Ltd", "Firm 1", "Firm 2"} <= set(texts(root))
    assert sorted(found, key=lambda said: found[said]) == [
        "Lamp Trading Ltd and Firm 2: phone (10.0 bits)",
        "Firm 1 and Firm 2: phone (20.0 bits)",
        "Lamp Trading Ltd and Firm 1: bank account, phone (40.0 bits)",
    ]
    assert {"bank account, phone", "south"} <= set(texts(root))
    assert "north; linked to 2 others." in texts(root)


def test_shows_who_was_banned() -> None:
    root = drawn([node(1, banned=True), node(2)], [line(0, 1), line(0, 2)])

    fills = {
        str(title.text).partition(" (")[0]: circle.attrib["fill"]
        for group in root.iter(SVG + "g")
        if (title := group.find(SVG + "title")) is not None and (circle := group.find(SVG + "circle")) is not None
    }
    assert fills["Firm 1"] not in {fills["Firm 2"], fills["Lamp Trading Ltd"]}


def test_of_many_nobody_stands_on_another_and_the_rest_is_counted() -> None:
    root = drawn([node(n) for n in range(1, 41)], [line(0, n) for n in range(1, 41)], linked=1_234)

    places = heights(root)
    height = float(root.attrib["height"])
    assert len(places) == len(set(places.values())) == 41
    assert all(80 < y < height - 40 for _, y in places.values())
    for side in {x for x, _ in places.values()}:
        column = sorted(y for x, y in places.values() if x == side)
        assert all(below - above >= 30 for above, below in pairwise(column))
    assert "linked to 1,234 others; shown are the 40 with the strongest links" in " ".join(texts(root))


def test_has_those_on_one_side_that_are_linked_to_each_other() -> None:
    root = drawn([node(n) for n in range(1, 7)], [*(line(0, n) for n in range(1, 7)), line(1, 5), line(5, 6)])

    at = {title.partition(" (")[0]: x for title, (x, _) in heights(root).items()}
    assert at["Firm 1"] == at["Firm 5"] == at["Firm 6"]
    assert at["Firm 2"] == at["Firm 3"] == at["Firm 4"]


def test_of_nobody_is_a_picture_too() -> None:
    root = drawn([], [])

    assert "north; linked to 0 others." in texts(root)


def test_has_names_as_text_only() -> None:
    nasty = '"><script>alert(1)</script>\x00\ud800'
    content = picture(Web(CENTRE, [node(1, nasty)], 1, [line(0, 1)]))

    root = ET.fromstring(content)  # noqa: S314 - our own
    assert b"<script" not in content
    assert any("<script>" in said for said in texts(root, "title"))
