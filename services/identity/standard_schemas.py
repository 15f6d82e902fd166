"""Bodies of the basic-information standard."""

from typing import Any, Literal

from pydantic import BaseModel


class VersionOut(BaseModel):
    """A version: `urn` is what CloudEvents' `dataschema` names it by."""

    version: int
    urn: str
    state: Literal["current", "taken"]


class SchemaOut(VersionOut):
    """A version with its JSON Schema."""

    json_schema: dict[str, Any]


class CheckOut(BaseModel):
    """Whether data conform to a version, what is wrong with them, and what the newest version makes of them."""

    conforms: bool
    code: str | None = None
    detail: str | None = None
    pointer: str | None = None
    current: dict[str, Any] | None = None
