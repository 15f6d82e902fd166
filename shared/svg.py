"""Pictures as SVG, built element by element: no text that comes from outside can be anything but text. Pure."""

import re
from xml.etree import ElementTree as ET

NAMESPACE = "http://www.w3.org/2000/svg"
INK, GREY, LINE = "#1f2933", "#52606d", "#7b8794"
# What XML has no place for, and half a pair of surrogates.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def document(width: int, height: int, title: str, described: str) -> ET.Element:
    """Return an empty picture, white, with what it is and shows for those who do not see it."""
    root = element(
        None,
        "svg",
        xmlns=NAMESPACE,
        viewBox=f"0 0 {width} {height}",
        width=width,
        height=height,
        role="img",
        **{"aria-labelledby": "title desc", "font-family": "sans-serif", "font-size": 12},
    )
    text(root, "title", title, id="title")
    text(root, "desc", described, id="desc")
    element(root, "rect", width=width, height=height, fill="#ffffff")
    return root


def heading(root: ET.Element, title: str, about: str) -> None:
    """Write a title and a line below it at the top of a picture."""
    text(root, "text", title, x=24, y=32, fill=INK, **{"font-size": 18, "font-weight": "bold"})
    text(root, "text", about, x=24, y=54, fill=GREY)


def element(parent: ET.Element | None, name: str, **attributes: object) -> ET.Element:
    """Add an element."""
    texts = {key: str(value) for key, value in attributes.items()}
    return ET.Element(name, texts) if parent is None else ET.SubElement(parent, name, texts)


def text(parent: ET.Element, name: str, content: str, **attributes: object) -> None:
    """Add an element with a text; what XML cannot hold is shown as U+FFFD."""
    element(parent, name, **attributes).text = _NOT_XML.sub("\ufffd", content)


def shortened(label: str, most: int = 38) -> str:
    """Return a label of so many signs at the most, that fits beside a node."""
    return label if len(label) <= most else f"{label[: most - 1]}…"


def written(root: ET.Element) -> bytes:
    """Return a picture as a file."""
    content: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return content
