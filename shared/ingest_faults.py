"""What can be wrong with one item, as a code and a JSON pointer (RFC 6901)."""

import json
import math
import re
from dataclasses import dataclass
from typing import Any

import msgspec

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(r"`([^`]+)`")
_SURROGATE = re.compile("[\ud800-\udfff]")
_STEP = re.compile(r"\.([^.\[\]]+)|\[([^\]]*)\]")


@dataclass(frozen=True)
class Fault:
    """One thing wrong: a stable code, a sentence, and where."""

    code: str
    detail: str
    pointer: str


def fault_of(error: BaseException) -> Fault:
    """Name what msgspec found wrong with an event."""
    if isinstance(error, RecursionError):
        return Fault("nesting_too_deep", "the event is nested too deeply", "")
    match = _AT.match(str(error))
    what = match["what"] if match else str(error)
    pointer = _pointer(match["path"] or "$") if match else ""
    if what.startswith("Object missing required field"):
        return Fault("missing_field", what, f"{pointer}/{_first_field(what)}")
    if what.startswith("Object contains unknown field"):
        return Fault("unknown_field", what, f"{pointer}/{_first_field(what)}")
    if what.startswith("JSON is malformed") or "truncated" in what or "utf-8" in what or "surrogate" in what:
        return Fault("malformed_json", what, pointer)
    return Fault(_code(what, pointer), what, pointer)


# What msgspec says, the first that fits, by the code a sender acts on.
_CODES = (
    (re.compile(r"out of range"), "number_out_of_range"),
    (re.compile(r"datetime|RFC3339|timezone"), "invalid_time"),
    (re.compile(r"^Expected `(int|float)` (>=|<=|>|<)"), "out_of_range"),
    (re.compile(r"^Expected `(str|array|object)` of length|matching regex"), "wrong_length"),
    (re.compile(r"^Expected"), "wrong_type"),
)


def _code(what: str, pointer: str) -> str:
    if what.startswith("Invalid value") and pointer == "/type":
        return "unknown_type"
    if what.startswith("Expected `int` >= 0") and pointer.endswith("_minor"):
        return "negative_amount"
    return next((code for pattern, code in _CODES if pattern.search(what)), "invalid_value")


def _first_field(what: str) -> str:
    found = _FIELD.search(what)
    return found[1] if found else ""


def _pointer(path: str) -> str:
    return "".join(f"/{name or index}" for name, index in _STEP.findall(path))


def unstorable(event: object) -> str | None:
    """Return the pointer of the first text with U+0000 in a decoded event, or None where there is none."""
    found = _find(msgspec.to_builtins(event), "")
    return found[1] if found is not None else None


def hidden_in(raw: bytes) -> Fault | None:
    """Return what strict JSON forbids in an event that is well-formed otherwise, or None where it is not that."""
    try:
        found = _find(json.loads(raw), "")
    except (ValueError, RecursionError):
        return None
    return Fault(*_HIDDEN[found[0]], found[1]) if found is not None else None


_HIDDEN = {
    "nul": ("text_not_storable", "text holds U+0000, which cannot be stored"),
    "surrogate": ("text_not_storable", "text holds half of a surrogate pair, which is no character"),
    "not_finite": ("number_not_finite", "NaN and infinity are no JSON numbers"),
}


def _find(value: Any, pointer: str) -> tuple[str, str] | None:  # any JSON value
    if isinstance(value, str):
        return (what, pointer) if (what := _wrong_with(value)) is not None else None
    if isinstance(value, float):
        return None if math.isfinite(value) else ("not_finite", pointer)
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, child in children:
        if isinstance(name, str) and (what := _wrong_with(name)) is not None:
            return what, pointer
        here = f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
        if (found := _find(child, here)) is not None:
            return found
    return None


def _wrong_with(text: str) -> str | None:
    if "\x00" in text:
        return "nul"
    return "surrogate" if _SURROGATE.search(text) else None
