"""The rules of the risk service."""

from pathlib import Path

import httpx
import typer
from rich.box import SIMPLE
from rich.table import Table

from deploy.commands import screen
from deploy.commands.options import PortBase, VarDir
from deploy.commands.replay import ask
from deploy.layout import Ports
from deploy.tokens import Issuer
from shared.auth import Role

rules = typer.Typer(help="The rules transactions, reviews and operators are judged by.", no_args_is_help=True)

_COLUMNS = ("code", "version", "stream", "expression", "severity", "points", "valid_from", "valid_to")


@rules.command("list")
def list_rules(*, var: VarDir = Path("var"), port_base: PortBase = Ports.base) -> None:
    """List every version of every rule."""
    headers = {"authorization": f"Bearer {Issuer(var / 'keys').issue(Role.REGULATOR)}"}
    with httpx.Client(base_url=Ports(port_base).url("risk"), headers=headers, trust_env=False, timeout=60) as risk:
        found = ask(risk, "GET", "/v1/rules")
    table = Table(*(name.replace("_", " ") for name in _COLUMNS), box=SIMPLE)
    for rule in found:
        table.add_row(*("" if rule[name] is None else str(rule[name]) for name in _COLUMNS))
    screen.console.print(table)
