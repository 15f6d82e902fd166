"""What a web page shows: its text, its links and its images, without what visitors do not see. Pure.

A page is a stranger's: nothing in it is fetched, expanded or run, and elements deeper than libxml2 lets them be (256)
are not read. Style sheets count as far as a page hides a class or an id by one of its own.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import lxml.html
from lxml import etree

_MOST_LINKS = 4_000
_MOST_PARTS = 50
_NEVER_SHOWN = frozenset(
    {"script", "style", "template", "noscript", "head", "title", "meta", "link", "object", "applet", "param"}
    | {"iframe", "frame", "noframes", "datalist"}
)
_INLINE = frozenset(
    {"a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "em", "font", "i", "img", "ins", "kbd", "label"}
    | {"mark", "nobr", "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "tt", "u", "var", "wbr"}
)
_HIDING = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)|opacity\s*:\s*0?\.?0*\s*(?:;|!|$)"
    r"|font-size\s*:\s*0(?:px|em|rem|pt|%)?\s*(?:;|!|$)|(?:text-indent|left|top)\s*:\s*-\d{4,}",
    re.IGNORECASE,
)
_RULE = re.compile(r"([^{}@]{1,300})\{([^{}]{0,2000})\}")
_SELECTOR = re.compile(r"([.#])([\w-]{1,80})")
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


# A tag from its name on, over what is quoted in it; what follows a quote without an end is left out.
_TAG = re.compile(r"""<[a-zA-Z](?>[^<>"']+|"[^"]*"|'[^']*')*""")
# libxml2 compares each attribute of a tag with all before it: 60,000 of them took it 5 to 8 seconds.
_LONG_TAG, _MOST_WORDS = 10_000, 5_000


class Link(NamedTuple):
    """Where a link leads, the words it shows (images' among them), and where it is."""

    target: str
    words: str
    element: Any  # lxml ships no types
    offset: int


class Image(NamedTuple):
    """An image's own words, what its names hint at, and where it is."""

    words: str
    hints: str
    element: Any
    offset: int


@dataclass
class Shown:
    """A page as its visitors see it; `elements` hold the parts of its text, by where each of them begins."""

    text: str = ""
    links: list[Link] = field(default_factory=list)
    images: list[Image] = field(default_factory=list)
    tokens: list[Link] = field(default_factory=list)
    too_deep: bool = False
    # A tag has more attributes than a page needs: it was not read.
    tangled: bool = False
    starts: list[int] = field(default_factory=list)
    elements: list[Any] = field(default_factory=list)

    def path_at(self, offset: int) -> str:
        """Return the place in the page (XPath) of a place in its text."""
        place = bisect_right(self.starts, offset) - 1
        return path_of(self.elements[place]) if place >= 0 else "/"


def path_of(element: Any) -> str:
    """Return the place of an element in its page (XPath). It looks at what stands beside it: asked for few only."""
    return str(element.getroottree().getpath(element))[:500]


def read(html: str) -> Shown:
    """Return what a page shows."""
    if _is_tangled(html):
        return Shown(tangled=True)
    # A parser of its own for each page: its log is of that page, and threads do not share one.
    parser = lxml.html.HTMLParser(
        encoding="utf-8", no_network=True, remove_comments=True, remove_pis=True, huge_tree=False
    )
    content = html.replace("\0", "\ufffd").encode("utf-8", "replace")
    try:
        root = lxml.html.document_fromstring(content, parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError):
        # Nothing at all, or nothing but comments.
        return Shown()
    reading = _Reading(root)
    reading.shown.too_deep = any("depth" in entry.message.lower() for entry in parser.error_log)
    return reading.shown


def _is_tangled(html: str) -> bool:
    """Tell whether a tag has so many attributes that reading it is work for seconds."""
    long_tags = (found for found in _TAG.finditer(html) if found.end() - found.start() > _LONG_TAG)
    return any(len(found[0].split(maxsplit=_MOST_WORDS)) > _MOST_WORDS for found in long_tags)


class _Reading:
    """One walk over a page."""

    def __init__(self, root: Any) -> None:  # lxml ships no types
        self.shown = Shown()
        self._hidden = _hidden_by_style(root)
        self._parts: list[str] = []
        self._length = 0
        self._links: list[tuple[Any, int, int]] = []
        self._walk(root)
        self.shown.text = "".join(self._parts)

    def _walk(self, root: Any) -> None:
        skipped = None
        for event, element in etree.iterwalk(root, events=("start", "end")):
            if skipped is None and event == "start":
                if self._is_hidden(element):
                    skipped = element
                else:
                    self._begin(element)
            elif event == "end":
                if skipped is None:
                    self._end(element)
                elif skipped is element:
                    skipped = None
                if skipped is None and element is not root:
                    self._add(element.tail, element.getparent())

    def _is_hidden(self, element: Any) -> bool:
        attributes = element.attrib
        if element.tag in _NEVER_SHOWN or "hidden" in attributes:
            return True
        if element.tag == "input" and attributes.get("type", "").lower() == "hidden":
            return True
        style = attributes.get("style")
        if style and _HIDING.search(_COMMENT.sub("", style)):
            return True
        if not self._hidden:
            return False
        return f"#{attributes.get('id')}" in self._hidden or any(
            f".{name}" in self._hidden for name in attributes.get("class", "").split()
        )

    def _begin(self, element: Any) -> None:
        if element.tag not in _INLINE:
            self._break()
        if element.tag == "a" and len(self._links) < _MOST_LINKS:
            self._links.append((element, len(self._parts), self._length))
        if element.tag == "img":
            self._image(element)
        if (token := element.attrib.get("data-crosswatch-badge")) is not None:
            self.shown.tokens.append(Link(token, "", element, self._length))
        self._add(element.text, element)

    def _end(self, element: Any) -> None:
        if element.tag == "a" and self._links and self._links[-1][0] is element:
            _, part, offset = self._links.pop()
            title = element.attrib.get("title", "")
            words = f"{''.join(self._parts[part : part + _MOST_PARTS])} {title}".strip()[:300]
            if len(self.shown.links) < _MOST_LINKS:
                self.shown.links.append(Link(element.attrib.get("href", ""), words, element, offset))
        if element.tag not in _INLINE:
            self._break()

    def _image(self, element: Any) -> None:
        attributes = element.attrib
        words = " ".join(filter(None, (attributes.get("alt"), attributes.get("title")))).strip()
        around = element.getparent()
        names = (attributes.get("src", "")[:300], attributes.get("class"), attributes.get("id"))
        hints = " ".join(filter(None, (*names, around.attrib.get("href", "")[:300] if around is not None else None)))
        if len(self.shown.images) < _MOST_LINKS:
            self.shown.images.append(Image(words, hints, element, self._length))
        # What an image says in words is said.
        self._add(words, element)

    def _add(self, text: str | None, element: Any) -> None:
        if not text or not text.strip():
            if text and self._parts and not self._parts[-1].endswith((" ", "\n")):
                self._parts.append(" ")
                self._length += 1
            return
        self.shown.starts.append(self._length)
        self.shown.elements.append(element)
        self._parts.append(text)
        self._length += len(text)

    def _break(self) -> None:
        if self._parts and self._parts[-1] != "\n":
            self._parts.append("\n")
            self._length += 1


def _hidden_by_style(root: Any) -> frozenset[str]:
    """Return the classes and ids that the page's own style sheets hide on every screen."""
    found = set()
    for element in root.iter("style"):
        for selectors, rule in _RULE.findall(_outside_conditions(_COMMENT.sub("", element.text or ""))):
            if _HIDING.search(rule):
                found |= {one for part in selectors.split(",") if (one := _single(part)) is not None}
    return frozenset(found)


def _single(selector: str) -> str | None:
    found = _SELECTOR.fullmatch(selector.strip())
    return f"{found[1]}{found[2]}" if found else None


def _outside_conditions(sheet: str) -> str:
    """Return a style sheet without what holds only under a condition, such as on narrow screens."""
    return "".join(_outside(sheet))


def _outside(sheet: str) -> Iterator[str]:
    depth, conditional, start = 0, False, 0
    for sign in re.finditer(r"[{}@;]", sheet):
        if sign[0] == "@" and depth == 0 and not conditional:
            yield sheet[start : sign.start()]
            conditional = True
        elif sign[0] == "{":
            depth += 1
        elif sign[0] == "}":
            depth = max(depth - 1, 0)
        if conditional and depth == 0 and sign[0] in "};":
            conditional, start = False, sign.end()
    if not conditional:
        yield sheet[start:]
