"""Write a new migration: `python -m deploy.revision disputes "add case deadline"`.

The models are compared with a database that is migrated on the spot in a throwaway PostgreSQL: neither a
running stack nor its data matters.
"""

import asyncio
import signal
import sys
import tempfile
from pathlib import Path

from alembic import command

from deploy.databases import Passwords, provision, service_urls
from deploy.embedded import EmbeddedPostgres
from deploy.layout import ROOT, SERVICES
from deploy.preflight import free_port
from shared.migrations import alembic_config, upgrade


def main() -> None:
    """Write one file under `services/<name>/migrations/versions`, numbered after the last."""
    if len(sys.argv) != 3 or sys.argv[1] not in SERVICES:
        sys.exit(f'usage: python -m deploy.revision {"|".join(SERVICES)} "<words>"')
    service, words = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="crosswatch-revision-") as name:
        directory = Path(name)
        # PostgreSQL runs as another user when we are root.
        directory.chmod(0o711)
        asyncio.run(_compare(directory, service, words))


async def _compare(directory: Path, service: str, words: str) -> None:
    passwords = Passwords(directory / "passwords.json")
    port, secret = free_port(), passwords.of("postgres")
    server = EmbeddedPostgres(directory / "postgres", port, secret, log=directory / "postgres.log")
    child = server.child()
    child.start()
    try:
        await server.ready(child)
        urls = service_urls(server.admin_url, service, passwords)
        await provision(server.admin_url, {service: urls}, "revision")
        await asyncio.to_thread(upgrade, service, urls.owner)
        await asyncio.to_thread(_write, service, urls.owner, words)
    finally:
        child.send(signal.SIGQUIT)
        await child.ended(5)
        await child.kill()


def _write(service: str, url: str, words: str) -> None:
    config = alembic_config(service, url)
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    command.revision(config, message=words, autogenerate=True, rev_id=_next_number(service))


def _next_number(service: str) -> str:
    """Return the next number: two parallel migrations then collide in git, not in production."""
    versions = ROOT / "services" / service / "migrations" / "versions"
    numbers = [int(path.name[:4]) for path in versions.glob("[0-9]*.py")]
    return f"{max(numbers, default=0) + 1:04}"


if __name__ == "__main__":
    main()
