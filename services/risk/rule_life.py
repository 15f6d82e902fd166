"""The life of a rule: draft, tried on history, in shadow, approved by somebody else, in force from a day, retired."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from services.risk.catalogue import STREAMS
from services.risk.models import Rule
from services.risk.rules import RuleRefused, compile_rule, evaluate
from shared.errors import Conflict, Forbidden, NotFound


class RuleNotFound(NotFound):
    """No such version of a rule."""


class NotYet(Conflict):
    """A step of a rule's life that comes after another."""


class SamePerson(Forbidden):
    """Who wrote a rule does not approve it."""


async def save_draft(session: AsyncSession, rule: Rule, *, author: str) -> Rule:
    """Keep a new version of a rule as a draft. Raises RuleRefused where it cannot be one, or fails its own tests."""
    rule.state, rule.author = "draft", author
    _test(rule)
    newest = select(func.coalesce(func.max(Rule.version), 0) + 1).where(Rule.code == rule.code)
    rule.version = (await session.execute(newest)).scalar_one()
    values = {column.name: getattr(rule, column.name) for column in Rule.__table__.columns if column.name != "saved_at"}
    stored = await session.execute(insert(Rule).values(values).on_conflict_do_nothing().returning(Rule))
    saved = stored.scalar_one_or_none()
    if saved is None:
        raise Conflict(f"version {rule.version} of {rule.code} was saved by somebody else at the same moment")
    return saved


async def version(session: AsyncSession, code: str, number: int) -> Rule:
    """Return one version of a rule. Raises RuleNotFound."""
    found = (await session.execute(select(Rule).where(Rule.code == code, Rule.version == number))).scalar_one_or_none()
    if found is None:
        raise RuleNotFound(f"no version {number} of a rule {code!r}")
    return found


async def start_shadow(session: AsyncSession, code: str, number: int) -> Rule:
    """Count what a draft hits from now on, raising nothing. Raises NotYet where it was never tried on history."""
    rule = await version(session, code, number)
    if rule.state == "draft" and rule.backtest is None:
        raise NotYet(f"{code} version {number} was not tried on history yet: backtest it")
    return await _step(session, rule, ("draft",), {"state": "shadow"})


async def approve(session: AsyncSession, code: str, number: int, *, by: str, valid_from: date, today: date) -> Rule:
    """Let a rule that was in shadow count from a day on. Raises SamePerson, NotYet, RuleRefused."""
    rule = await version(session, code, number)
    if rule.author == by:
        raise SamePerson(f"{by} wrote {code} version {number}; somebody else approves it")
    if valid_from < today:
        raise RuleRefused(f"{code}: {valid_from} is past; a rule counts from today or later", pointer="/valid_from")
    values = {"state": "approved", "approved_by": by, "valid_from": valid_from}
    return await _step(session, rule, ("shadow",), values)


async def retire(session: AsyncSession, code: str, number: int, *, valid_to: date, today: date) -> Rule:
    """Let a rule count until a day, or take a draft or a shadow away at once. Raises NotYet, RuleRefused."""
    rule = await version(session, code, number)
    if rule.state in ("draft", "shadow", "suspended"):
        return await _step(session, rule, (rule.state,), {"state": "retired"})
    if valid_to < today:
        raise RuleRefused(f"{code}: {valid_to} is past; a rule ends today or later", pointer="/valid_to")
    return await _step(session, rule, ("approved",), {"valid_to": valid_to})


async def keep_backtest(session: AsyncSession, code: str, number: int, found: dict[str, Any]) -> None:
    """Keep what a version came to on history."""
    statement = update(Rule).where(Rule.code == code, Rule.version == number).values(backtest=found)
    await session.execute(statement)


async def _step(session: AsyncSession, rule: Rule, before: Sequence[str], values: dict[str, Any]) -> Rule:
    """Take a step from a state, once: two who take it at the same moment do not both."""
    statement = (
        update(Rule)
        .where(Rule.code == rule.code, Rule.version == rule.version, Rule.state.in_(before))
        .values(**values)
        .returning(Rule)
        .execution_options(populate_existing=True)
    )
    stepped = (await session.execute(statement)).scalar_one_or_none()
    if stepped is None:
        raise NotYet(
            f"{rule.code} version {rule.version} is {rule.state}; this takes one that is {' or '.join(before)}"
        )
    return stepped


def _test(rule: Rule) -> None:
    """Run a rule's own tests: at least one that it holds for, and one that it does not."""
    compiled = compile_rule(rule)
    expected = [bool(test["holds"]) for test in rule.tests]
    if set(expected) != {True, False}:
        raise RuleRefused(
            f"{rule.code}: it takes a test that the rule holds for and one that it does not", pointer="/tests"
        )
    unknown = dict.fromkeys(STREAMS[rule.stream])
    for place, test in enumerate(rule.tests):
        strangers = sorted(set(test["features"]) - set(unknown))
        if strangers:
            raise RuleRefused(f"{rule.code}: no such feature: {strangers[0]}", pointer=f"/tests/{place}/features")
        if bool(_hits(compiled, rule, {**unknown, **test["features"]}, place)) != test["holds"]:
            said = "does not hold" if test["holds"] else "holds"
            raise RuleRefused(f"{rule.code}: it {said} for its test {place + 1}", pointer=f"/tests/{place}")


def _hits(compiled: Any, rule: Rule, row: dict[str, Any], place: int) -> bool:
    try:
        return bool(evaluate([compiled], rule.stream, [row])[0])
    except (TypeError, ValueError) as error:
        raise RuleRefused(f"{rule.code}: {error}", pointer=f"/tests/{place}/features") from error
