"""Engines, sessions and the conventions every service's tables follow."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar
from uuid import UUID

import asyncpg
from sqlalchemy import ARRAY, ColumnElement, MetaData, Uuid, any_, literal
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import InstrumentedAttribute

EVERY_PLATFORM = "*"
NO_PLATFORM = ""

_NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# The driver's own errors that mean "the world is bad", not "the message is bad".
CONNECTION_ERRORS: tuple[type[BaseException], ...] = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # What asyncpg makes of a server that dies between two messages.
    asyncpg.InternalClientError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.TransactionRollbackError,
)

Sessions = async_sessionmaker[AsyncSession]
K = TypeVar("K")
V = TypeVar("V")
_KEPT = "kept"
_DRIVER = "driver"


def new_metadata() -> MetaData:
    """Return metadata with the naming convention that makes migrations reproducible."""
    return MetaData(naming_convention=_NAMING)


def make_engine(url: str, *, pool_size: int = 8) -> AsyncEngine:
    """Return an engine on asyncpg that gives up on abandoned transactions."""
    return create_async_engine(
        url,
        pool_size=pool_size,
        max_overflow=pool_size,
        # A ping is three round trips a transaction; one that fails is tried again or answered 503 all the same.
        pool_pre_ping=False,
        connect_args={
            "timeout": 5,
            "command_timeout": 60,
            "server_settings": {"idle_in_transaction_session_timeout": "30000", "jit": "off"},
        },
    )


def make_sessions(engine: AsyncEngine) -> Sessions:
    """Return the session factory of an engine."""
    kept: dict[type[object], object] = {}
    return async_sessionmaker(engine, expire_on_commit=False, info={_KEPT: kept})


def kept(session: AsyncSession, kind: type[K]) -> K:
    """Return this process's memory of a kind beside a database: one for each session factory."""
    memory: dict[type[object], object] = session.info[_KEPT]
    found = memory.setdefault(kind, kind())
    assert isinstance(found, kind), "it is kept under its own kind"
    return found


class Bounded(Generic[K, V]):
    """The newest values of a process, by key; the oldest make room.

    It may be believed only behind `kept()`: a batch that fails, and partitions that change hands, empty it.
    """

    def __init__(self, most: int = 200_000) -> None:
        self._values: dict[K, V] = {}
        self._most = most

    def of(self, keys: Iterable[K]) -> dict[K, V]:
        """Return what is known of some keys."""
        return {key: self._values[key] for key in keys if key in self._values}

    def keep(self, values: Mapping[K, V]) -> None:
        """Keep values as the newest."""
        for key in values:
            self._values.pop(key, None)
        self._values.update(values)
        for key in list(islice(self._values, max(0, len(self._values) - self._most))):
            del self._values[key]


def forget(session: AsyncSession) -> None:
    """Empty this process's memory: what was rolled back, a savepoint's too, may be counted in it already."""
    session.info[_KEPT].clear()


@asynccontextmanager
async def transaction(sessions: Sessions, platform: str = EVERY_PLATFORM) -> AsyncIterator[AsyncSession]:
    """Open one transaction in which row-level security shows `platform` (or every one); commit at its end."""
    async with sessions() as session:
        try:
            async with session.begin():
                await see_platform(session, platform)
                session.info[_DRIVER] = await driver(session)
                yield session
        except BaseException:
            forget(session)
            raise


async def see_platform(session: AsyncSession, platform: str) -> None:
    """Set whose rows this transaction sees; without it row-level security shows none."""
    connection = await session.connection()
    await connection.exec_driver_sql("SELECT set_config('crosswatch.platform', $1, true)", (platform,))


async def driver(session: AsyncSession) -> "asyncpg.Connection[asyncpg.Record]":
    """Return asyncpg's connection of a session, for arrays and binary rows.

    The session's transaction is open by then: `transaction()` has set whose rows it sees.
    """
    # Asked for ten times a batch, and each time SQLAlchemy goes through a greenlet for it. A savepoint is only set
    # by asking.
    raw = session.info.get(_DRIVER)
    if raw is None or session.in_nested_transaction():
        connection = await session.connection()
        raw = (await connection.get_raw_connection()).driver_connection
    assert isinstance(raw, asyncpg.Connection)
    return raw


class Executes(Protocol):
    """What statements are handed to: a connection, or what keeps them for one."""

    async def execute(self, query: str, /, *values: Any) -> object:
        """Execute a statement, or see to it that it will be."""


def among(column: InstrumentedAttribute[Any], ids: Iterable[UUID]) -> ColumnElement[bool]:
    """Return the condition that a column is one of many ids: as one array, where `in_()` has a parameter for each."""
    return column == any_(literal(list(ids), ARRAY(Uuid)))


def text_array(items: Sequence[str]) -> str:
    """Return texts as PostgreSQL writes `text[]`, for a parameter `$1::text::text[]`.

    The driver asks of each element of an array whether it is an array itself, which costs several times as much.
    No text in PostgreSQL holds U+0000, so it can stand between them. Raises ValueError where one does.
    """
    joined = "\0".join(items)
    if joined.count("\0") != max(0, len(items) - 1):
        raise ValueError("a text with U+0000 cannot be stored")
    escaped = joined.replace("\\", "\\\\").replace('"', '\\"').replace("\0", '","')
    return f'{{"{escaped}"}}' if items else "{}"


def number_array(items: Sequence[float]) -> str:
    """Return finite numbers or truths as PostgreSQL writes an array of them, for `$1::text::int[]` and the like."""
    return f"{{{repr(list(items))[1:-1]}}}"


def columns(rows: Iterable[Sequence[Any]], *forms: Callable[[Sequence[Any]], object]) -> list[object]:
    """Return rows by column, each in the form its parameter takes: `list`, `text_array` or `number_array`."""
    return [form(column) for form, column in zip(forms, zip(*rows, strict=True), strict=True)]


def is_connection_error(error: BaseException) -> bool:
    """Tell whether an error, or what caused it, says that the database went away."""
    seen: BaseException | None = error
    while seen is not None:
        # A value that no column can hold is an InterfaceError too, to asyncpg: waiting would not make it fit.
        if isinstance(seen, ValueError):
            return False
        if isinstance(seen, CONNECTION_ERRORS) or getattr(seen, "connection_invalidated", False):
            return True
        seen = getattr(seen, "orig", None) or seen.__cause__
    return False
