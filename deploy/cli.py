"""The command `crosswatch`: every command in one list."""

import typer

from deploy.commands import callers, running

app = typer.Typer(
    name="crosswatch",
    help="Smart supervision of cross-border e-commerce.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command()(running.up)
app.command()(running.run)
app.command()(running.simulate)
app.command()(callers.token)
app.add_typer(callers.keys, name="keys")
