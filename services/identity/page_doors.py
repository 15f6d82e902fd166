"""Pages at the door: read there, so that what is stored and sent on is what they say and not the pages themselves."""

import asyncio
import base64
import binascii
import hashlib
from collections.abc import Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Protocol

import msgspec
import structlog
from ada_url import URL

from services.identity import page_decoding, page_reading
from services.identity.blind import BlindIndex
from services.identity.page_marks import SCHEME, Where, marks
from services.identity.personal import blind_number
from services.identity.rule_values import RuleValues, seeded_values
from services.identity.shop_pages import page_of
from services.identity.vault import Vault
from shared.clock import utc_now, wait
from shared.database import Sessions, is_connection_error, transaction
from shared.events.pages import PageCaptured, PageReading
from shared.ingest import Seal
from shared.ingest_faults import Fault
from shared.ingest_store import Item
from shared.rule_values import NoSuchRule

log = structlog.get_logger(__name__)

# Changed whenever pages are read in another way: what was read before stays as it was.
READER = 1
_LIMIT = "page.most_bytes"
_FRESH_SECONDS = 2.0
_ATTRIBUTES = ("specversion", "id", "source", "type", "time", "subject", "sequence", "sequencetype")
_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_any = msgspec.json.Decoder().decode
_page = msgspec.json.Decoder(PageCaptured).decode
_encode = msgspec.json.Encoder().encode


class Serving(Protocol):
    """An application, of which the sessions are needed."""

    state: Any  # starlette's, which holds whatever was put there


class PageLimits:
    """How many bytes a page may have, by the value of its day, as this process knows it."""

    def __init__(self) -> None:
        self._values = RuleValues()
        # Until the database has answered, what this version was delivered with.
        self._seeds = seeded_values()

    async def kept(self, app: Serving) -> None:
        """Read the values again and again until cancelled."""
        while True:
            await self.refresh(app.state.sessions)
            await asyncio.sleep(_FRESH_SECONDS)

    async def refresh(self, sessions: Sessions) -> None:
        """Read the values again; while the database is away those known go on to hold."""
        try:
            async with transaction(sessions) as session:
                await self._values.refresh(session)
        except Exception as error:
            if not is_connection_error(error):
                raise
            log.warning("page_limits_wait", error=repr(error))

    def fault(self, page: PageCaptured) -> Fault | None:
        """Return why a page is not taken."""
        if page.reading is not None:
            return Fault("field_not_yours", "reading is written by the door and not by platforms", "/data/reading")
        if (page.html is None) == (page.html_base64 is None):
            return Fault("page_ambiguous", "a page is html or html_base64, one of them", "/data/html")
        if page_of(page.url) is None:
            return Fault("url_not_web", "url is the address of a page on the web", "/data/url")
        if page.captured_at > utc_now() + timedelta(days=1):
            return Fault("time_in_future", "a page is captured before it is sent", "/data/captured_at")
        return self._size_fault(page)

    def _size_fault(self, page: PageCaptured) -> Fault | None:
        try:
            size = len(content_of(page))
        except ValueError:
            return Fault("not_base64", "html_base64 is base64 (RFC 4648, section 4)", "/data/html_base64")
        if size > (most := self._most_bytes(page)):
            pointer = "/data/html" if page.html is not None else "/data/html_base64"
            return Fault("page_too_large", f"a page has at most {most:.0f} bytes", pointer)
        return None

    def _most_bytes(self, page: PageCaptured) -> float:
        for book in (self._values, self._seeds):
            try:
                return book.apply(_LIMIT, on=page.captured_at.date()).value.value
            except NoSuchRule:
                continue
        return float("inf")


class KeptLimits:
    """Keeps limits fresh in a worker."""

    def __init__(self, limits: PageLimits, sessions: Sessions) -> None:
        self._limits = limits
        self._sessions = sessions

    async def run(self, stop: asyncio.Event) -> None:
        """Read the values again and again until told to stop."""
        while not stop.is_set():
            await self._limits.refresh(self._sessions)
            await wait(stop, _FRESH_SECONDS)


def sealed_by(vault: Vault, public_url: str) -> Seal:
    """Return what takes personal data out of files, and legal notices out of pages in place of these."""
    host = URL(public_url).host

    async def seal(items: Sequence[Item]) -> list[Item]:
        # In a thread, one page after the other: libxml2 lets go of the interpreter, and the rest of it shares.
        read = [await _read(item, host, vault.blind) if item.type == PageCaptured.type else item for item in items]
        return await vault.seal(read)

    return seal


def content_of(page: PageCaptured) -> bytes:
    """Return the bytes of a page. Raises ValueError."""
    if page.html_base64 is None:
        return (page.html or "").encode()
    try:
        return base64.b64decode(page.html_base64, validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from error


def reading_of(page: PageCaptured, badge_host: str, blind: BlindIndex) -> PageReading:
    """Return what a page says."""
    content = content_of(page)
    issues = []
    if page.html_base64 is None:
        text, encoding = page.html or "", "utf-8"
    else:
        text, encoding, otherwise = page_decoding.decode(content, page.content_type)
        if otherwise:
            issues.append("encoding_not_as_stated")
    shown = page_reading.read(text)
    if shown.too_deep:
        issues.append("page_too_deep")
    if shown.tangled:
        issues.append("page_tangled")
    elif not shown.text.strip() and not shown.images:
        issues.append("page_shows_nothing")
    where = Where(badge_host, partial(blind_number, blind, SCHEME))
    return PageReading(
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
        encoding=encoding,
        reader=READER,
        issues=issues,
        marks=marks(shown, page.kind, where),
    )


async def _read(item: Item, badge_host: str, blind: BlindIndex) -> Item:
    parts = _parts(item.raw)
    page = _page(parts["data"])
    reading = await asyncio.to_thread(reading_of, page, badge_host, blind)
    kept = msgspec.structs.replace(page, html=None, html_base64=None, reading=reading)
    attributes = {name: _any(parts[name]) for name in _ATTRIBUTES if name in parts}
    return msgspec.structs.replace(item, raw=_encode({**attributes, "data": kept}))
