"""A ring drawn as SVG: shops on the left, buyers on the right, a line for the orders between two. Pure."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import NamedTuple
from xml.etree import ElementTree as ET

import numpy as np

from services.risk.boosting import Floats
from shared.svg import GREY, INK, LINE, document, element, heading, shortened, text, written

MOST_MEMBERS = 200
# Of a side and a name: shops and buyers may be called the same.
Member = tuple[str, str]
SHOP, BUYER = "shop", "buyer"
_SWEEPS = 12
_WIDTH, _SHOPS_AT, _BUYERS_AT = 1_100, 310, 800
_TOP, _BOTTOM, _ROOMY, _TIGHT = 92, 56, 26, 17
_ROOMY_TO = 30
# Thinner and paler where there are many.
_THIN, _THICK, _THICK_OF_MANY = 1.0, 9.0, 5.0
_FEW_LINES = 400
_FILL = {SHOP: "#1d4e89", BUYER: "#c2571a"}


class Web(NamedTuple):
    """Who is in a ring: names of shops and buyers, and the orders of each pair of them."""

    shops: Sequence[str]
    buyers: Sequence[str]
    orders: Mapping[tuple[str, str], int]

    def members(self) -> list[Member]:
        """Return all of them, shops first."""
        return [*((SHOP, name) for name in self.shops), *((BUYER, name) for name in self.buyers)]


class Caption(NamedTuple):
    """What is said above a picture, of what it is part, and what a shop is called instead of its account."""

    title: str
    about: str
    labels: Mapping[str, str]


def densest(web: Web, most: int = MOST_MEMBERS) -> Web:
    """Return the part that is left when whoever has the fewest orders with the others goes, again and again.

    Which has half the density of the densest at least (Charikar 2000). Of several with as few the last by name goes.
    """
    members = web.members()
    if len(members) <= most:
        return web
    with_whom: dict[Member, dict[Member, int]] = defaultdict(dict)
    for (shop, buyer), count in web.orders.items():
        with_whom[SHOP, shop][BUYER, buyer] = with_whom[BUYER, buyer][SHOP, shop] = count
    places = {member: -place for place, member in enumerate(sorted(members))}
    own = {member: sum(with_whom[member].values()) for member in members}
    staying = set(members)
    heap = [(own[member], places[member], member) for member in members]
    heapify(heap)
    while len(staying) > most:
        orders, _, member = heappop(heap)
        if member not in staying or orders != own[member]:
            continue
        staying.remove(member)
        for other, count in with_whom[member].items():
            own[other] -= count
            heappush(heap, (own[other], places[other], other))
    return _within(web, staying)


def _within(web: Web, staying: set[Member]) -> Web:
    return Web(
        [name for name in web.shops if (SHOP, name) in staying],
        [name for name in web.buyers if (BUYER, name) in staying],
        {(s, b): n for (s, b), n in web.orders.items() if (SHOP, s) in staying and (BUYER, b) in staying},
    )


def arranged(web: Web) -> tuple[list[str], list[str]]:
    """Return shops and buyers from top to bottom, each near those it deals with.

    They begin where correspondence analysis puts them (Benzecri 1973), and go on by barycentres (Sugiyama 1981).
    """
    of_shops, of_buyers = _neighbours(web)
    shops, buyers = _corresponding(web)
    for _ in range(_SWEEPS):
        buyers = _by_barycentre(buyers, of_buyers, shops)
        shops = _by_barycentre(shops, of_shops, buyers)
    return shops, buyers


def _corresponding(web: Web) -> tuple[list[str], list[str]]:
    """Return shops and buyers in the order of the first factor of their orders."""
    shops, buyers = sorted(web.shops), sorted(web.buyers)
    counts = np.array([[web.orders.get((shop, buyer), 0) for buyer in buyers] for shop in shops], dtype=np.float64)
    if counts.size == 0:
        return shops, buyers
    rows, columns = (np.sqrt(np.maximum(counts.sum(axis=axis), 1)) for axis in (1, 0))
    left, sizes, right = np.linalg.svd(counts / rows[:, None] / columns, full_matrices=False)
    if len(sizes) < 2:
        return shops, buyers
    of_shops, of_buyers = left[:, 1] / rows, right[1] / columns
    # A factor may as well be turned round.
    turn = 1.0 if of_shops[np.argmax(np.abs(of_shops))] > 0 else -1.0
    return _ordered(shops, turn * of_shops), _ordered(buyers, turn * of_buyers)


def _ordered(names: Sequence[str], places: Floats) -> list[str]:
    return [name for _, name in sorted(zip(np.round(places, 9).tolist(), names, strict=True))]


def _neighbours(web: Web) -> tuple[dict[str, dict[str, int]], dict[str, dict[str, int]]]:
    of_shops: dict[str, dict[str, int]] = {name: {} for name in web.shops}
    of_buyers: dict[str, dict[str, int]] = {name: {} for name in web.buyers}
    for (shop, buyer), count in sorted(web.orders.items()):
        of_shops[shop][buyer] = of_buyers[buyer][shop] = count
    return of_shops, of_buyers


def _by_barycentre(own: Sequence[str], neighbours: Mapping[str, Mapping[str, int]], others: Sequence[str]) -> list[str]:
    at = {name: place / len(others) for place, name in enumerate(others)}
    stays = {name: place / len(own) for place, name in enumerate(own)}

    def centre(name: str) -> tuple[float, str]:
        weights = neighbours[name]
        total = sum(weights.values())
        found = sum(at[other] * count for other, count in weights.items()) / total if total else stays[name]
        # Sums come out the same whichever way they were added up.
        return round(found, 9), name

    return sorted(own, key=centre)


def picture(whole: Web, caption: Caption) -> bytes:
    """Return a ring as SVG; of one with more than 200 members the densest 200, which the picture says."""
    web = densest(whole)
    shops, buyers = arranged(web)
    most = max(len(shops), len(buyers), 1)
    inner = most * (_ROOMY if most <= _ROOMY_TO else _TIGHT)
    height = _TOP + inner + _BOTTOM
    shown = _shown(whole, web)
    root = document(_WIDTH, height, caption.title, f"{caption.about} {shown} {_described(web, caption)}")
    heading(root, caption.title, f"{caption.about} {shown}".strip())
    text(root, "text", "Shops", x=_SHOPS_AT, y=_TOP - 12, fill=_FILL[SHOP], **{"text-anchor": "end"})
    text(root, "text", "Buyers", x=_BUYERS_AT, y=_TOP - 12, fill=_FILL[BUYER])
    at_shops, at_buyers = _heights(shops, inner), _heights(buyers, inner)
    _lines(root, web, caption, at_shops, at_buyers)
    _nodes(root, SHOP, at_shops, caption.labels)
    _nodes(root, BUYER, at_buyers, {})
    _legend(root, web, height - 24)
    return written(root)


def _shown(whole: Web, web: Web) -> str:
    members = len(whole.shops) + len(whole.buyers)
    if len(web.shops) + len(web.buyers) == members:
        return ""
    return f"Shown are the densest {MOST_MEMBERS} of its {members:,} members."


def _described(web: Web, caption: Caption) -> str:
    """Return the strongest lines in words, for those who do not see them."""
    strongest = sorted(web.orders.items(), key=lambda one: (-one[1], one[0]))[:10]
    named = [f"{caption.labels.get(shop, shop)} and {buyer}: {count}" for (shop, buyer), count in strongest]
    return f"The most orders have {'; '.join(named)}." if named else "No orders between them are kept."


def _heights(names: Sequence[str], inner: int) -> dict[str, float]:
    return {name: round(_TOP + (place + 0.5) * inner / len(names), 1) for place, name in enumerate(names)}


def _lines(
    root: ET.Element, web: Web, caption: Caption, at_shops: Mapping[str, float], at_buyers: Mapping[str, float]
) -> None:
    most, opacity = max(web.orders.values(), default=1), 0.5 if len(web.orders) <= _FEW_LINES else 0.35
    drawn = element(root, "g", fill="none", stroke=LINE, **{"stroke-opacity": opacity, "stroke-linecap": "round"})
    bend = (_BUYERS_AT - _SHOPS_AT) / 5
    # The thick ones last, and so on top.
    for (shop, buyer), count in sorted(web.orders.items(), key=lambda one: (one[1], one[0])):
        start, end = at_shops[shop], at_buyers[buyer]
        bent = f"{_SHOPS_AT + bend:g} {start} {_BUYERS_AT - bend:g} {end}"
        curve = f"M{_SHOPS_AT + 10} {start}C{bent} {_BUYERS_AT - 10} {end}"
        line = element(drawn, "path", d=curve, **{"stroke-width": _thickness(count, most, len(web.orders))})
        text(line, "title", f"{caption.labels.get(shop, shop)} and {buyer}: {_orders(count)}")


def _nodes(root: ET.Element, side: str, heights: Mapping[str, float], labels: Mapping[str, str]) -> None:
    x, label_x, anchor = (
        (_SHOPS_AT + 6, _SHOPS_AT - 6, "end") if side == SHOP else (_BUYERS_AT - 6, _BUYERS_AT + 6, "start")
    )
    drawn = element(root, "g", fill=_FILL[side], **{"text-anchor": anchor})
    for name, y in heights.items():
        label = labels.get(name, name)
        one = element(drawn, "g")
        text(one, "title", label if label == name else f"{label} ({name})")
        element(one, "circle", cx=x, cy=y, r=4.5)
        text(one, "text", shortened(label), x=label_x, y=y + 4, fill=INK)


def _legend(root: ET.Element, web: Web, y: float) -> None:
    if not web.orders:
        return
    most = max(web.orders.values())
    drawn = element(root, "g", fill=GREY)
    x = 24
    for count in sorted({1, math.ceil(most / 2), most}):
        width = _thickness(count, most, len(web.orders))
        element(drawn, "path", d=f"M{x} {y - 4}h40", stroke=LINE, **{"stroke-width": width})
        text(drawn, "text", _orders(count), x=x + 50, y=y)
        x += 150


def _thickness(count: int, most: int, lines: int) -> float:
    share = (math.sqrt(count) - 1) / (math.sqrt(most) - 1) if most > 1 else 0.0
    thickest = _THICK if lines <= _FEW_LINES else _THICK_OF_MANY
    return round(_THIN + share * (min(thickest, _THIN + most - 1) - _THIN), 2)


def _orders(count: int) -> str:
    return f"{count:,} order{'' if count == 1 else 's'}"
