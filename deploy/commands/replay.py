"""Notices once more: ask the gateway to send a department what it was sent before."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from deploy.commands.options import PortBase, VarDir
from deploy.layout import Ports
from deploy.tokens import Issuer
from shared.auth import Role


def replay(
    department: Annotated[str, typer.Argument(help="customs or tax")],
    since: Annotated[datetime, typer.Option(help="send notices again that were queued since then, UTC")],
    *,
    var: VarDir = Path("var"),
    port_base: PortBase = Ports.base,
) -> None:
    """Send a department's notices again, in their order and under their ids."""
    headers = {"authorization": f"Bearer {Issuer(var / 'keys').issue(Role.ADMINISTRATOR)}"}
    with httpx.Client(
        base_url=Ports(port_base).url("gateway"), headers=headers, trust_env=False, timeout=60
    ) as gateway:
        endpoints = [e for e in ask(gateway, "GET", "/v1/endpoints") if e["department"] == department]
        if not endpoints:
            raise typer.BadParameter(f"{department} has no endpoint")
        body = {"since": since.replace(tzinfo=since.tzinfo or UTC).isoformat()}
        for endpoint in endpoints:
            answer = ask(gateway, "POST", f"/v1/endpoints/{endpoint['id']}/replay", body)
            typer.echo(f"{endpoint['url']}: {answer['replayed']:,} notices are due again")


def ask(client: httpx.Client, method: str, path: str, body: dict[str, str] | None = None) -> Any:  # JSON
    """Ask a service, and end with a sentence when it cannot be asked."""
    try:
        return client.request(method, path, json=body).raise_for_status().json()
    except httpx.HTTPStatusError as error:
        typer.echo(f"crosswatch: {error.request.url} answered {error.response.text}", err=True)
    except httpx.TransportError as error:
        typer.echo(f"crosswatch: {client.base_url} does not answer ({error}); is the stack up?", err=True)
    raise typer.Exit(1)
