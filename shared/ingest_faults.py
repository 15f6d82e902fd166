"""What can be wrong with one item, as a code and a JSON pointer (RFC 6901)."""

import json
import re
from dataclasses import dataclass
from typing import Any

_AT = re.compile(r"^(?P<what>.*?)(?: - at `(?P<path>[^`]*)`)?$", re.DOTALL)
_FIELD = re.compile(r"`([^`]+)`")
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
    if what.startswith("JSON is malformed") or "truncated" in what or "utf-8" in what or "surrogate" in what:
        return Fault("malformed_json", what, pointer)
    return Fault(_code(what, pointer), what, pointer)


def _code(what: str, pointer: str) -> str:
    if what.startswith("Number out of range") or "out of range" in what:
        return "number_out_of_range"
    if what.startswith("Invalid value") and pointer == "/type":
        return "unknown_type"
    if what.startswith(("Expected `int` >= 0",)) and pointer.endswith("_minor"):
        return "negative_amount"
    if "datetime" in what or "RFC3339" in what or "timezone" in what:
        return "invalid_time"
    if re.match(r"Expected `(int|float)` (>=|<=|>|<)", what):
        return "out_of_range"
    if re.match(r"Expected `(str|array|object)` of length", what) or "matching regex" in what:
        return "wrong_length"
    if what.startswith("Expected"):
        return "wrong_type"
    return "invalid_value"


def _first_field(what: str) -> str:
    found = _FIELD.search(what)
    return found[1] if found else ""


def _pointer(path: str) -> str:
    return "".join(f"/{name or index}" for name, index in _STEP.findall(path))


def unstorable(raw: bytes) -> str | None:
    """Return the pointer of the first text with U+0000 in an event, or None where there is none."""
    return _find_nul(json.loads(raw), "")


def _find_nul(value: Any, pointer: str) -> str | None:  # any JSON value
    if isinstance(value, str):
        return pointer if "\x00" in value else None
    children = (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    )
    for name, child in children:
        here = f"{pointer}/{str(name).replace('~', '~0').replace('/', '~1')}"
        if isinstance(name, str) and "\x00" in name:
            return pointer
        if (found := _find_nul(child, here)) is not None:
            return found
    return None
