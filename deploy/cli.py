"""The command `crosswatch`: every command in one list."""

import typer

from deploy.commands import callers, detect, identity, quarantine, reconcile, replay, risk, rules, running

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
app.command()(reconcile.reconcile)
app.command()(replay.replay)
app.command()(callers.token)
app.command()(detect.detect)
app.add_typer(callers.keys, name="keys")
app.add_typer(rules.rules, name="rules")
app.add_typer(risk.risk, name="risk")
app.add_typer(identity.identity, name="identity")
app.add_typer(quarantine.quarantine, name="quarantine")
