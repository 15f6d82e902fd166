"""Declarations as they stand: what was stated of each, in any order of arrival, merged a batch at a time."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec
import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.intake import owner
from shared.database import driver
from shared.events.customs import DeclarationCleared, DeclarationLodged, InspectionRecorded
from shared.events.risk import Channel
from shared.identifiers import account_id, declaration_id, is_customs, transaction_id
from shared.received import Received

log = structlog.get_logger(__name__)

# A batch and another that holds the same declaration, as after a rebalance, come one after the other.
_LOAD = """
    SELECT id, platform_id, declaration_ref, lodged_at, content::text AS content, value, described, channel, score,
        reasons, model, explored, selection_probability, draw, policy_on, cleared_at, final::text AS final
    FROM declarations WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE
"""
_LOAD_INSPECTIONS = """
    SELECT declaration_id, result, violation, inspected_on, note, by_customs
    FROM inspections WHERE declaration_id = ANY ($1::uuid[])
"""
_COLUMNS = (
    "id, platform_id, declaration_ref, account_id, lodged_on, lodged_at, content, value, described, channel, score, "
    "reasons, model, explored, selection_probability, draw, policy_on, cleared_at, final, transaction_id, is_compared"
)
_REPLACED = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", ")[3:])
_REPLACED = _REPLACED.removesuffix("excluded.is_compared") + "declarations.is_compared AND excluded.is_compared"
_STORE = f"""
    INSERT INTO declarations ({_COLUMNS}) SELECT {_COLUMNS} FROM json_populate_recordset(NULL::declarations, $1::json)
    ORDER BY id ON CONFLICT (id) DO UPDATE SET {_REPLACED}
"""  # noqa: S608 - of our own names
_STORE_INSPECTIONS = """
    INSERT INTO inspections (declaration_id, platform_id, result, violation, inspected_on, note, by_customs)
    SELECT declaration_id, platform_id, result, violation, inspected_on, note, by_customs
    FROM json_populate_recordset(NULL::inspections, $1::json) ORDER BY declaration_id
    ON CONFLICT (declaration_id) DO UPDATE SET result = excluded.result, violation = excluded.violation,
        inspected_on = excluded.inspected_on, note = excluded.note, by_customs = excluded.by_customs,
        recorded_at = now()
"""


class Inspected(msgspec.Struct, frozen=True):
    """What an inspection found, and when."""

    result: str
    inspected_on: date
    by_customs: bool
    violation: str | None = None
    note: str | None = None


class Verdict(msgspec.Struct, frozen=True):
    """How a declaration was scored and channelled."""

    value: float | None
    described: list[float]
    channel: Channel
    score: float
    reasons: list[str]
    model: str
    explored: bool
    selection_probability: float | None
    draw: float
    policy_on: date


class Standing(msgspec.Struct):
    """One declaration as it stands."""

    id: UUID
    platform_id: str
    declaration_ref: str
    lodged: DeclarationLodged | None = None
    lodged_at: datetime | None = None
    cleared_at: datetime | None = None
    final: DeclarationCleared | None = None
    inspected: Inspected | None = None
    verdict: Verdict | None = None

    @property
    def account(self) -> UUID | None:
        """Return the account of the seller, or of the importer where none is stated."""
        if self.lodged is None:
            return None
        return account_id(self.platform_id, self.lodged.seller_ref or self.lodged.importer_ref)

    @property
    def transaction(self) -> UUID | None:
        """Return the transaction of the order that it names."""
        if self.lodged is None or self.lodged.order_ref is None:
            return None
        return transaction_id(self.platform_id, self.lodged.order_ref)

    @property
    def is_closed(self) -> bool:
        """Tell whether customs has seen the goods or let them go: what was declared is fixed then."""
        return self.cleared_at is not None or (self.inspected is not None and self.inspected.by_customs)


async def load(session: AsyncSession, received: Sequence[Received]) -> dict[UUID, Standing]:
    """Return what is known of the declarations that events are about."""
    standings: dict[UUID, Standing] = {}
    for one in received:
        whose, ref = owner(one.platform_id, one.event), one.event.declaration_ref
        identifier = declaration_id(whose, ref)
        standings.setdefault(identifier, Standing(identifier, whose, ref))
    connection = await driver(session)
    for row in await connection.fetch(_LOAD, list(standings)):
        _fill(standings[row["id"]], row)
    for row in await connection.fetch(_LOAD_INSPECTIONS, list(standings)):
        standings[row["declaration_id"]].inspected = Inspected(
            row["result"], row["inspected_on"], row["by_customs"], row["violation"], row["note"]
        )
    return standings


def merge(standings: Mapping[UUID, Standing], received: Sequence[Received]) -> set[UUID]:
    """Apply events in their order; return which declarations customs had inspected before they were lodged."""
    inspected_first = set()
    for one in received:
        standing = standings[declaration_id(owner(one.platform_id, one.event), one.event.declaration_ref)]
        if isinstance(one.event, DeclarationLodged):
            if standing.lodged is None and standing.inspected is not None and standing.inspected.by_customs:
                inspected_first.add(standing.id)
            _lodge(standing, one.event, one.time)
        elif isinstance(one.event, DeclarationCleared):
            standing.cleared_at, standing.final = one.event.cleared_at, one.event
        else:
            _inspect(standing, one.event, one)
    return inspected_first


async def store(session: AsyncSession, standings: Iterable[Standing], before: Mapping[UUID, Standing]) -> None:
    """Write what changed."""
    changed = [one for one in standings if one != before[one.id]]
    connection = await driver(session)
    if changed:
        rows = [_row(one) | {"is_compared": not _is_restated(one, before[one.id])} for one in changed]
        await connection.execute(_STORE, msgspec.json.encode(rows).decode())
    inspected = [one for one in changed if one.inspected is not None and one.inspected != before[one.id].inspected]
    if inspected:
        found = [
            {"declaration_id": one.id, "platform_id": one.platform_id, **msgspec.structs.asdict(one.inspected)}
            for one in inspected
            if one.inspected is not None
        ]
        await connection.execute(_STORE_INSPECTIONS, msgspec.json.encode(found).decode())


def goods(event: DeclarationLodged, value: float | None) -> dict[str, object]:
    """Return what a declaration says of its goods under the names of `declarations.COLUMNS`."""
    return {
        "declaration_ref": event.declaration_ref,
        "lodged_on": event.lodged_on,
        "hs_code": event.hs_code,
        "net_kg": event.net_g / 1_000,
        "value": value,
        "tax_rate": event.tax_rate_bp / 100 if event.tax_rate_bp is not None else None,
        "tax_type": event.tax_type,
        "origin_country": event.origin_country,
        "departure_country": event.departure_country,
        "origin_indicator": event.origin_indicator,
        "office": event.office,
        "import_type": event.import_type,
        "import_use": event.import_use,
        "payment_type": event.payment_type,
        "transport_mode": event.transport_mode,
    }


def _lodge(standing: Standing, event: DeclarationLodged, at: datetime) -> None:
    if standing.lodged is not None and standing.is_closed and standing.lodged != event:
        # Stated anew, goods that were found wanting could be made to speak against others, or for themselves.
        log.info("restatement_too_late", declaration_id=str(standing.id))
        return
    if standing.lodged != event:
        standing.lodged, standing.lodged_at = event, at


def _inspect(standing: Standing, event: InspectionRecorded, one: Received) -> None:
    by_customs = is_customs(one.platform_id)
    if standing.inspected is not None and standing.inspected.by_customs and not by_customs:
        log.info("inspection_of_customs_stays", declaration_id=str(standing.id))
        return
    day = event.inspected_on or one.time.date()
    standing.inspected = Inspected(event.result, day, by_customs, event.violation, event.note)


def _fill(standing: Standing, row: Any) -> None:  # asyncpg's record
    if row["content"] is not None:
        standing.lodged = msgspec.json.decode(row["content"], type=DeclarationLodged)
    if row["final"] is not None:
        standing.final = msgspec.json.decode(row["final"], type=DeclarationCleared)
    standing.lodged_at, standing.cleared_at = row["lodged_at"], row["cleared_at"]
    if row["channel"] is not None:
        standing.verdict = Verdict(**{name: row[name] for name in Verdict.__struct_fields__})


def _is_restated(one: Standing, before: Standing) -> bool:
    """Tell whether there is a value to hold against an order that was not there before."""
    return one.transaction is not None and one.lodged != before.lodged


def _row(one: Standing) -> dict[str, object]:
    verdict = msgspec.structs.asdict(one.verdict) if one.verdict is not None else {"reasons": [], "explored": False}
    return {
        "id": one.id,
        "platform_id": one.platform_id,
        "declaration_ref": one.declaration_ref,
        "account_id": one.account,
        "lodged_on": one.lodged.lodged_on if one.lodged is not None else None,
        "lodged_at": one.lodged_at,
        "content": one.lodged,
        "cleared_at": one.cleared_at,
        "final": one.final,
        "transaction_id": one.transaction,
        **verdict,
    }
