"""The public page behind a badge's QR code."""

from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from services.identity.badge_checks import Check, Status

_TEMPLATES = Environment(
    loader=FileSystemLoader(Path(__file__).parent / "pages"), autoescape=True, undefined=StrictUndefined
)
# Nothing on the page loads or sends anything.
HEADERS = {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}


class Words(NamedTuple):
    """A verdict in two languages."""

    zh: str
    en: str


WORDS: dict[Status, Words] = {
    "valid": Words("有效", "Valid"),
    "expired": Words("已过期", "Expired"),
    "revoked": Words("已撤销", "Revoked"),
    "forged": Words("伪造", "Forged"),
    "wrong_shop": Words("非本店标识", "Another shop's badge"),
    "cloned": Words("盗用", "Copied onto another site"),
}


def page(check: Check) -> str:
    """Return the page that says what a badge is worth."""
    return _TEMPLATES.get_template("badge.html").render(check=check, words=WORDS)


def qr_code(address: str) -> str:
    """Return the QR code (ISO/IEC 18004) of an address as SVG."""
    drawn = BytesIO()
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=4, border=4, xmldecl=False, nl=False)
    return drawn.getvalue().decode()
