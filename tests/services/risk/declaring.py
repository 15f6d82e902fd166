"""Declarations as platforms and customs state them, and their way through risk; a test states only what it is about."""

from datetime import UTC, date, datetime
from typing import Any

from shared.auth import Role
from shared.events.customs import DeclarationLodged, InspectionRecorded, Result
from shared.received import Received
from tests.services.doors import Service
from tests.services.inbox import deliver_platform_events, received
from tests.services.platform_events import Json, event, send

SYSTEM = "gate"
LODGED = datetime(2026, 3, 2, 10, tzinfo=UTC)


def lodged(number: int = 1, *, platform_id: str = "north", **data: Any) -> Json:
    """Return a declaration as its platform lodges it."""
    stated = {
        "declaration_ref": f"declaration-{number}",
        "importer_ref": "importer",
        "seller_ref": "shop",
        "declarant_ref": "broker",
        "hs_code": "870899",
        "origin_country": "DE",
        "departure_country": "NL",
        "mode": "B2C",
        "gross_g": 2_600,
        "net_g": 2_500,
        "value_minor": 10_000,
        "currency": "CNY",
        "tax_rate_bp": 600,
        "lodged_on": "2026-03-02",
        **data,
    }
    return event("", stated, platform_id=platform_id, type="customs.declaration.lodged.v1")


def cleared(number: int = 1, **data: Any) -> Json:
    """Return a clearance by customs."""
    stated = {"declaration_ref": f"declaration-{number}", "cleared_at": "2026-03-04T08:00:00Z", **data}
    return of_customs("customs.declaration.cleared.v1", stated)


def inspected(number: int = 1, *, result: str = "violation", **data: Any) -> Json:
    """Return what customs found."""
    stated = {"declaration_ref": f"declaration-{number}", "result": result, "inspected_on": "2026-03-02", **data}
    return of_customs("customs.inspection.recorded.v1", stated)


def of_customs(kind: str, data: Json, *, platform_id: str | None = "north") -> Json:
    """Return an event of a customs system about a platform's declaration."""
    whose = {} if platform_id is None else {"platform_id": platform_id}
    return event("", {**whose, **data}, type=kind, source=f"/customs/{SYSTEM}")


async def post(service: Service, *events: Json) -> list[Json]:
    """Send events, each as who its source says, and return what was refused."""
    refused: list[Json] = []
    for source in dict.fromkeys(one["source"] for one in events):
        own = [one for one in events if one["source"] == source]
        _, kind, name = source.split("/")
        who = {"subject": name} if kind == "customs" else {"platform_id": name}
        headers = service.bearer(Role.CUSTOMS if kind == "customs" else Role.PLATFORM, **who)
        refused += (await send(service, own, headers=headers)).json()["rejected"]
    return refused


async def told(service: Service, *events: Json) -> None:
    """Send events and let risk apply them as one batch."""
    assert await post(service, *events) == []
    await deliver_platform_events(service)
    assert await service.rows("SELECT code, detail FROM quarantine") == []


async def shown(service: Service, number: int = 1, platform_id: str = "north") -> Json:
    """Return a declaration as risk shows it."""
    answer = await service.get(f"/v1/declarations/{platform_id}/declaration-{number}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


async def set_policy(service: Service, **values: float) -> None:
    """Change numbers of the policy: `inspected_share` and so on."""
    for name, value in values.items():
        await service.rows("UPDATE rule_values SET value = $2 WHERE name = $1", f"declarations.{name}", value)


def stated(number: int, **fields: Any) -> Received:
    """Return a lodging as its handler gets it."""
    data = {**lodged(number)["data"], "lodged_on": date(2026, 3, 2), **fields}
    return received(DeclarationLodged(**data), source="/platforms/north", time=LODGED)


def found(number: int, on: date, *, violated: bool) -> Received:
    """Return an inspection by customs as its handler gets it."""
    result: Result = "violation" if violated else "conforming"
    event = InspectionRecorded(
        declaration_ref=f"declaration-{number}", platform_id="north", result=result, inspected_on=on
    )
    return received(event, source=f"/customs/{SYSTEM}", time=LODGED)
