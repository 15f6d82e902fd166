"""What the commands show: progress, the summary and the addresses."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

import msgspec
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from deploy.layout import Ports
from deploy.report import Report
from simulator.totals import Totals

console = Console()


class ShowsTotals(Protocol):
    """Shows how far a stream is."""

    def __call__(self, totals: Totals, /) -> None:
        """Show these totals."""
        ...


def show_log() -> None:
    """Print what the stack says about itself, above any progress bar."""
    handler = RichHandler(console=console, show_path=False, show_level=False, omit_repeated_times=False)
    logging.getLogger("deploy").addHandler(handler)
    logging.getLogger("deploy").setLevel(logging.INFO)


@contextmanager
def progress(expected_events: int | None) -> Iterator[ShowsTotals]:
    """Show a bar while events stream."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as bar:
        task = bar.add_task("streaming events", total=expected_events)

        def _show(totals: Totals, /) -> None:
            rate = totals.events / max(bar.tasks[task].elapsed or 0.0, 0.001)
            bar.update(task, completed=totals.events, description=f"streaming events, {rate:,.0f}/s")

        yield _show
        bar.update(task, total=bar.tasks[task].completed)


def summary(report: Report) -> None:
    """Print the report as a table."""
    table = Table(title=f"{report.source}, {report.seconds:.1f} s", title_justify="left")
    table.add_column("what")
    table.add_column("sent", justify="right")
    table.add_column("accepted", justify="right")
    for kind, sent in report.sent.items():
        table.add_row(kind.replace("_", " "), f"{sent:,}", f"{report.accepted.get(kind, 0):,}")
    table.add_section()
    table.add_row("duplicate, rejected", f"{report.duplicate:,}", f"{report.rejected:,}")
    for part in ("identity", "matching", "risk", "declarations", "credit", "notices", "reconciliation"):
        table.add_section()
        for name, value in msgspec.structs.asdict(getattr(report, part)).items():
            counts = {f"{name}: {kind}": n for kind, n in value.items()} if isinstance(value, dict) else {name: value}
            for said, count in counts.items():
                table.add_row(f"{part}: {said.replace('_', ' ')}", "", f"{count:,}")
    console.print(table)
    if report.schemes:
        schemes(report)


def schemes(report: Report) -> None:
    """Print what of the planted schemes was found."""
    table = Table(title="planted schemes, by open alerts", title_justify="left")
    for column in ("scheme", "planted", "found", "recall", "precision"):
        table.add_column(column, justify="left" if column == "scheme" else "right")
    for name, one in report.schemes.items():
        shares = ("–" if share is None else f"{share:.2f}" for share in (one.recall, one.precision))
        table.add_row(name.replace("_", " "), f"{one.planted:,}", f"{one.found:,}", *shares)
    console.print(table)


def answers(totals: Totals) -> None:
    """Print how a stream was answered."""
    console.print(
        f"{totals.accepted:,} accepted, {totals.duplicate:,} duplicate, {totals.rejected:,} rejected; "
        f"batches answered within {totals.latency(50):.3f} s (p50) and {totals.latency(99):.3f} s (p99)"
    )


def addresses(ports: Ports, services: tuple[str, ...]) -> None:
    """Print where each service answers."""
    table = Table(box=None, show_header=False)
    for service in services:
        table.add_row(service, f"{ports.url(service)}/docs")
    console.print(table)
    console.print("Ctrl-C stops everything; nothing that was accepted is lost.")
