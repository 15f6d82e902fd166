"""Who may call the running stack: tokens, and the keys that sign them."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.options import VarDir
from deploy.tokens import Issuer
from shared.auth import Role

keys = typer.Typer(help="Keys of the local token issuer.", no_args_is_help=True)


def token(
    role: Annotated[Role, typer.Argument(help="who the bearer is")],
    platform: Annotated[str | None, typer.Option(help="the platform whose rows it may see and write")] = None,
    subject: Annotated[str | None, typer.Option(help="the person or system it speaks for")] = None,
    hours: Annotated[float, typer.Option(help="how long it is good")] = 12.0,
    var: VarDir = Path("var"),
) -> None:
    """Print a bearer token of the stack on this data directory."""
    if role is Role.PLATFORM and not platform:
        raise typer.BadParameter("a platform's token names its platform: --platform ID")
    lifetime = timedelta(hours=hours)
    typer.echo(_issuer(var).issue(role, platform_id=platform, subject=subject, lifetime=lifetime))


@keys.command("list")
def list_keys(var: VarDir = Path("var")) -> None:
    """List the keys that verify tokens; the last one signs."""
    *verifying, signing = _issuer(var).key_ids()
    for key_id in verifying:
        typer.echo(f"{key_id}  verifies")
    typer.echo(f"{signing}  signs")


@keys.command()
def rotate(var: VarDir = Path("var")) -> None:
    """Sign with a new key from now on; tokens already out stay good."""
    typer.echo(_issuer(var).rotate())


@keys.command()
def drop(key_id: str, var: VarDir = Path("var")) -> None:
    """Stop trusting a key and every token it signed."""
    try:
        _issuer(var).drop(key_id)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error


def _issuer(var: Path) -> Issuer:
    return Issuer(var / "keys")
