"""A ring as a picture: the same each time, legible, with nothing in it that a name could start."""

from collections.abc import Iterator
from random import Random
from xml.etree import ElementTree as ET

import pytest

from services.risk.ring_drawing import MOST_MEMBERS, Caption, Web, arranged, densest, picture

SVG = "{http://www.w3.org/2000/svg}"
CAPTION = Caption("Ring of 3 buyers and 2 shops of north", "5 orders.", {"s1": "corner shop"})


def web(**orders: int) -> Web:
    """Return a ring of orders named `shop_buyer`."""
    pairs = {(name.partition("_")[0], name.partition("_")[2]): count for name, count in orders.items()}
    return Web(sorted({shop for shop, _ in pairs}), sorted({buyer for _, buyer in pairs}), pairs)


def crowd(shops: int, buyers: int, *, seed: int = 1, share: float = 0.3) -> Web:
    """Return a large ring."""
    random = Random(seed)
    orders = {
        (f"s{s}", f"b{b}"): random.randint(1, 9) for s in range(shops) for b in range(buyers) if random.random() < share
    }
    return Web([f"s{n}" for n in range(shops)], [f"b{n}" for n in range(buyers)], orders)


def drawn(one: Web, caption: Caption = CAPTION) -> ET.Element:
    return ET.fromstring(picture(one, caption))  # noqa: S314 - our own


def texts(root: ET.Element, kind: str = "text") -> list[str]:
    return [found.text or "" for found in root.iter(SVG + kind)]


def widths(root: ET.Element) -> Iterator[tuple[str, float]]:
    """Yield of each line between two what it says and how thick it is."""
    for line in root.iter(SVG + "path"):
        title = line.find(SVG + "title")
        if title is not None:
            yield str(title.text), float(line.attrib["stroke-width"])


class TestPicture:
    def test_has_each_member_and_a_line_for_each_pair_as_thick_as_its_orders(self) -> None:
        root = drawn(web(s1_a=1, s1_b=4, s2_b=9, s2_c=1))

        assert {"corner shop", "s2", "a", "b", "c"} <= set(texts(root))
        found = dict(widths(root))
        assert found.keys() == {
            "corner shop and a: 1 order",
            "corner shop and b: 4 orders",
            "s2 and b: 9 orders",
            "s2 and c: 1 order",
        }
        assert found["s2 and c: 1 order"] == found["corner shop and a: 1 order"] == 1
        assert 1 < found["corner shop and b: 4 orders"] < found["s2 and b: 9 orders"]

    def test_says_what_it_shows_to_those_who_do_not_see_it(self) -> None:
        root = drawn(web(s1_a=1, s2_b=9))

        assert (root.attrib["role"], root.attrib["aria-labelledby"]) == ("img", "title desc")
        title, desc = root[0], root[1]
        assert (title.tag, title.attrib["id"], title.text) == (f"{SVG}title", "title", CAPTION.title)
        assert (desc.tag, desc.attrib["id"]) == (f"{SVG}desc", "desc")
        assert "s2 and b: 9; corner shop and a: 1" in str(desc.text)

    def test_is_the_same_however_orders_were_found(self) -> None:
        one = crowd(12, 30)
        pairs = list(one.orders.items())
        Random(4).shuffle(pairs)
        other = Web(one.shops[::-1], one.buyers[::-1], dict(pairs))

        assert picture(other, CAPTION) == picture(one, CAPTION)

    @pytest.mark.parametrize(
        "name",
        ["<script>alert(1)</script>", '"/><image href="//x"/>', "a&b", "\x00\x1b\ud800\ufffe", "买家&老王", "x" * 500],
    )
    def test_shows_names_and_nothing_that_they_might_be(self, name: str) -> None:
        content = picture(Web([name], [name], {(name, name): 2}), Caption(name, name, {name: name}))

        root = ET.fromstring(content)  # noqa: S314 - our own
        tags = {element.tag.removeprefix(SVG) for element in root.iter()}
        assert tags <= {"svg", "title", "desc", "rect", "g", "path", "circle", "text"}
        assert not any(key.startswith("on") or "href" in key for element in root.iter() for key in element.attrib)
        assert max(map(len, texts(root)[4:])) <= 38

    def test_of_a_ring_whose_orders_are_not_kept_says_so(self) -> None:
        root = drawn(Web(["s1"], ["a"], {}))

        assert list(widths(root)) == []
        assert "No orders between them are kept" in str(root[1].text)

    def test_has_room_for_each_name(self) -> None:
        root = drawn(crowd(50, 150))

        heights = sorted(float(one.attrib["cy"]) for one in root.iter(SVG + "circle"))
        by_side: dict[str, list[float]] = {}
        for one in root.iter(SVG + "circle"):
            by_side.setdefault(one.attrib["cx"], []).append(float(one.attrib["cy"]))
        gaps = [b - a for side in by_side.values() for a, b in zip(sorted(side), sorted(side)[1:], strict=False)]
        assert (len(heights), sorted(map(len, by_side.values()))) == (200, [50, 150])
        assert min(gaps) >= 16
        assert heights[-1] < float(root.attrib["height"])


class TestDensest:
    def test_is_all_of_a_ring_that_is_no_larger(self) -> None:
        one = crowd(20, MOST_MEMBERS - 20)

        assert densest(one) is one
        assert not [text for text in texts(drawn(one)) if "densest" in text]

    def test_leaves_out_those_with_the_fewest_orders_and_says_so(self) -> None:
        core = crowd(30, 60, share=0.9)
        fringe = {(f"s{n % 30}", f"z{n}"): 1 for n in range(400)}
        whole = Web(core.shops, [*core.buyers, *(f"z{n}" for n in range(400))], {**core.orders, **fringe})

        found = densest(whole)

        assert len(found.shops) + len(found.buyers) == MOST_MEMBERS
        assert set(core.shops) == set(found.shops)
        assert set(core.buyers) <= set(found.buyers)
        assert found.orders.keys() == {(s, b) for s, b in whole.orders if s in found.shops and b in found.buyers}
        assert any("Shown are the densest 200 of its 490 members." in text for text in texts(drawn(whole)))

    def test_lets_a_weak_member_take_those_along_who_only_deal_with_it(self) -> None:
        one = web(s1_a=5, s1_b=5, s2_a=5, s2_b=5, s3_c=9)

        found = densest(one, 4)

        assert (sorted(found.shops), sorted(found.buyers)) == (["s1", "s2"], ["a", "b"])


class TestArranged:
    def test_puts_those_who_deal_with_each_other_side_by_side(self) -> None:
        shops, buyers = arranged(web(s1_x=3, s1_y=3, s2_a=3, s2_b=3, s3_x=3, s3_y=3, s4_a=3, s4_b=3))

        assert {frozenset(shops[:2]), frozenset(shops[2:])} == {frozenset({"s1", "s3"}), frozenset({"s2", "s4"})}
        assert {frozenset(buyers[:2]), frozenset(buyers[2:])} == {frozenset({"x", "y"}), frozenset({"a", "b"})}
        assert (shops[0] in ("s1", "s3")) == (buyers[0] in ("x", "y"))
