"""The whole answer about one operator in one statement: its accounts, their files, its register, and what is due."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

import asyncpg
import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from services.identity import remedies, reverification
from services.identity.questions import OperatorNotFound
from services.identity.rule_values import RuleValues
from services.identity.shop_pages import page_of
from shared.database import driver, kept

# Which operator is meant, by what is known of it: $1.
_BY_ID = "SELECT $1::uuid AS operator_id"
_BY_ACCOUNT = "SELECT operator_id FROM accounts WHERE id = $1::uuid"
_BY_NUMBER = "SELECT id AS operator_id FROM operators WHERE number = $1::text ORDER BY id LIMIT 1"
# The nearest front page that a page lies under.
_BY_PAGES = """
    SELECT operator_id FROM shop_addresses WHERE address = ANY ($1::text[])
    ORDER BY length(address) DESC, account_id DESC LIMIT 1
"""
# As of $2, which is the day $3 to a register; $4 are the kinds of clocks after which a file is verified again.
_WHOLE = """
    SELECT w.operator_id, o.id, o.jurisdiction, o.scheme, o.number, f.account_id, f.platform_id, f.version, f.state,
        f.verdict, f.reasons, f.content::text AS content, f.stated_at, d.last_day,
        r.name, r.status, r.registered_on, r.valid_from
    FROM ({which}) AS w
    LEFT JOIN operators o ON o.id = w.operator_id
    LEFT JOIN LATERAL (SELECT DISTINCT l.account_id FROM account_links l WHERE l.operator_id = o.id
        AND l.linked_from <= $2 AND (l.linked_to IS NULL OR l.linked_to > $2)) h ON true
    LEFT JOIN LATERAL (SELECT * FROM registration_files v WHERE v.account_id = h.account_id AND v.stated_at <= $2
        ORDER BY v.version DESC LIMIT 1) f ON true
    LEFT JOIN LATERAL (SELECT min(c.last_day) AS last_day FROM clocks c WHERE c.subject = f.account_id
        AND c.kind = ANY ($4::text[]) AND c.state = 'running') d ON true
    LEFT JOIN registry_entries r ON r.jurisdiction = o.jurisdiction AND r.scheme = o.scheme AND r.number = o.number
        AND r.valid_from <= $3 AND (r.valid_to IS NULL OR r.valid_to > $3)
    ORDER BY f.account_id
"""
_WHOLE_BY = {which: _WHOLE.format(which=which) for which in (_BY_ID, _BY_ACCOUNT, _BY_NUMBER, _BY_PAGES)}
_content = msgspec.json.Decoder(dict[str, Any]).decode


class Which(NamedTuple):
    """How an operator is asked for, and what is said where there is none."""

    statement: str
    value: object
    absent: str


def by_id(operator_id: UUID) -> Which:
    """Ask for an operator by its own id."""
    return Which(_BY_ID, operator_id, f"no operator {operator_id}")


def by_account(account: UUID) -> Which:
    """Ask for the operator behind an account."""
    return Which(_BY_ACCOUNT, account, "no operator with this account or number")


def by_number(number: str) -> Which:
    """Ask for the operator with a registration number."""
    return Which(_BY_NUMBER, number, "no operator with this account or number")


def by_page(url: str) -> Which:
    """Ask for the operator of the shop that a page is of."""
    page = page_of(url)
    return Which(_BY_PAGES, page.fronts() if page is not None else [], "no operator has a shop there")


async def operator(session: AsyncSession, which: Which, as_of: datetime) -> dict[str, Any]:
    """Return an operator with the accounts it held at an instant. Raises OperatorNotFound."""
    asked = (which.value, as_of, as_of.date(), list(reverification.FIRING))
    rows = await (await driver(session)).fetch(_WHOLE_BY[which.statement], *asked)
    if not rows:
        raise OperatorNotFound(which.absent)
    files = [row for row in rows if row["account_id"] is not None]
    if not files:
        raise OperatorNotFound(f"no operator {rows[0]['operator_id']} at that time")
    values = kept(session, RuleValues)
    await values.refresh(session)
    return _answer(files, values)


def _answer(files: Sequence[asyncpg.Record], values: RuleValues) -> dict[str, Any]:
    contents = [_content(row["content"]) for row in files]
    first, newest = files[0], max(range(len(files)), key=lambda n: (files[n]["stated_at"], files[n]["account_id"]))
    registered = None
    if first["valid_from"] is not None:
        registered = {name: first[name] for name in ("name", "status", "registered_on", "valid_from")}
    return {
        **{name: first[name] for name in ("id", "jurisdiction", "scheme", "number")},
        # What the register says goes before what platforms do.
        "name": registered["name"] if registered is not None else contents[newest].get("legal_name"),
        "registered": registered,
        "accounts": [_account(row, content, values) for row, content in zip(files, contents, strict=True)],
    }


def _account(row: asyncpg.Record, content: dict[str, Any], values: RuleValues) -> dict[str, Any]:
    day, jurisdiction = row["stated_at"].date(), row["jurisdiction"]
    refusals = remedies.explained(row["reasons"], values, on=day, jurisdiction=jurisdiction)
    return {
        "refusals": [one._asdict() for one in refusals],
        "account_id": row["account_id"],
        "platform_id": row["platform_id"],
        "operator_ref": content.get("operator_ref", ""),
        **{name: row[name] for name in ("version", "state", "verdict", "reasons")},
        "content": {name: value for name, value in content.items() if name != "sealed"},
        "sealed": sorted(content.get("sealed", ())),
        "stated_at": row["stated_at"],
        "verification_due_on": row["last_day"],
    }
