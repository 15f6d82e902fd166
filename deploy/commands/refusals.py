"""How a command ends when there is something for its user to change."""

from collections.abc import Callable
from typing import TypeVar

import typer

from deploy.preflight import StackError
from shared.errors import DomainError

T = TypeVar("T")


def or_end(call: Callable[[], T]) -> T:
    """Call, and end with a plain sentence when the stack cannot do what is asked."""
    try:
        return call()
    except (StackError, DomainError, OSError) as error:
        typer.echo(f"crosswatch: {error}", err=True)
        raise typer.Exit(1) from error
