"""Looking up an operator among a million, as the door of identity answers: by account, number, or page of a shop."""

import asyncio
import hashlib
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from uuid import UUID

import asyncpg
import numpy as np

from benchmarks.postgres import databases
from benchmarks.results import Result
from deploy.databases import plain
from services.identity import lookups
from shared.clock import utc_now
from shared.database import Sessions, driver, make_engine, make_sessions, transaction

_OPERATORS = 1_000_000
_LOOKS, _WARM = 3_000, 500
# Each operator has one account with one version of its file and one shop, as a register that was loaded.
_FILL = (
    """CREATE TEMPORARY TABLE firms AS
        SELECT n, md5('account ' || n)::uuid AS account_id, md5('operator ' || n)::uuid AS operator_id
        FROM generate_series(1, $1::int) n""",
    """INSERT INTO operators (id, jurisdiction, scheme, number)
        SELECT operator_id, 'CN', 'uscc', '9111' || lpad(n::text, 14, '0') FROM firms""",
    """INSERT INTO accounts (id, platform_id, operator_ref, operator_id, version, state, verdict, reasons, updated_at)
        SELECT account_id, 'north', 'shop-' || n, operator_id, 1, 'active', 'verified', '{}', now() FROM firms""",
    """INSERT INTO registration_files (account_id, version, platform_id, operator_id, event_id, event_type, content,
            state, verdict, reasons, stated_at)
        SELECT account_id, 1, 'north', operator_id, 'e' || n, 'platform.operator.registered.v1',
            jsonb_build_object('operator_ref', 'shop-' || n, 'legal_name', 'Trading house ' || n || ' Ltd',
                'entity_type', 'company', 'jurisdiction', 'CN'), 'active', 'verified', '{}', now() - interval '1 day'
        FROM firms""",
    """INSERT INTO account_links (account_id, linked_from, operator_id, platform_id)
        SELECT account_id, now() - interval '1 day', operator_id, 'north' FROM firms""",
    """INSERT INTO shop_addresses (account_id, address, url, operator_id, platform_id)
        SELECT account_id, 'north.example/shops/' || n, 'https://north.example/shops/' || n, operator_id, 'north'
        FROM firms""",
    "ANALYZE",
)
_BY_KEY = "SELECT operator_id FROM accounts WHERE id = $1"

Look = Callable[[Sessions, int], Awaitable[object]]


def lookup_p99_ms() -> Result:
    """Return the 99th percentile of a look-up with the whole answer about the operator."""
    return asyncio.run(_measure())


async def _measure() -> Result:
    async with register(_OPERATORS) as (sessions, _):
        found = {name: await _p99_ms(sessions, look) for name, look in _LOOKED_UP.items()}
        reference = await _p99_ms(sessions, _by_key)
    worst = max(found.values())
    return Result(
        name="identity.lookup_p99_ms",
        value=worst,
        unit="ms",
        reference="one row by its primary key in a transaction of its own",
        reference_value=reference,
        ratio=worst / reference,
        command="make bench ONLY=identity.lookup_p99_ms",
        notes=[
            f"{_OPERATORS:,} operators, {_LOOKS:,} look-ups of each kind one after the other, the slowest kind counts; "
            + ", ".join(f"by {name} {value:.2f} ms" for name, value in found.items())
        ],
    )


async def _p99_ms(sessions: Sessions, look: Look) -> float:
    draw = Random(7)
    spent = []
    for number in range(_WARM + _LOOKS):
        began = time.perf_counter()
        await look(sessions, draw.randint(1, _OPERATORS))
        if number >= _WARM:
            spent.append(time.perf_counter() - began)
    return float(np.percentile(spent, 99)) * 1e3


async def _whole(sessions: Sessions, which: lookups.Which) -> object:
    async with transaction(sessions) as session:
        return await lookups.operator(session, which, utc_now())


async def _by_account(sessions: Sessions, number: int) -> object:
    return await _whole(sessions, lookups.by_account(account_of(number)))


async def _by_number(sessions: Sessions, number: int) -> object:
    return await _whole(sessions, lookups.by_number(f"9111{number:014d}"))


async def _by_page(sessions: Sessions, number: int) -> object:
    return await _whole(sessions, lookups.by_page(f"https://north.example/shops/{number}/items/3"))


async def _by_key(sessions: Sessions, number: int) -> object:
    async with transaction(sessions) as session:
        return await (await driver(session)).fetchval(_BY_KEY, account_of(number))


_LOOKED_UP: dict[str, Look] = {"account": _by_account, "number": _by_number, "page": _by_page}


def account_of(number: int) -> UUID:
    """Return the id of an account of the register, counted from 1."""
    return _uuid_of(f"account {number}")


def operator_of(number: int) -> UUID:
    """Return the id of the operator that holds it."""
    return _uuid_of(f"operator {number}")


def _uuid_of(text: str) -> UUID:
    # As PostgreSQL's md5() makes it; nothing is kept secret by it.
    return UUID(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest())


@asynccontextmanager
async def register(operators: int) -> AsyncIterator[tuple[Sessions, str]]:
    """Yield sessions of a register with so many operators, on a PostgreSQL of its own, and the URL of its owner."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        directory = Path(name)
        directory.chmod(0o711)  # noqa: ASYNC240 - nothing else runs yet
        async with databases(directory, "identity") as urls:
            await _fill(urls["identity"].owner, operators)
            engine = make_engine(urls["identity"].app, pool_size=1)
            yield make_sessions(engine), urls["identity"].owner
            await engine.dispose()


async def _fill(url: str, operators: int) -> None:
    connection = await asyncpg.connect(plain(url), timeout=10)
    try:
        await connection.execute("SELECT set_config('crosswatch.platform', '*', false)")
        for statement in _FILL:
            arguments = (operators,) if "$1" in statement else ()
            await connection.execute(statement, *arguments, timeout=600)
    finally:
        await connection.close()
