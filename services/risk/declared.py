"""Answers about declarations and the models that rank them, read from this service's tables."""

from datetime import date
from typing import Any

from sqlalchemy import func, select, text, tuple_
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.models import Declaration, Inspection, Model
from shared.errors import NotFound
from shared.identifiers import declaration_id
from shared.paging import Cursor

_MOST_MODELS = 200

# Each inspected one stands for as many as it was improbable to be inspected (Horvitz and Thompson, 1952); those that
# customs had inspected before have no probability and are left out.
_FOUND = text("""
    SELECT count(*) AS inspected, count(*) FILTER (WHERE violated) AS violations,
        count(*) FILTER (WHERE explored) AS explored,
        count(*) FILTER (WHERE explored AND violated) AS explored_violations,
        sum(1 / selection_probability) FILTER (WHERE violated) AS weighted_violations,
        sum(1 / selection_probability) AS weighted
    FROM (
        SELECT d.explored, d.selection_probability, i.result = 'violation' AS violated
        FROM declarations d JOIN inspections i ON i.declaration_id = d.id
        WHERE d.channel = 'inspection' AND i.by_customs
    ) AS found
""")


class DeclarationNotFound(NotFound):
    """Nothing was stated of such a declaration."""


async def declarations(
    session: AsyncSession, *, channel: str | None, day: date | None, after: Cursor | None, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return a page of declarations, newest first, and the cursor of the next."""
    statement = _with_inspections().order_by(Declaration.recorded_at.desc(), Declaration.id.desc()).limit(limit + 1)
    if channel is not None:
        statement = statement.where(Declaration.channel == channel)
    if day is not None:
        statement = statement.where(Declaration.lodged_on == day)
    if after is not None:
        statement = statement.where(tuple_(Declaration.recorded_at, Declaration.id) < (after.at, after.id))
    found = [(row[0], row[1]) for row in (await session.execute(statement)).all()]
    page = found[:limit]
    following = Cursor(page[-1][0].recorded_at, page[-1][0].id).encode() if len(found) > limit else None
    return [_shown(*one) for one in page], following


async def declaration(session: AsyncSession, platform_id: str, declaration_ref: str) -> dict[str, Any]:
    """Return one declaration. Raises DeclarationNotFound."""
    identifier = declaration_id(platform_id, declaration_ref)
    found = (await session.execute(_with_inspections().where(Declaration.id == identifier))).one_or_none()
    if found is None:
        raise DeclarationNotFound(f"{platform_id} has no declaration {declaration_ref!r}")
    return _shown(found[0], found[1])


async def models(session: AsyncSession) -> list[Model]:
    """Return trained models, the newest first."""
    statement = select(Model).order_by(Model.created_at.desc(), Model.version.desc()).limit(_MOST_MODELS)
    return list((await session.execute(statement)).scalars())


async def summary(session: AsyncSession) -> dict[str, Any]:
    """Count declarations by channel, and what was found of them."""
    counted = select(Declaration.channel, func.count()).where(Declaration.channel.is_not(None))
    by_channel = {name: n for name, n in (await session.execute(counted.group_by(Declaration.channel))).all()}
    found = (await session.execute(_FOUND)).one()
    ranked, ranked_violations = found.inspected - found.explored, found.violations - found.explored_violations
    return {
        "lodged": sum(by_channel.values()),
        "by_channel": by_channel,
        "inspected": found.inspected,
        "violations": found.violations,
        "hit_rate": _rate(ranked_violations, ranked),
        "explored": found.explored,
        "explored_hit_rate": _rate(found.explored_violations, found.explored),
        "violation_rate_estimated": _rate(found.weighted_violations, found.weighted),
    }


def _with_inspections() -> Any:  # a select of two entities
    return select(Declaration, Inspection).outerjoin(Inspection, Inspection.declaration_id == Declaration.id)


def _shown(one: Declaration, found: Inspection | None) -> dict[str, Any]:
    columns = {column.key: getattr(one, column.key) for column in Declaration.__table__.columns}
    return {**columns, "declared": one.content, "inspection": found}


def _rate(part: float | None, of: float | None) -> float | None:
    return (part or 0.0) / of if of else None
