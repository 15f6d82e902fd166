"""Reconciliation on demand: what was published against what was applied."""

import asyncio
from pathlib import Path

import typer
from rich.box import SIMPLE
from rich.table import Table

from deploy.commands import screen
from deploy.commands.databases import urls_of
from deploy.commands.options import DatabaseUrl, PortBase, VarDir
from deploy.commands.refusals import or_end
from deploy.layout import Ports
from deploy.reconciliation import Row
from deploy.reconciliation import reconcile as compare

_COLUMNS = ("topic", "consumer", "published", "unsent", "applied", "lost", "doubled")


def reconcile(*, var: VarDir = Path("var"), port_base: PortBase = Ports.base, database_url: DatabaseUrl = None) -> None:
    """Compare every outbox with its readers; status 1 when something is lost, doubled or on its way."""
    rows = or_end(lambda: asyncio.run(compare(urls_of(var, Ports(port_base), database_url))))
    screen.console.print(_table(rows))
    for row in rows:
        for name in row.named:
            typer.echo(f"{row.topic} for {row.consumer}: {name}")
    raise typer.Exit(1 if any(row.lost or row.doubled or row.unsent for row in rows) else 0)


def _table(rows: list[Row]) -> Table:
    table = Table(title="what is in flight counts as lost", title_justify="left", box=SIMPLE)
    for name in _COLUMNS:
        is_name = name in {"topic", "consumer"}
        table.add_column(name, justify="left" if is_name else "right", no_wrap=is_name)
    for row in rows:
        counts = (row.published, row.unsent, row.applied, row.lost, row.doubled)
        table.add_row(row.topic, row.consumer, *(f"{count:,}" for count in counts))
    return table
