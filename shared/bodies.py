"""Splitting a request's body into the events it carries, so that one bad event costs only itself."""

import json

import msgspec

from shared.errors import Malformed, TooLarge, UnsupportedMedia

BATCH = "application/cloudevents-batch+json"
SINGLE = "application/cloudevents+json"
LINES = "application/x-ndjson"
MEDIA_TYPES = (BATCH, LINES, SINGLE)

_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
_scan = json.JSONDecoder().raw_decode
_SPACE = " \t\r\n"


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
    """Tell the items of an array apart although one holds what strict JSON forbids, such as NaN or bad UTF-8."""
    text = body.decode("utf-8", "surrogateescape")
    at = _skip(text, text.index("[") + 1)
    items: list[bytes] = []
    try:
        while text[at] != "]":
            start = at
            _, at = _scan(text, at)
            items.append(text[start:at].encode("utf-8", "surrogateescape"))
            at = _skip(text, at)
            if text[at] == ",":
                at = _skip(text, at + 1)
            elif text[at] != "]":
                raise ValueError("neither a comma nor the end of the array")
        if text[at + 1 :].strip(_SPACE):
            raise ValueError("something follows the array")
    except (ValueError, IndexError, RecursionError) as error:
        raise Malformed(f"item {len(items)} is not JSON: {cause}", pointer=f"/{len(items)}") from error
    return items


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in _SPACE:
        at += 1
    return at
