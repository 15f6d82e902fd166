"""Profiles: the score and level of every operator whose facts changed, and what a profile was on any date."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from services.credit.index import Evaluation, Tree, Weight, evaluate, weight
from services.credit.models import AccountLink, Profile
from services.credit.trees import tree_on
from shared.database import driver
from shared.errors import NotFound
from shared.events.credit import Level, LevelChanged
from shared.events.identity import OperatorLinked
from shared.messaging import publish

# A link's history has one row an interval. A later version of the account holds from its own instant on, whatever
# earlier ones say of that time: their intervals end there or are no more. They may come in any order: quarantine lets
# old ones go later.
_SHORTEN = (
    """
    DELETE FROM account_links l USING unnest($1::uuid[], $2::timestamptz[], $3::int[]) AS x (account, at, version)
    WHERE l.account_id = x.account AND l.linked_from >= x.at AND l.version <= x.version
    """,
    """
    UPDATE account_links l SET linked_to = x.at
    FROM unnest($1::uuid[], $2::timestamptz[], $3::int[]) AS x (account, at, version)
    WHERE l.account_id = x.account AND (l.linked_to IS NULL OR l.linked_to > x.at) AND l.linked_from < x.at
        AND l.version <= x.version
    """,
)
_LINK = """
    INSERT INTO account_links (account_id, linked_from, linked_to, version, operator_id, platform_id, operator_ref)
    SELECT x.account, x.at, (SELECT min(l.linked_from) FROM account_links l
        WHERE l.account_id = x.account AND l.version > x.version), x.version, x.operator, x.platform, x.ref
    FROM unnest($1::uuid[], $2::timestamptz[], $3::int[], $4::uuid[], $5::text[], $6::text[])
        AS x (account, at, version, operator, platform, ref)
    WHERE NOT EXISTS (SELECT FROM account_links l
        WHERE l.account_id = x.account AND l.version > x.version AND l.linked_from <= x.at)
"""
_OPEN = """
    INSERT INTO profiles (operator_id, score, level, tree_version) SELECT o, $2, $3, $4 FROM unnest($1::uuid[]) AS o
    ON CONFLICT DO NOTHING
"""
_LOCK = """
    SELECT operator_id, score, level FROM profiles WHERE operator_id IN (
        SELECT operator_id FROM account_links WHERE account_id = ANY ($1::uuid[]) AND linked_to IS NULL
        UNION SELECT unnest($2::uuid[]))
    ORDER BY operator_id FOR UPDATE
"""
_TALLIES = """
    SELECT l.operator_id, l.account_id, t.kind, t.n, t.weighted FROM account_links l
    LEFT JOIN tallies t ON t.account_id = l.account_id AND t.tree_version = $2
    WHERE l.operator_id = ANY ($1::uuid[]) AND l.linked_to IS NULL
"""
_CHANGE = """
    UPDATE profiles p SET score = x.score, level = x.level, tree_version = $4, evaluated_at = now()
    FROM unnest($1::uuid[], $2::float8[], $3::text[]) AS x (operator, score, level)
    WHERE p.operator_id = x.operator
"""
_FACTS = """
    SELECT DISTINCT ON (account_id, family, subject) account_id, family, subject, revision, kind, occurred_at,
        amount_minor, currency, event_id, event_type, recorded_at
    FROM facts WHERE account_id = ANY ($1::uuid[]) AND occurred_at < $2
    ORDER BY account_id, family, subject, revision DESC
"""


class OperatorNotFound(NotFound):
    """Nobody linked an account to such an operator."""


class Account(NamedTuple):
    """An account of an operator."""

    account_id: UUID
    platform_id: str
    operator_ref: str


async def link(session: AsyncSession, events: Sequence[OperatorLinked], tree: Tree) -> set[UUID]:
    """Record who holds accounts from when on, and return the operators it changes."""
    connection = await driver(session)
    for round_ in _rounds(events):
        rows = [(e.account_id, e.linked_from, e.version, e.operator_id, e.platform_id, e.operator_ref) for e in round_]
        accounts, since, versions, *others = map(list, zip(*rows, strict=True))
        for statement in _SHORTEN:
            await connection.execute(statement, accounts, since, versions)
        await connection.execute(_LINK, accounts, since, versions, *others)
    operators = {e.operator_id for e in events} | {e.previous_operator_id for e in events if e.previous_operator_id}
    await connection.execute(_OPEN, sorted(operators), tree.base, tree.level(tree.base), tree.version)
    return operators


def _rounds(events: Sequence[OperatorLinked]) -> list[list[OperatorLinked]]:
    """Return events in rounds that have one of an account each, and the events of an account in their order."""
    rounds: list[list[OperatorLinked]] = []
    seen: Counter[UUID] = Counter()
    for one in events:
        if seen[one.account_id] == len(rounds):
            rounds.append([])
        rounds[seen[one.account_id]].append(one)
        seen[one.account_id] += 1
    return rounds


async def refresh(
    session: AsyncSession, accounts: Collection[UUID], operators: Collection[UUID], tree: Tree, now: datetime
) -> None:
    """Evaluate the operators of accounts whose facts changed; publish the levels that moved."""
    if not accounts and not operators:
        return
    connection = await driver(session)
    before = {r["operator_id"]: r for r in await connection.fetch(_LOCK, sorted(accounts), sorted(operators))}
    weights: dict[UUID, dict[str, Weight]] = {operator: {} for operator in before}
    held: dict[UUID, set[UUID]] = defaultdict(set)
    for row in await connection.fetch(_TALLIES, list(before), tree.version):
        held[row["operator_id"]].add(row["account_id"])
        if row["kind"] is not None:
            _add(weights[row["operator_id"]], row["kind"], row["n"], row["weighted"])
    changed, moved = [], []
    for operator, own in weights.items():
        found = evaluate(tree, own, now.date())
        was = before[operator]
        if (found.score, found.level) != (was["score"], was["level"]):
            changed.append((operator, found.score, found.level))
        if found.level != was["level"]:
            moved.append(_level_changed(operator, sorted(held[operator]), was["level"], found, now))
    if changed:
        await connection.execute(_CHANGE, *map(list, zip(*changed, strict=True)), tree.version)
    await publish(session, moved, source="credit")


def _add(weights: dict[str, Weight], kind: str, n: int, weighted: float) -> None:
    known = weights.get(kind, Weight(0, 0.0))
    weights[kind] = Weight(known.n + n, known.weighted + weighted)


def _level_changed(operator: UUID, accounts: list[UUID], was: Level, found: Evaluation, now: datetime) -> LevelChanged:
    return LevelChanged(
        occurred_at=now,
        operator_id=operator,
        account_ids=accounts,
        from_level=was,
        to_level=found.level,
        score=found.score,
        tree_version=found.tree_version,
    )


async def accounts_of(session: AsyncSession, operator_id: UUID, as_of: date) -> list[Account]:
    """Return whose facts an operator's profile is the union of, at the end of a date. Raises OperatorNotFound."""
    end = end_of(as_of)
    found = select(AccountLink).where(AccountLink.operator_id == operator_id).order_by(AccountLink.account_id)
    links = list((await session.execute(found)).scalars())
    if not links:
        raise OperatorNotFound(f"no account belongs to operator {operator_id}")
    return [
        Account(row.account_id, row.platform_id, row.operator_ref)
        for row in links
        if row.linked_from < end and (row.linked_to is None or row.linked_to >= end)
    ]


async def facts_as_of(session: AsyncSession, accounts: Iterable[Account], as_of: date) -> list[Any]:
    """Return the newest fact about every subject, at the end of a date, that counts."""
    wanted = [account.account_id for account in accounts]
    rows = await (await driver(session)).fetch(_FACTS, wanted, end_of(as_of))
    return [row for row in rows if row["kind"] is not None]


async def profile(session: AsyncSession, operator_id: UUID, as_of: date) -> dict[str, Any]:
    """Return an operator's profile as a pure function of the facts until the end of a date."""
    accounts = await accounts_of(session, operator_id, as_of)
    facts = await facts_as_of(session, accounts, as_of)
    tree = await tree_on(session, as_of)
    return {
        "operator_id": operator_id,
        "as_of": as_of,
        "accounts": [account._asdict() for account in accounts],
        "facts": len(facts),
        "evaluation": evaluate(tree, weights_of(facts, tree), as_of),
        "tree": tree,
    }


def weights_of(facts: Iterable[Any], tree: Tree) -> dict[str, Weight]:
    """Return the weights of facts, as tallies would hold them."""
    indicators = tree.indicators()
    weights: dict[str, Weight] = {}
    for fact in facts:
        indicator = indicators.get(fact["kind"])
        if indicator is not None:
            day = fact["occurred_at"].astimezone(UTC).date()
            _add(weights, fact["kind"], 1, weight(day, indicator.half_life_days))
    return weights


def end_of(day: date) -> datetime:
    """Return the instant a date ends, in UTC."""
    return datetime.combine(day + timedelta(days=1), time(), UTC)


async def current(session: AsyncSession, operator_id: UUID) -> Profile | None:
    """Return the stored score and level."""
    return await session.get(Profile, operator_id)
