"""What could not be applied: list it, look at it, apply it again."""

import asyncio
import importlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, cast
from uuid import UUID

import typer
from rich.box import SIMPLE
from rich.table import Column, Table

from deploy.commands import screen
from deploy.commands.databases import urls_of
from deploy.commands.options import DatabaseUrl, PortBase, VarDir
from deploy.commands.refusals import or_end
from deploy.layout import Ports
from shared.consumer import Consumer
from shared.database import Sessions, make_engine, make_sessions, transaction
from shared.messaging import Quarantined
from shared.releasing import headers_of, release, waiting
from shared.settings import ServiceSettings

quarantine = typer.Typer(help="Messages that could not be applied.", no_args_is_help=True)

Identifier = Annotated[UUID, typer.Argument(help="as `crosswatch quarantine list` shows it")]
_CONSUMING = ("identity", "listings", "risk", "credit", "disputes", "gateway")
_Consumers = Callable[[ServiceSettings], list[Consumer]]


@dataclass(frozen=True)
class Held:
    """A message and the service that holds it."""

    service: str
    message: Quarantined


@quarantine.command("list")
def list_messages(
    *,
    everything: Annotated[bool, typer.Option("--all", help="released ones, too")] = False,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    database_url: DatabaseUrl = None,
) -> None:
    """List what waits in the quarantines of all services."""
    held = or_end(lambda: asyncio.run(_Quarantines(var, port_base, database_url).all(released=everything)))
    table = Table(Column("id", no_wrap=True), "for", "at", "bytes", "code", "since", "released", box=SIMPLE)
    for one in held:
        m = one.message
        released = f"{m.released_at:%F %T}" if m.released_at else ""
        place = f"{m.topic}/{m.partition}@{m.offset}"
        since = f"{m.quarantined_at:%F %T}"
        table.add_row(str(m.id), m.consumer, place, f"{len(m.value):,}", m.code, since, released)
    screen.console.print(table if held else "nothing is in quarantine")


@quarantine.command()
def show(
    identifier: Identifier,
    *,
    raw: Annotated[bool, typer.Option("--raw", help="write the value alone, byte for byte")] = False,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    database_url: DatabaseUrl = None,
) -> None:
    """Show one message: why it is here, its key, headers and value."""
    message = or_end(lambda: asyncio.run(_Quarantines(var, port_base, database_url).one(identifier))).message
    if raw:
        typer.get_binary_stream("stdout").write(message.value)
        return
    typer.echo(f"{message.topic}/{message.partition}@{message.offset} for {message.consumer}")
    typer.echo(f"{message.code}: {message.detail}")
    typer.echo(f"key: {message.key!r}")
    for name, content in headers_of(message):
        typer.echo(f"{name}: {content!r}")
    typer.echo(f"\n{message.value[:4_000]!r}")


@quarantine.command("release")
def release_messages(
    identifiers: Annotated[list[UUID] | None, typer.Argument(help="which; none with --all")] = None,
    *,
    everything: Annotated[bool, typer.Option("--all", help="whatever waits, in its order")] = False,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    database_url: DatabaseUrl = None,
) -> None:
    """Apply messages by the handlers that refused them; status 1 when one has to stay."""
    if bool(identifiers) == everything:
        raise typer.BadParameter("name messages, or say --all")
    quarantines = _Quarantines(var, port_base, database_url)
    staying = or_end(lambda: asyncio.run(quarantines.release(identifiers, typer.echo)))
    raise typer.Exit(1 if staying else 0)


@dataclass(frozen=True)
class _Quarantines:
    var: Path
    port_base: int
    database_url: str | None

    async def all(self, *, released: bool = False) -> list[Held]:
        """Return what the services hold."""
        held = []
        for service in _CONSUMING:
            async with self._sessions(service) as sessions, transaction(sessions) as session:
                held += [Held(service, message) for message in await waiting(session, released=released)]
        return held

    async def one(self, identifier: UUID) -> Held:
        """Return one message, released or not."""
        for held in await self.all(released=True):
            if held.message.id == identifier:
                return held
        raise typer.BadParameter(f"no message {identifier} is or was in quarantine")

    async def release(self, identifiers: Sequence[UUID] | None, say: Callable[[str], None]) -> int:
        """Release messages; return how many have to stay."""
        chosen = await self.all() if identifiers is None else [await self.one(i) for i in identifiers]
        staying = 0
        for held in chosen:
            reason = await self._release(held)
            staying += reason is not None
            say(f"{held.message.id} {'released' if reason is None else f'stays: {reason}'}")
        return staying

    async def _release(self, held: Held) -> str | None:
        async with self._sessions(held.service) as sessions:
            return await release(sessions, self._consumers(held.service), held.message.id)

    def _consumers(self, service: str) -> list[Consumer]:
        # By name, as the host loads them: what applies a message again is the service's own composition.
        settings = importlib.import_module(f"services.{service}.settings").Settings
        consumers = cast("_Consumers", importlib.import_module(f"services.{service}.worker").consumers)
        return consumers(settings(database_url=self._url(service)))

    def _url(self, service: str) -> str:
        return urls_of(self.var, Ports(self.port_base), self.database_url)[service].app

    @asynccontextmanager
    async def _sessions(self, service: str) -> AsyncIterator[Sessions]:
        engine = make_engine(self._url(service), pool_size=1)
        try:
            yield make_sessions(engine)
        finally:
            await engine.dispose()
