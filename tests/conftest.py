"""A real PostgreSQL and a real broker for the tests that ask for them, started once a session."""

import asyncio
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from deploy.databases import Passwords, ServiceUrls, database_name, plain, provision, service_urls
from deploy.embedded import POSTGRES_SETTINGS, EmbeddedBroker, EmbeddedPostgres
from deploy.preflight import free_port
from deploy.tokens import Issuer
from shared import migrations
from shared.settings import ServiceSettings

# Nothing here has to survive a crash, except in tests/faults, which starts a stack of its own.
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "128MB"}

S = TypeVar("S", bound=ServiceSettings)
NewDatabase = Callable[[str], Awaitable[ServiceUrls]]


class NewSettings(Protocol):
    """Makes the settings of a service on a database of its own."""

    async def __call__(self, kind: type[S], /) -> S:
        """Return settings whose database is migrated and empty but for what migrations seed."""
        ...


@dataclass
class DatabaseServer:
    """A PostgreSQL with one migrated template per service, and clones of them.

    A clone costs 80 ms, as truncating forty tables does, and keeps what migrations seeded.
    """

    admin_url: str
    passwords: Passwords
    templates: dict[str, ServiceUrls] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=count)

    async def clone(self, service: str) -> tuple[str, ServiceUrls]:
        """Return the name and the URLs of a new database of a service."""
        template = self.templates.get(service) or await self._make_template(service)
        original = database_name(service)
        name = f"{original}_{next(self.numbers)}"
        owner = urlsplit(template.owner).username
        await self.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}" OWNER "{owner}"')
        return name, ServiceUrls(
            template.app.removesuffix(original) + name, template.owner.removesuffix(original) + name
        )

    async def drop(self, name: str) -> None:
        """Drop a clone, connections or not."""
        await self.execute(f'DROP DATABASE "{name}" WITH (FORCE)')

    async def execute(self, statement: str) -> None:
        """Run one statement as the superuser."""
        connection = await asyncpg.connect(plain(self.admin_url))
        try:
            await connection.execute(statement)
        finally:
            await connection.close()

    async def _make_template(self, service: str) -> ServiceUrls:
        urls = service_urls(self.admin_url, service, self.passwords)
        await provision(self.admin_url, {service: urls}, "tests")
        await asyncio.to_thread(migrations.upgrade, service, urls.owner)
        self.templates[service] = urls
        return urls


@pytest.fixture(scope="session")
def session_directory() -> Iterator[Path]:
    """Yield a directory that a server running as another user can reach; pytest's own are closed."""
    directory = Path(tempfile.mkdtemp(prefix="crosswatch-tests-"))
    directory.chmod(0o711)
    yield directory
    shutil.rmtree(directory)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def postgres(session_directory: Path) -> AsyncIterator[DatabaseServer]:
    passwords = Passwords(session_directory / "passwords.json")
    server = EmbeddedPostgres(
        session_directory / "postgres",
        free_port(),
        passwords.of("postgres"),
        log=session_directory / "postgres.log",
        settings={**POSTGRES_SETTINGS, **_FAST},
    )
    child = server.child()
    child.start()
    await server.ready(child)
    yield DatabaseServer(server.admin_url, passwords)
    child.send(signal.SIGQUIT)
    await child.ended(5)
    await child.kill()


@pytest_asyncio.fixture
async def new_database(postgres: DatabaseServer) -> AsyncIterator[NewDatabase]:
    """Yield what makes databases of services, each migrated and gone after the test."""
    names = []

    async def _new_database(service: str) -> ServiceUrls:
        name, urls = await postgres.clone(service)
        names.append(name)
        return urls

    yield _new_database
    for name in names:
        await postgres.drop(name)


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Issuer:
    """Return who signs the callers' tokens."""
    return Issuer(tmp_path_factory.mktemp("keys"))


@pytest.fixture
def new_settings(new_database: NewDatabase, issuer: Issuer, tmp_path: Path) -> NewSettings:
    """Return what makes the settings of a service on a database of its own."""

    async def _new_settings(kind: type[S], /) -> S:
        urls = await new_database(kind.model_fields["service"].default)
        has_keys = "keys_database_url" in kind.model_fields
        keys = {"keys_database_url": (await new_database("identity_keys")).app} if has_keys else {}
        return kind.model_validate(
            {
                **keys,
                "database_url": urls.app,
                "owner_database_url": urls.owner,
                "auth_jwks": str(issuer.jwks),
                "var_dir": tmp_path,
            }
        )

    return _new_settings


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def broker(session_directory: Path) -> AsyncIterator[str]:
    """Yield the bootstrap address of a broker; tests share it, so they name their topics and groups apart."""
    server = EmbeddedBroker(free_port(), log=session_directory / "broker.log")
    child = server.child()
    child.start()
    await server.ready(child)
    yield server.bootstrap
    await child.kill()
