"""Snapshots of web pages that platforms send, and what identity's door keeps of them."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta, Struct

from shared.events.platform import PlatformEvent, Zoned

PageKind = Literal["home", "shop"]
MarkKind = Literal[
    "number", "badge", "register_link", "licence_link", "image", "exemption", "icp", "address", "contact"
]


class PageMark(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A legal notice on a page: what it says with numbers masked, what is wrong with it, and where it stands."""

    kind: MarkKind
    said: str = ""
    code: str | None = None
    # Of a number: equal for equal ones, and no number. Of a badge: its signed text.
    blind: str | None = None
    token: str | None = None
    excerpt: str = ""
    # The place in the page (XPath), and the place in its visible text in signs.
    path: str = ""
    offset: int = 0


class PageReading(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was read of a page; the page itself is not kept. `sha256` is of its bytes as they were sent."""

    sha256: str
    size_bytes: int
    encoding: str
    reader: int
    # Such as `page_too_deep`, `encoding_not_as_stated`.
    issues: list[str] = []
    marks: list[PageMark] = []


class PageCaptured(PlatformEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A platform's home page, or the main page of a shop, as it was shown: as text, or as bytes in base64."""

    type: ClassVar[str] = "platform.page.captured.v1"
    to: ClassVar[str] = "identity"
    url: Annotated[str, Meta(min_length=1, max_length=2_000)]
    kind: PageKind
    captured_at: Zoned
    html: str | None = None
    html_base64: str | None = None
    content_type: Annotated[str, Meta(max_length=200, description="As the page's server stated it")] | None = None
    # What the door read; the page is left out then. Platforms do not send it.
    reading: PageReading | None = None


PAGE_EVENTS: tuple[type[PlatformEvent], ...] = (PageCaptured,)
