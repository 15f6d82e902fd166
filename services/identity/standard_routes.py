"""Doors of the basic-information standard, for everybody: its versions, and whether data conform to one."""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Body, Path

from services.identity import standard
from services.identity.standard import Version
from services.identity.standard_schemas import CheckOut, SchemaOut, VersionOut
from shared.errors import NotFound
from shared.ingest_faults import fault_of
from shared.web import problems

router = APIRouter(prefix="/public/v1/standards/operator-information", tags=["basic-information standard"])

_Number = Annotated[int, Path(ge=1, le=1_000)]


class VersionUnknown(NotFound):
    """The standard has no such version."""


@router.get("", response_model=list[VersionOut], responses=problems())
async def list_versions() -> object:
    """List the versions that are taken, the newest first."""
    return [_shown(version) for version in standard.VERSIONS]


@router.get("/{version}", response_model=SchemaOut, responses=problems(404, 422))
async def get_version(version: _Number) -> object:
    """Return the JSON Schema of a version."""
    found = _version(version)
    return {**_shown(found), "json_schema": standard.schema(found)}


@router.post("/{version}/check", response_model=CheckOut, responses=problems(400, 404, 422))
async def check_data(version: _Number, body: Annotated[dict[str, Any], Body()]) -> object:
    """Say whether data conform to a version, as the door would, and return them in the newest. Nothing is kept."""
    found = _version(version)
    try:
        data = standard.READERS[found.number](msgspec.json.encode(body))
        current = standard.renewed(data) if isinstance(data, standard.OperatorInformation1) else data
    except (msgspec.MsgspecError, ValueError, OverflowError, RecursionError) as error:
        fault = fault_of(error)
        return {"conforms": False, "code": fault.code, "detail": fault.detail, "pointer": fault.pointer}
    return {"conforms": True, "current": msgspec.to_builtins(current)}


def _version(number: int) -> Version:
    for version in standard.VERSIONS:
        if version.number == number:
            return version
    raise VersionUnknown(f"the standard has no version {number}")


def _shown(version: Version) -> dict[str, Any]:  # what the answer's own model says
    return {"version": version.number, "urn": version.urn, "state": version.state}
