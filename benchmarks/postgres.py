"""A PostgreSQL of a benchmark's own, with databases of services, migrated."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.databases import Passwords, ServiceUrls, provision, service_urls
from deploy.embedded import POSTGRES_SETTINGS, EmbeddedPostgres
from deploy.preflight import free_port
from shared import migrations


@asynccontextmanager
async def databases(directory: Path, *names: str) -> AsyncIterator[dict[str, ServiceUrls]]:
    """Yield the URLs of databases by name; the server's data lies in `directory`, which others may enter."""
    passwords = Passwords(directory / "passwords.json")
    server = EmbeddedPostgres(
        directory / "postgres",
        free_port(),
        passwords.of("postgres"),
        log=directory / "postgres.log",
        settings=POSTGRES_SETTINGS,
    )
    child = server.child()
    child.start()
    try:
        await server.ready(child)
        urls = {name: service_urls(server.admin_url, name, passwords) for name in names}
        await provision(server.admin_url, urls, "benchmark")
        for name in names:
            await asyncio.to_thread(migrations.upgrade, name, urls[name].owner)
        yield urls
    finally:
        child.send(signal.SIGINT)
        await child.ended(10)
        await child.kill()
