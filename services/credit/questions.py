"""Answers about profiles and their facts."""

from collections.abc import Sequence
from datetime import UTC, date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from services.credit.index import BranchScore, Evaluation, Tree, decayed
from services.credit.models import Fact, IndexTree, Profile
from services.credit.profiles import OperatorNotFound, accounts_of, facts_as_of, profile
from services.credit.trees import tree_on

EXPLAINED_FACTS = 100


async def describe(session: AsyncSession, operator_id: UUID, as_of: date) -> dict[str, Any]:
    """Return a profile with its panels."""
    found = await profile(session, operator_id, as_of)
    evaluation: Evaluation = found["evaluation"]
    return {
        **{name: found[name] for name in ("operator_id", "as_of", "accounts", "facts")},
        "score": evaluation.score,
        "level": evaluation.level,
        "tree_version": evaluation.tree_version,
        "panels": list(map(_panel, evaluation.branches)),
    }


async def explain(session: AsyncSession, operator_id: UUID, as_of: date) -> dict[str, Any]:
    """Return where every point of a score comes from."""
    found = await profile(session, operator_id, as_of)
    evaluation: Evaluation = found["evaluation"]
    facts = await _facts(session, operator_id, as_of, found["tree"])
    facts.sort(key=lambda fact: (-abs(fact["points"]), fact["subject"]))
    others = facts[EXPLAINED_FACTS:]
    source = select(IndexTree.source).where(IndexTree.version == evaluation.tree_version)
    return {
        "operator_id": operator_id,
        "as_of": as_of,
        "score": evaluation.score,
        "level": evaluation.level,
        "base": evaluation.base,
        "held": evaluation.held,
        "panels": list(map(_panel, evaluation.branches)),
        "facts": facts[:EXPLAINED_FACTS],
        "other_facts": len(others),
        "other_points": sum(fact["points"] for fact in others),
        "source": (await session.execute(source)).scalar_one(),
    }


async def facts(session: AsyncSession, operator_id: UUID, as_of: date, *, offset: int, limit: int) -> dict[str, Any]:
    """Return a page of the facts a profile is made of, newest first."""
    found = await _facts(session, operator_id, as_of, await tree_on(session, as_of))
    found.sort(key=lambda fact: (fact["occurred_at"], fact["subject"]), reverse=True)
    page = found[offset : offset + limit]
    return {"items": page, "next": offset + limit if len(found) > offset + limit else None}


async def _facts(session: AsyncSession, operator_id: UUID, as_of: date, tree: Tree) -> list[dict[str, Any]]:
    accounts = await accounts_of(session, operator_id, as_of)
    indicators = tree.indicators()
    described = []
    for row in await facts_as_of(session, accounts, as_of):
        fact = dict(row)
        indicator = indicators.get(fact["kind"])
        day = fact["occurred_at"].astimezone(UTC).date()
        fact["points"] = (
            decayed(indicator.points, day, as_of, indicator.half_life_days) if indicator is not None else 0.0
        )
        described.append(fact)
    return described


def _panel(branch: BranchScore) -> dict[str, Any]:
    return {
        "panel": branch.code,
        "points": branch.points,
        "held": branch.held,
        "indicators": [{"kind": i.kind, "facts": i.n, "points": i.points} for i in branch.indicators],
    }


async def profiles(session: AsyncSession, *, after: UUID | None, limit: int) -> tuple[Sequence[Profile], UUID | None]:
    """Return a page of stored profiles in the order of their ids."""
    statement = select(Profile).order_by(Profile.operator_id).limit(limit + 1)
    if after is not None:
        statement = statement.where(Profile.operator_id > after)
    found = list((await session.execute(statement)).scalars())
    return found[:limit], found[limit - 1].operator_id if len(found) > limit else None


async def public(session: AsyncSession, operator_id: UUID, as_of: date) -> dict[str, Any]:
    """Return what anyone may know of an operator. Raises OperatorNotFound."""
    found = await session.get(Profile, operator_id)
    if found is None:
        raise OperatorNotFound(f"no operator {operator_id}")
    return {"operator_id": operator_id, "level": found.level, "as_of": as_of}


async def summary(session: AsyncSession) -> dict[str, Any]:
    """Count profiles, their levels, and facts."""
    levels = select(Profile.level, func.count()).group_by(Profile.level).order_by(Profile.level)
    found = {level: n for level, n in (await session.execute(levels)).all()}
    facts = select(func.count()).select_from(Fact)
    return {
        "profiles": sum(found.values()),
        "facts": (await session.execute(facts)).scalar_one(),
        "levels": found,
    }
