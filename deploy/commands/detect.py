"""The detectors on a file: the same code as in the service, without a stack."""

import csv
import re
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import polars as pl
import typer
from polars.exceptions import PolarsError

from deploy.commands import screen
from deploy.commands.refusals import or_end
from services.risk.declarations import Problem, read
from services.risk.triage import Ranked, Triage
from shared.errors import Invalid

_SHOWN_PROBLEMS = 10
_TRUTHS = {"1": True, "0": False, "true": True, "false": False, "": None}


class Kind(StrEnum):
    """What a file holds."""

    DECLARATIONS = "declarations"


def detect(
    kind: Annotated[Kind, typer.Argument(help="what the file holds")],
    *,
    source: Annotated[Path, typer.Option("--input", help="CSV (also .gz) or Parquet to score")],
    out: Annotated[Path, typer.Option(help="CSV to write: id, score, reasons")],
    train: Annotated[Path | None, typer.Option(help="an earlier file of the same form, to learn from")] = None,
    columns: Annotated[str, typer.Option(help="our name=name in the file, separated by commas")] = "",
    label: Annotated[str, typer.Option(help="column of the outcome, 0 or 1; without it none is looked at")] = "",
    feedback_delay: Annotated[str, typer.Option(help="after which an outcome is known, as 7d")] = "7d",
) -> None:
    """Score what a file holds, each row by what was known before it."""
    ranked, refs, problems = or_end(
        lambda: _declarations(source, train, names=_names(columns), label=label, delay=_days(feedback_delay))
    )
    or_end(lambda: _write(out, refs, ranked))
    _show(problems)
    model = "with a model" if train is not None and label else "no model: --train and --label make one"
    screen.console.print(f"{len(ranked):,} {kind.value} scored ({model}) into {out}", markup=False)


def _declarations(
    source: Path, train: Path | None, *, names: dict[str, str], label: str, delay: timedelta
) -> tuple[list[Ranked], list[str], list[Problem]]:
    raw = _table(source)
    frame, problems = read(raw, names)
    triage = Triage()
    if train is not None and label:
        history = _table(train)
        with screen.console.status(f"learning from {history.height:,} declarations"):
            outcomes = _outcomes(history, label, required=True)
            triage.train(read(history, names)[0], outcomes, delay)
    with screen.console.status(f"scoring {frame.height:,} declarations"):
        ranked = triage.rank(frame, _outcomes(raw, label, required=train is None), delay)
    return ranked, [ref or "" for ref in frame["declaration_ref"]], problems


def _table(path: Path) -> pl.DataFrame:
    """Read a file as text. Raises Invalid where it is no table."""
    try:
        if path.suffix == ".parquet":
            return pl.read_parquet(path).cast(pl.String)
        return pl.read_csv(path, infer_schema=False)
    except PolarsError as error:
        raise Invalid(f"{path}: {str(error).splitlines()[0]}") from error


def _outcomes(raw: pl.DataFrame, label: str, *, required: bool) -> list[bool | None]:
    """Return the outcomes a file states, None where it states none. Raises Invalid."""
    if not label or (label not in raw.columns and not required):
        return [None] * raw.height
    if label not in raw.columns:
        raise Invalid(f"--label {label}: there is no such column")
    stated = [(text or "").strip().lower().removesuffix(".0") for text in raw[label]]
    for row, text in enumerate(stated):
        if text not in _TRUTHS:
            raise Invalid(f"--label {label}: {text[:40]!r} in row {row + 1} is not 0 or 1")
    return [_TRUTHS[text] for text in stated]


def _names(columns: str) -> dict[str, str]:
    pairs = [pair.partition("=") for pair in columns.split(",") if pair]
    for ours, equals, theirs in pairs:
        if not (ours.strip() and equals and theirs.strip()):
            raise typer.BadParameter(f"{ours + equals!r} is not ours=theirs", param_hint="--columns")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _days(delay: str) -> timedelta:
    if (match := re.fullmatch(r"(\d{1,4})d", delay)) is None:
        raise typer.BadParameter(f"{delay!r} is not a number of days, as 7d", param_hint="--feedback-delay")
    return timedelta(days=int(match[1]))


def _write(out: Path, refs: Sequence[str], ranked: Sequence[Ranked]) -> None:
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "score", "reasons"])
        for ref, one in zip(refs, ranked, strict=True):
            writer.writerow([ref, f"{one.score:.6f}", "; ".join(one.reasons)])


def _show(problems: Sequence[Problem]) -> None:
    for problem in problems[:_SHOWN_PROBLEMS]:
        typer.echo(f"row {problem.row + 1}, {problem.column}: {problem.reason}; taken for unknown", err=True)
    if len(problems) > _SHOWN_PROBLEMS:
        typer.echo(f"and {len(problems) - _SHOWN_PROBLEMS:,} more values", err=True)
