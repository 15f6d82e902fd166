"""Wrapping the keys of personal data and of badges by another master key."""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands import screen
from deploy.commands.databases import urls_of
from deploy.commands.options import DatabaseUrl, PortBase, VarDir
from deploy.commands.refusals import or_end
from deploy.layout import Ports
from services.identity import badge_keys
from services.identity.settings import Settings
from services.identity.vault import open_vault
from shared.database import make_engine, make_sessions, transaction


def rewrap(
    *,
    masters: Annotated[
        Path | None, typer.Option("--master-keys", help="file of master keys; default: under --var")
    ] = None,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    database_url: DatabaseUrl = None,
) -> None:
    """Wrap every key by the first master key of the file; then the others are needed no more.

    First add the new one as the first line and start the services again, so that they know both.
    """
    urls = or_end(lambda: urls_of(var, Ports(port_base), database_url))
    settings = Settings(
        database_url=urls["identity"].app,
        keys_database_url=urls["identity_keys"].app,
        master_keys=masters,
        var_dir=var,
    )
    subjects, badges = or_end(lambda: asyncio.run(_rewrap(settings)))
    screen.console.print(f"{subjects:,} keys of accounts and {badges:,} of badges wrapped anew")


async def _rewrap(settings: Settings) -> tuple[int, int]:
    vault, engine = open_vault(settings), make_engine(settings.database_url)
    try:
        subjects = 0
        while some := await vault.keys.rewrap():
            subjects += some
        async with transaction(make_sessions(engine)) as session:
            return subjects, await badge_keys.rewrap(session, vault.masters)
    finally:
        await engine.dispose()
        await vault.keys.close()
