"""Facts with provenance: what is known of each subject of an account, and what that changes."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncSession

from services.credit.index import Tree, weight
from shared.database import Bounded, columns, driver, number_array, text_array

_CURRENT = """
    SELECT DISTINCT ON (f.account_id, f.family, f.subject) f.account_id, f.family, f.subject, f.revision, f.kind,
        f.occurred_at
    FROM facts f JOIN unnest($1::uuid[], $2::text[], $3::text[]) AS x (a, f, s)
        ON f.account_id = x.a AND f.family = x.f AND f.subject = x.s
    ORDER BY f.account_id, f.family, f.subject, f.revision DESC
"""
_INSERT = """
    INSERT INTO facts (account_id, family, subject, revision, kind, occurred_at, amount_minor, currency,
        event_id, event_type)
    SELECT * FROM unnest($1::uuid[], $2::text::text[], $3::text::text[], $4::text::int[], $5::text[],
        $6::timestamptz[], $7::bigint[], $8::text[], $9::text::text[], $10::text::text[])
"""
_ADD = """
    INSERT INTO tallies (account_id, tree_version, kind, n, weighted)
    SELECT a, $1, k, n, w FROM unnest($2::uuid[], $3::text[], $4::bigint[], $5::float8[]) AS x (a, k, n, w)
    ON CONFLICT (account_id, tree_version, kind) DO UPDATE SET
        n = tallies.n + excluded.n, weighted = tallies.weighted + excluded.weighted
"""

# What may be missing stays in the driver's form.
_FORMS = (list, text_array, text_array, number_array, *4 * (list,), text_array, text_array)

Key = tuple[UUID, str, str]
Row = tuple[UUID, str, str, int, str | None, datetime, int | None, str | None, str, str]


class State(NamedTuple):
    """What an event says of a subject: a kind that counts, or None for nothing that does.

    `first` where nothing can have been said of the subject before.
    """

    account_id: UUID
    family: str
    subject: str
    kind: str | None
    occurred_at: datetime
    event_id: str
    event_type: str
    amount_minor: int | None = None
    currency: str | None = None
    first: bool = False

    @property
    def key(self) -> Key:
        """Return what is spoken of."""
        return self.account_id, self.family, self.subject


class Current(NamedTuple):
    """The newest fact about a subject."""

    revision: int
    kind: str | None
    occurred_at: datetime | None


_NOTHING = Current(0, None, None)


class Newest(Bounded[Key, Current]):
    """The newest facts this process has written, or found to be missing."""


async def record(session: AsyncSession, states: Sequence[State], tree: Tree, newest: Newest) -> set[UUID]:
    """Store what changes of each subject, in order, and return the accounts it changes."""
    keyed = [(state.key, state) for state in states]
    current = await _current(session, keyed, newest)
    rows: list[Row] = []
    changes: dict[tuple[UUID, str], list[float]] = defaultdict(lambda: [0, 0.0])
    halves = {kind: indicator.half_life_days for kind, indicator in tree.indicators().items()}
    for key, state in keyed:
        before = current.get(key, _NOTHING)
        if before.kind == state.kind and (state.kind is None or before.occurred_at == state.occurred_at):
            continue
        current[key] = Current(before.revision + 1, state.kind, state.occurred_at)
        rows.append(
            (
                *key,
                before.revision + 1,
                state.kind,
                state.occurred_at,
                state.amount_minor,
                state.currency,
                state.event_id,
                state.event_type,
            )
        )
        for kind, at, sign in ((before.kind, before.occurred_at, -1), (state.kind, state.occurred_at, 1)):
            if kind in halves and at is not None:
                change = changes[state.account_id, kind]
                change[0] += sign
                change[1] += sign * weight(at.astimezone(UTC).date(), halves[kind])
    await _write(session, rows, changes, tree.version)
    newest.keep(dict.fromkeys([key for key, _ in keyed], _NOTHING) | current)
    return {row[0] for row in rows}


async def _current(session: AsyncSession, keyed: Sequence[tuple[Key, State]], newest: Newest) -> dict[Key, Current]:
    keys = {key for key, _ in keyed}
    current = newest.of(keys)
    unknown = list(keys - current.keys() - {key for key, state in keyed if state.first})
    if not unknown:
        return current
    rows = await (await driver(session)).fetch(
        _CURRENT, [k[0] for k in unknown], [k[1] for k in unknown], [k[2] for k in unknown]
    )
    return current | {
        (r["account_id"], r["family"], r["subject"]): Current(r["revision"], r["kind"], r["occurred_at"]) for r in rows
    }


async def _write(
    session: AsyncSession,
    rows: Sequence[Row],
    changes: dict[tuple[UUID, str], list[float]],
    tree_version: int,
) -> None:
    if not rows:
        return
    connection = await driver(session)
    await connection.execute(_INSERT, *columns(rows, *_FORMS))
    # Sorted, so that two workers that touch the same tallies take their locks in one order.
    ordered = sorted((account, kind, int(n), w) for (account, kind), (n, w) in changes.items())
    if not ordered:
        return
    await connection.execute(_ADD, tree_version, *map(list, zip(*ordered, strict=True)))
