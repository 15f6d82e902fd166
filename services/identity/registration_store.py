"""Accounts and all that belongs to them, of a whole batch: read in a few statements, and written in a few."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import retention, reverification
from services.identity.personal import HIDDEN
from services.identity.search_spans import Searched
from shared import clock_sets
from shared.clock_sets import ClockSet
from shared.database import Executes, columns, driver, text_array
from shared.events.identity import BadgeRevoked, Verdict

# Nobody else issues badges for these accounts, ends them or lets them lapse until the commit.
_ACCOUNTS = """
    SELECT a.id, a.platform_id, a.operator_ref, a.operator_id, a.version, a.state, a.verdict, a.reasons, a.updated_at,
        f.content::text AS content
    FROM accounts a LEFT JOIN registration_files f ON f.account_id = a.id AND f.version = a.version
    WHERE a.id = ANY ($1::uuid[]) ORDER BY a.id FOR UPDATE OF a
"""
_OPERATORS = "SELECT id FROM operators WHERE id = ANY ($1::uuid[])"
_CLAIMS = """
    SELECT a.operator_id, a.id, f.content ->> 'legal_name' AS name
    FROM accounts a JOIN registration_files f ON f.account_id = a.id AND f.version = a.version
    WHERE a.operator_id = ANY ($1::uuid[]) AND a.state = 'active' AND f.content ->> 'legal_name' <> $2
"""
_BADGES = """
    SELECT id, account_id, operator_id, platform_id FROM badges
    WHERE account_id = ANY ($1::uuid[]) AND revoked_at IS NULL ORDER BY id FOR UPDATE
"""
_LINKS = "SELECT account_id, linked_from, linked_to, operator_id FROM account_links WHERE account_id = ANY ($1::uuid[])"

_PUT_OPERATORS = """
    INSERT INTO operators (id, jurisdiction, scheme, number)
    SELECT * FROM unnest($1::uuid[], $2::text::text[], $3::text[], $4::text[]) ON CONFLICT DO NOTHING
"""
_PUT_ACCOUNTS = """
    INSERT INTO accounts (id, platform_id, operator_ref, operator_id, version, state, verdict, reasons, updated_at)
    SELECT i, p, r, o, v, s, d, w::text[], u FROM unnest($1::uuid[], $2::text::text[], $3::text::text[], $4::uuid[],
        $5::int[], $6::text::text[], $7::text::text[], $8::text::text[], $9::timestamptz[])
        AS x (i, p, r, o, v, s, d, w, u)
    ON CONFLICT (id) DO UPDATE SET operator_id = excluded.operator_id, version = excluded.version,
        state = excluded.state, verdict = excluded.verdict, reasons = excluded.reasons,
        updated_at = excluded.updated_at
"""
_PUT_FILES = """
    INSERT INTO registration_files (account_id, version, platform_id, operator_id, event_id, event_type, content,
        state, verdict, reasons, stated_at)
    SELECT i, v, p, o, e, k, c::jsonb, s, d, w::text[], t FROM unnest($1::uuid[], $2::int[], $3::text::text[],
        $4::uuid[], $5::text::text[], $6::text::text[], $7::text::text[], $8::text::text[], $9::text::text[],
        $10::text::text[], $11::timestamptz[]) AS x (i, v, p, o, e, k, c, s, d, w, t)
"""
_PUT_LINKS = """
    INSERT INTO account_links (account_id, linked_from, linked_to, operator_id, platform_id)
    SELECT * FROM unnest($1::uuid[], $2::timestamptz[], $3::timestamptz[], $4::uuid[], $5::text::text[])
"""
_DROP_LINKS = "DELETE FROM account_links WHERE account_id = ANY ($1::uuid[])"
_REVOKE = """
    UPDATE badges b SET revoked_at = x.t, revoked_because = x.w
    FROM unnest($1::uuid[], $2::timestamptz[], $3::text::text[]) AS x (i, t, w) WHERE b.id = x.i
"""
_CLOCKS = (*reverification.FIRING, retention.KIND)


class Current(msgspec.Struct):
    """An account as it stands, with the newest version of its file as JSON."""

    id: UUID
    platform_id: str
    operator_ref: str
    operator_id: UUID
    version: int
    state: str
    verdict: Verdict
    reasons: list[str]
    updated_at: datetime
    content: str


class Entity(NamedTuple):
    """A legal entity, and the number of a register it is known by."""

    id: UUID
    scheme: str | None
    number: str | None


class Span(NamedTuple):
    """Until when an account was linked, to which operator."""

    until: datetime | None
    operator_id: UUID


class _Badge(NamedTuple):
    id: UUID
    operator_id: UUID
    platform_id: str


@dataclass
class Book:
    """What is known of the accounts and legal entities of a batch, and what the batch changes of it."""

    accounts: dict[UUID, Current] = field(default_factory=dict)
    operators: set[UUID] = field(default_factory=set)
    # The names that active accounts state, by legal entity.
    claims: dict[UUID, dict[UUID, str]] = field(default_factory=lambda: defaultdict(dict))
    badges: dict[UUID, list[_Badge]] = field(default_factory=lambda: defaultdict(list))
    links: dict[UUID, dict[datetime, Span]] = field(default_factory=lambda: defaultdict(dict))
    clocks: ClockSet = field(default_factory=ClockSet)
    searched: list[Searched] = field(default_factory=list)
    _files: list[tuple[Any, ...]] = field(default_factory=list)
    _new_operators: dict[UUID, tuple[str, Entity]] = field(default_factory=dict)
    # Of which platform each account is that was linked otherwise, and which of them have links that are stored.
    _relinked: dict[UUID, str] = field(default_factory=dict)
    _replaced: set[UUID] = field(default_factory=set)
    _revoked: list[tuple[UUID, datetime, str]] = field(default_factory=list)

    def is_new(self, entity: Entity, jurisdiction: str) -> bool:
        """Keep a legal entity, and tell whether nobody named it before."""
        if entity.id in self.operators:
            return False
        self.operators.add(entity.id)
        self._new_operators[entity.id] = (jurisdiction, entity)
        return True

    def put(self, account: Current, *, event_id: str, event_type: str, at: datetime) -> None:
        """Replace an account, and add the version of its file."""
        before = self.accounts.get(account.id)
        if before is not None:
            self.claims[before.operator_id].pop(account.id, None)
        self.accounts[account.id] = account
        own = (account.id, account.version, account.platform_id, account.operator_id, event_id, event_type)
        found = (account.content, account.state, account.verdict, text_array(account.reasons), at)
        self._files.append((*own, *found))

    def link(self, account: Current, *, at: datetime) -> None:
        """Link an account to its operator from an instant on, whatever files that came before it say of later ones.

        So its files hold too: as of an instant, of those stated until then the one that came last.
        """
        spans = self.links[account.id]
        newest = max((since for since in spans if since < at), default=None)
        if newest is not None and spans[newest] == (None, account.operator_id):
            return
        if spans:
            self._replaced.add(account.id)
        for since in [since for since in spans if since >= at]:
            del spans[since]
        if newest is not None and spans[newest].operator_id == account.operator_id:
            spans[newest] = Span(None, account.operator_id)
        else:
            if newest is not None:
                spans[newest] = spans[newest]._replace(until=at)
            spans[at] = Span(None, account.operator_id)
        self._relinked[account.id] = account.platform_id

    def revoke_badges(self, account: UUID, because: str, *, at: datetime) -> list[BadgeRevoked]:
        """Revoke the badges of an account, and return what is to be published."""
        revoked = self.badges.pop(account, [])
        self._revoked += [(badge.id, at, because) for badge in revoked]
        return [
            BadgeRevoked(
                occurred_at=at,
                badge_id=badge.id,
                account_id=account,
                operator_id=badge.operator_id,
                platform_id=badge.platform_id,
                reason=because,
            )
            for badge in revoked
        ]

    async def write(self, connection: Executes) -> None:
        """Store what changed."""
        operators = [
            (one, jurisdiction, entity.scheme, entity.number)
            for one, (jurisdiction, entity) in sorted(self._new_operators.items())
        ]
        if operators:
            await connection.execute(_PUT_OPERATORS, *columns(operators, list, text_array, list, list))
        if self._files:
            # Every file is of an account that changed, and the newest word on it counts.
            changed = sorted({row[0] for row in self._files})
            await connection.execute(_PUT_ACCOUNTS, *_account_columns(self.accounts[account] for account in changed))
            texts = (text_array,) * 3
            forms = (list, list, text_array, list, text_array, text_array, text_array, *texts, list)
            await connection.execute(_PUT_FILES, *columns(self._files, *forms))
        links = [
            (account, since, *span, platform)
            for account, platform in self._relinked.items()
            for since, span in self.links[account].items()
        ]
        if self._replaced:
            await connection.execute(_DROP_LINKS, sorted(self._replaced))
        if links:
            await connection.execute(_PUT_LINKS, *columns(links, list, list, list, list, text_array))
        if self._revoked:
            await connection.execute(_REVOKE, *columns(self._revoked, list, list, text_array))
        await self.clocks.write(connection)


async def read(session: AsyncSession, accounts: Collection[UUID], entities: Collection[UUID]) -> Book:
    """Return what is known of some accounts, and of the legal entities that their files name."""
    connection = await driver(session)
    # First of all, as whoever ends clocks does: in another order they and we could wait for each other.
    book = Book(clocks=await clock_sets.running(session, accounts, _CLOCKS))
    for row in await connection.fetch(_ACCOUNTS, list(accounts)):
        fields: Mapping[str, Any] = dict(row)
        book.accounts[row["id"]] = Current(**{**fields, "content": row["content"] or "{}"})
    book.operators.update(row["id"] for row in await connection.fetch(_OPERATORS, list(entities)))
    if book.operators:
        for row in await connection.fetch(_CLAIMS, list(book.operators), HIDDEN):
            book.claims[row["operator_id"]][row["id"]] = row["name"]
    known = list(book.accounts)
    if known:
        for row in await connection.fetch(_BADGES, known):
            book.badges[row["account_id"]].append(_Badge(row["id"], row["operator_id"], row["platform_id"]))
        for row in await connection.fetch(_LINKS, known):
            book.links[row["account_id"]][row["linked_from"]] = Span(row["linked_to"], row["operator_id"])
    return book


def _account_columns(accounts: Iterable[Current]) -> Sequence[object]:
    rows = [
        (
            *(one.id, one.platform_id, one.operator_ref, one.operator_id, one.version, one.state, one.verdict),
            *(text_array(one.reasons), one.updated_at),
        )
        for one in accounts
    ]
    forms = (list, text_array, text_array, list, list, text_array, text_array, text_array, list)
    return columns(rows, *forms)
