"""One database, one owner and one application role per service, on any PostgreSQL."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import asyncpg

from deploy.preflight import StackError
from deploy.secret_files import alone_with, write_secret

_DRIVER = "postgresql+asyncpg"


@dataclass(frozen=True)
class ServiceUrls:
    """How a service reaches its database: as itself, and as the owner of its tables (migrations only)."""

    app: str
    owner: str

    @classmethod
    def from_environment(cls, service: str, environment: Mapping[str, str]) -> "ServiceUrls":
        """Read `<NAME>_DATABASE_URL` and `<NAME>_OWNER_DATABASE_URL`."""
        name = service.upper()
        try:
            return cls(environment[f"{name}_DATABASE_URL"], environment[f"{name}_OWNER_DATABASE_URL"])
        except KeyError as missing:
            raise StackError(f"the environment variable {missing.args[0]} is not set") from missing


class Passwords:
    """Random passwords of one installation, made when first asked for and kept in one secret file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._read()

    def of(self, role: str) -> str:
        """Return the password of a database role: the same in all processes, whichever made it."""
        if role not in self._known:
            with alone_with(self._path):
                self._known = self._read()
                if role not in self._known:
                    self._known[role] = secrets.token_urlsafe(24)
                    write_secret(self._path, json.dumps(self._known, indent=2))
        return self._known[role]

    def _read(self) -> dict[str, str]:
        return dict(json.loads(self._path.read_text())) if self._path.exists() else {}


def database_name(service: str) -> str:
    """Return the name of a service's database."""
    return f"crosswatch_{service}"


def service_urls(admin_url: str, service: str, passwords: Passwords) -> ServiceUrls:
    """Return the URLs of a service on the server of `admin_url`."""
    server = urlsplit(admin_url)
    host, port = server.hostname or "127.0.0.1", server.port or 5432

    def _as(role: str) -> str:
        return f"{_DRIVER}://{role}:{quote(passwords.of(role))}@{host}:{port}/{database_name(service)}"

    return ServiceUrls(_as(f"{service}_app"), _as(f"{service}_owner"))


def plain(url: str) -> str:
    """Return a URL as asyncpg itself reads it."""
    return url.replace(f"{_DRIVER}://", "postgresql://")


async def provision(admin_url: str, services: Mapping[str, ServiceUrls], installation: str) -> None:
    """Create what is missing of roles and databases, and set the roles' passwords to those of the URLs."""
    admin = await asyncpg.connect(plain(admin_url), timeout=10)
    try:
        for service, urls in services.items():
            await _create_role(admin, urls.owner)
            await _create_role(admin, urls.app)
            await _create_database(admin, database_name(service), urls, installation)
    finally:
        await admin.close()
    for urls in services.values():
        await _grant(urls)


async def drop_databases(admin_url: str, services: Mapping[str, ServiceUrls], installation: str) -> None:
    """Drop the databases this installation created; refuse to touch those of anybody else."""
    admin = await asyncpg.connect(plain(admin_url), timeout=10)
    try:
        for name in map(database_name, services):
            found = await admin.fetchrow(
                "SELECT shobj_description(oid, 'pg_database') AS mark FROM pg_database WHERE datname = $1",
                name,
            )
            if found is None:
                continue
            if found["mark"] != _mark(installation):
                raise StackError(
                    f"the server of DATABASE_URL has a database {name} that this installation did not "
                    "create. KEEP=1 goes on with its data; to start empty, drop it or use another server."
                )
            await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


def _mark(installation: str) -> str:
    return f"crosswatch installation {installation}"


async def _create_role(admin: "asyncpg.Connection[asyncpg.Record]", url: str) -> None:
    parts = urlsplit(url)
    role, password = parts.username or "", unquote(parts.password or "")
    if not await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role):
        await admin.execute(f'CREATE ROLE "{role}" LOGIN')
    # Utility statements take no parameters; quote_literal() is the server's own quoting.
    literal = await admin.fetchval("SELECT quote_literal($1)", password)
    await admin.execute(f'ALTER ROLE "{role}" PASSWORD {literal}')


async def _create_database(
    admin: "asyncpg.Connection[asyncpg.Record]", name: str, urls: ServiceUrls, installation: str
) -> None:
    if await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        return
    owner = urlsplit(urls.owner).username
    # An administrator that is no superuser must be a member of a role to make it an owner.
    await admin.execute(f'GRANT "{owner}" TO CURRENT_USER')
    await admin.execute(f'CREATE DATABASE "{name}" OWNER "{owner}"')
    await admin.execute(f"COMMENT ON DATABASE \"{name}\" IS '{_mark(installation)}'")


async def _grant(urls: ServiceUrls) -> None:
    """Let the application role use, and never alter, what its owner will create."""
    app = urlsplit(urls.app).username
    owner = await asyncpg.connect(plain(urls.owner), timeout=10)
    try:
        name = await owner.fetchval("SELECT current_database()")
        await owner.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        await owner.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{app}"')
        await owner.execute("REVOKE ALL ON SCHEMA public FROM PUBLIC")
        await owner.execute(f'GRANT USAGE ON SCHEMA public TO "{app}"')
        for rights, kind in (
            ("SELECT, INSERT, UPDATE, DELETE", "TABLES"),
            ("USAGE, SELECT, UPDATE", "SEQUENCES"),
        ):
            await owner.execute(f'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT {rights} ON {kind} TO "{app}"')
    finally:
        await owner.close()
