"""Forms of data that were in use before: named by CloudEvents' `dataschema`, brought into the newest at the door."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec

from shared.ingest_faults import Fault, fault_of

# What raw bytes hold if an event may name its form; others are not looked at twice.
DATA_SCHEMA = b'"dataschema"'

_parts = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode = msgspec.json.Encoder().encode


class OlderForm(NamedTuple):
    """A form that is taken still: what its data look like, and what makes data of the newest form of them."""

    kind: type[msgspec.Struct]
    renewed: Callable[[Any], Any]


class _Named(msgspec.Struct):
    type: Any = None
    dataschema: Any = None


class Forms:
    """The forms of some types of events by their URI. What names none is of the newest."""

    def __init__(self, newest: Mapping[str, str], older: Mapping[str, Mapping[str, OlderForm]]) -> None:
        self._newest = newest
        self._older = {
            kind: {uri: (msgspec.json.Decoder(form.kind).decode, form.renewed) for uri, form in forms.items()}
            for kind, forms in older.items()
        }
        self._named = msgspec.json.Decoder(_Named).decode

    def newest(self, raw: bytes) -> bytes | Fault:
        """Return an event with data of the newest form, or what is wrong with what it says it is of."""
        try:
            named = self._named(raw)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            # Whoever decodes it says what is wrong with it.
            return raw
        if named.type not in self._newest or named.dataschema in (None, self._newest[named.type]):
            return raw
        if not isinstance(named.dataschema, str) or named.dataschema not in self._older.get(named.type, {}):
            known = ", ".join([self._newest[named.type], *self._older.get(named.type, {})])
            return Fault("schema_unknown", f"dataschema is none that is taken: {known}", "/dataschema")
        decode, renewed = self._older[named.type][named.dataschema]
        parts = _parts(raw)
        try:
            data = renewed(decode(parts.get("data", b"null")))
        except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
            fault = fault_of(error)
            return Fault(fault.code, fault.detail, f"/data{fault.pointer}")
        return _encode({**parts, "data": data, "dataschema": self._newest[named.type]})
