"""Splitting a request's body into the events it carries, so that one bad event costs only itself."""

import re

import msgspec

from shared.errors import Malformed, TooLarge, UnsupportedMedia

BATCH = "application/cloudevents-batch+json"
SINGLE = "application/cloudevents+json"
LINES = "application/x-ndjson"
MEDIA_TYPES = (BATCH, LINES, SINGLE)

_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
# Strings whole, so that what they hold is not taken for structure; a quote that does not end is left alone.
_TOKENS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[][{},]', re.DOTALL)


def split(content_type: str, body: bytes, *, at_most: int) -> list[bytes]:
    """Return the events of a body as bytes, each still to be read.

    Raises Malformed where the items cannot be told apart, TooLarge above `at_most` events, UnsupportedMedia.
    """
    media = content_type.partition(";")[0].strip().lower()
    if media == LINES:
        raws = [line for line in body.split(b"\n") if line.strip()]
    elif media == SINGLE:
        raws = [body]
    elif media == BATCH:
        raws = _items(body)
    else:
        raise UnsupportedMedia(f"content-type {media[:100]!r} is none of {', '.join(MEDIA_TYPES)}")
    if len(raws) > at_most:
        raise TooLarge(f"{len(raws)} events; a batch has at most {at_most}")
    return raws


def _items(body: bytes) -> list[bytes]:
    try:
        return [bytes(raw) for raw in _raws(body)]
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        if not body.lstrip().startswith(b"["):
            raise Malformed(f"a batch is a JSON array of events: {error}") from error
        return _leniently(body, error)


def _leniently(body: bytes, cause: Exception) -> list[bytes]:
    """Tell the items of an array apart by brackets alone, although one of them is not JSON or too deep to read."""
    items: list[bytes] = []
    depth, start = 0, 0
    for token in _TOKENS.finditer(body):
        sign = token[0]
        if sign in b"[{":
            depth += 1
            start = start or token.end()
        elif sign in b"]}":
            depth -= 1
        if (sign == b"," and depth == 1) or depth == 0:
            items.append(body[start : token.start()].strip())
            start = token.end()
        if depth == 0:
            break
    if depth != 0 or body[start:].strip() or not all(items):
        raise Malformed(f"item {len(items)} is not JSON: {cause}", pointer=f"/{len(items)}") from cause
    return items
