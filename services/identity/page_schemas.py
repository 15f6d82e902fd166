"""Bodies of pages that were looked at."""

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from shared.paging import MAX_PAGE

Finding = Literal["unmatched", "displayed", "violated", "not_required", "not_judged", "account_ended", "reported"]


class PageQuestion(BaseModel):
    """Which snapshots are asked for; with a `url`, those of that page and of all that lie under it."""

    model_config = ConfigDict(extra="forbid")

    operator: UUID | None = None
    account: UUID | None = None
    url: str | None = Field(None, min_length=1, max_length=2_000, pattern=r"^[^\x00]+$")
    finding: Finding | None = None
    kind: Literal["home", "shop"] | None = None
    cursor: str | None = Field(None, max_length=500)
    limit: int = Field(50, ge=1, le=MAX_PAGE)


class MarkOut(BaseModel):
    """A legal notice on a page: its numbers are masked; `path` is XPath, `offset` counts signs of the visible text."""

    kind: str
    said: str = ""
    code: str | None = None
    excerpt: str = ""
    path: str = ""
    offset: int = 0


class ItemOut(BaseModel):
    """One item of the checklist of a home page."""

    item: str
    status: Literal["shown", "linked", "malformed", "not_readable", "missing"]
    code: str | None
    points: float
    most_points: float
    source: str
    excerpt: str
    path: str
    offset: int


class PageOut(BaseModel):
    """A snapshot of a page and what it came to; `sha256` and `size_bytes` are of the page as it was sent."""

    id: UUID
    platform_id: str
    kind: Literal["home", "shop"]
    url: str
    captured_at: datetime
    sha256: str
    size_bytes: int
    encoding: str
    reader: int
    issues: list[str]
    account_id: UUID | None
    operator_id: UUID | None
    version: int | None
    shop: str | None
    finding: Finding
    codes: list[str]
    source: str | None
    score: float | None


class PageDetail(PageOut):
    """The same with its evidence: what was read on the page, and of a home page the checklist."""

    marks: list[MarkOut]
    items: list[ItemOut] | None


class PageList(BaseModel):
    """Snapshots, the newest first."""

    items: list[PageOut]
    next: str | None


class DisclosureOut(BaseModel):
    """What the newest home page of a platform discloses: a score in hundredths, and what it is made of."""

    platform_id: str
    page_id: UUID
    url: str
    captured_at: datetime
    sha256: str
    issues: list[str]
    score: float | None
    items: list[ItemOut]
