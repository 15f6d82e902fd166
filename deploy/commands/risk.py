"""The models and the chains of the risk service."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer
from rich.box import SIMPLE
from rich.table import Table

from deploy.commands import screen
from deploy.commands.databases import urls_of
from deploy.commands.institutions import institutions
from deploy.commands.options import DatabaseUrl, PortBase, VarDir
from deploy.commands.refusals import or_end
from deploy.layout import Ports
from services.risk import chains, chance_training, habit_training, training
from services.risk.bookkeeping import verify_whole
from services.risk.champions import name_of
from services.risk.models import Model
from shared.clock import utc_now
from shared.database import Sessions, make_engine, make_sessions, transaction

risk = typer.Typer(help="The models, chains and registries of the risk service.", no_args_is_help=True)
risk.add_typer(institutions, name="institutions")


class Training(Protocol):
    """Trains one kind of model and stores it."""

    async def __call__(self, sessions: Sessions, *, now: datetime) -> Model:
        """Return the model. Raises a DomainError where that cannot be done."""


class Kind(StrEnum):
    """What a model scores."""

    DECLARATIONS = "declarations"
    HABITS = "habits"
    ALERTS = "alerts"


_TRAININGS: Mapping[Kind, Training] = {
    Kind.DECLARATIONS: training.challenge,
    Kind.HABITS: habit_training.challenge,
    Kind.ALERTS: chance_training.challenge,
}


@risk.command()
def train(
    kind: Annotated[Kind, typer.Argument(help="what the model scores")],
    *,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    database_url: DatabaseUrl = None,
) -> None:
    """Train from what the service has stored; adopted only if it is better than what scores now."""
    url = or_end(lambda: urls_of(var, Ports(port_base), database_url)["risk"].app)
    with screen.console.status(f"learning {kind}"):
        model = or_end(lambda: asyncio.run(_train(url, _TRAININGS[kind])))
    _show(model)


async def _train(url: str, challenge: Training) -> Model:
    engine = make_engine(url)
    try:
        return await challenge(make_sessions(engine), now=utc_now())
    finally:
        await engine.dispose()


@risk.command("verify-chain")
def verify_chain(
    platform: Annotated[str | None, typer.Argument(help="whose chain; without it every platform's")] = None,
    *,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
    database_url: DatabaseUrl = None,
) -> None:
    """Compute the hash chain of what a platform stated anew, and name the first link that was rewritten."""
    url = or_end(lambda: urls_of(var, Ports(port_base), database_url)["risk"].app)
    found = or_end(lambda: asyncio.run(_verify(url, platform)))
    for name, verified in found.items():
        broken = verified.broken_at
        said = "as they were chained" if broken is None else f"broken at link {broken.sequence}: {broken.why}"
        screen.console.print(f"{name}: {verified.checked_to:,} of {verified.length:,} links {said}", soft_wrap=True)
    if not found:
        screen.console.print("nothing has been chained yet")
    if any(verified.broken_at for verified in found.values()):
        raise typer.Exit(1)


async def _verify(url: str, platform: str | None) -> dict[str, chains.Verified]:
    engine = make_engine(url)
    sessions = make_sessions(engine)
    try:
        async with transaction(sessions) as session:
            names = [platform] if platform is not None else await chains.platforms(session)
        return {name: await verify_whole(sessions, name) for name in names}
    finally:
        await engine.dispose()


def _of_alerts(table: Table, card: dict[str, Any]) -> None:
    for name, what in (("trained", "trained on"), ("held_back", "judged by")):
        table.add_row(what, _span(card[name], "confirmed"))
    for name in ("average_precision", "brier"):
        table.add_row(name.replace("_", " "), f"{card[name]:.3f}")
        table.add_row(f"{name.replace('_', ' ')}, precision of rules", f"{card[f'{name}_by_rule']:.3f}")
        if card["incumbent_score_drift"] is not None:
            table.add_row(f"{name.replace('_', ' ')}, {card['incumbent']}", f"{card[f'incumbent_{name}']:.3f}")
    if card["score_drift"] is not None:
        table.add_row("drift of its chances (PSI)", f"{card['score_drift']:.3f}")


def _show(model: Model) -> None:
    card = model.card
    table = Table("what", "value", title=f"{name_of(model)}: {model.state}", title_justify="left", box=SIMPLE)
    _ROWS[Kind(model.kind)](table, card)
    for name, index in sorted(card["drift"].items(), key=lambda drift: -drift[1])[:5]:
        table.add_row(f"drift of {name} (PSI)", f"{index:.3f}")
    screen.console.print(table)


def _of_habits(table: Table, card: dict[str, Any]) -> None:
    table.add_row("learnt from", f"{card['trained']['acts']:,} acts")
    table.add_row("held against", f"{card['held_back']['acts']:,} later ones")
    for share, observed in card["observed"].items():
        table.add_row(f"a chance of {share} came", f"{observed:.5f}")
    table.add_row("error, powers of ten", f"{card['error']:.3f}")
    if card["incumbent_error"] is not None:
        table.add_row(f"error of {card['incumbent']}", f"{card['incumbent_error']:.3f}")


def _of_declarations(table: Table, card: dict[str, Any]) -> None:
    share = f"{card['inspected_share']:.0%}"
    table.add_row("trained on", _span(card["trained"]))
    table.add_row("judged by", _span(card["held_back"]))
    table.add_row(f"precision at {share}", f"{card['precision']:.3f}")
    table.add_row(f"precision at {share}, {card['incumbent']}", f"{card['incumbent_precision']:.3f}")
    for name, gain in card["top_gains"].items():
        table.add_row(f"gain of {name}", f"{gain:.1%}")


_ROWS = {Kind.DECLARATIONS: _of_declarations, Kind.HABITS: _of_habits, Kind.ALERTS: _of_alerts}


def _span(span: dict[str, Any], what: str = "violations") -> str:
    return f"{span['from']} to {span['to']}: {span['outcomes']:,} outcomes, {span['base_rate']:.1%} {what}"
