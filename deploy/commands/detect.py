"""The detectors on a file: the same code as in the service, without a stack."""

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, NamedTuple

import polars as pl
import typer
from polars.exceptions import PolarsError

from deploy.commands import screen
from deploy.commands.refusals import or_end
from deploy.commands.rows import names_of
from services.risk import accounts, categories, declarations, orders, raters, reviews, spending
from services.risk.boosting import Ranked
from services.risk.tables import Problem
from services.risk.triage import Triage
from shared.errors import Invalid

_SHOWN_PROBLEMS = 10
_TRUTHS = {"1": True, "0": False, "true": True, "false": False, "": None}


class Kind(StrEnum):
    """What a file holds."""

    DECLARATIONS = "declarations"
    ORDERS = "orders"
    RATINGS = "ratings"
    REVIEWS = "reviews"
    TRANSACTIONS = "transactions"
    TRANSFERS = "transfers"


class Task(NamedTuple):
    """What is to be scored and what may be learned from."""

    source: Path
    train: Path | None
    names: Mapping[str, str]
    label: str
    delay: timedelta


class Found(NamedTuple):
    """The scored things by their ids, what could not be read of them, how they were scored, and what else was."""

    ranked: Iterable[tuple[str, Ranked]]
    problems: Sequence[Problem]
    how: str
    # By what is added to the name of the file.
    beside: Mapping[str, Iterable[tuple[str, Ranked]]] = MappingProxyType({})


def detect(
    kind: Annotated[Kind, typer.Argument(help="what the file holds")],
    *,
    source: Annotated[Path, typer.Option("--input", help="CSV (also .gz) or Parquet to score")],
    out: Annotated[Path, typer.Option(help="CSV to write: id, score, reasons (of orders also <out>.shops.csv)")],
    train: Annotated[Path | None, typer.Option(help="an earlier file of the same form, to learn from")] = None,
    columns: Annotated[str, typer.Option(help="our name=name in the file, separated by commas")] = "",
    label: Annotated[str, typer.Option(help="column of the outcome, 0 or 1; without it none is looked at")] = "",
    feedback_delay: Annotated[str, typer.Option(help="after which an outcome is known, as 7d")] = "7d",
) -> None:
    """Score what a file holds: a declaration by what was known before it, others by all there is."""
    task = Task(source, train, names_of(columns), label, _days(feedback_delay))
    with screen.console.status(f"scoring {source.name}"):
        found = or_end(lambda: _BY_KIND[kind](task))
    written = or_end(partial(_write, out, found.ranked))
    _show(found.problems)
    screen.console.print(f"{written:,} scored ({found.how}) into {out}", markup=False)
    for what, ranked in found.beside.items():
        beside = out.with_name(f"{out.name}.{what}.csv")
        written = or_end(partial(_write, beside, ranked))
        screen.console.print(f"{written:,} {what} into {beside}", markup=False)


def _declarations(task: Task) -> Found:
    raw = _table(task.source)
    frame, problems = declarations.read(raw, task.names)
    triage = Triage()
    if task.train is not None and task.label:
        history = _table(task.train)
        outcomes = _outcomes(history, task.label, required=True)
        triage.train(declarations.read(history, task.names)[0], outcomes, task.delay)
    ranked = triage.rank(frame, _outcomes(raw, task.label, required=task.train is None), task.delay)
    refs = [ref or "" for ref in frame["declaration_ref"]]
    how = "with a model" if triage.has_model else "no model: --train and --label make one"
    return Found(zip(refs, ranked, strict=True), problems, how)


def _orders(task: Task) -> Found:
    _refuse(task, Kind.ORDERS, train="nothing is learned", label="nothing is learned")
    frame, problems = orders.read(_table(task.source), task.names)
    judged = orders.rank(frame)
    how = f"no labels, rings found: {len(judged.rings):,}"
    return Found(judged.orders.items(), problems, how, {"shops": judged.shops.items()})


def _ratings(task: Task) -> Found:
    _refuse(task, Kind.RATINGS, train="the labels of a file's own raters are learned from")
    raw = _table(task.source)
    frame, problems = raters.read(raw, task.names)
    if not task.label:
        return Found(raters.rank(frame).items(), problems, "no labels")
    labels: dict[str, bool] = {}
    for rater, found in zip(frame["rater"], _outcomes(raw, task.label, required=True), strict=True):
        if rater is not None and found is not None and labels.setdefault(rater, found) != found:
            raise Invalid(f"--label {task.label}: {rater!r} is labelled 0 and 1")
    ranked = raters.rank_with_labels(frame, labels)
    return Found(ranked.items(), problems, f"{len(labels):,} labels, each unseen by the models of its own rater")


def _reviews(task: Task) -> Found:
    raw = _table(task.source)
    frame, problems = reviews.read(raw, task.names)
    lacks = sorted({column for columns in reviews.missing(frame).values() for column in columns})
    without = f", nothing of {', '.join(lacks)}" if lacks else ""
    if not task.label:
        _refuse(task, Kind.REVIEWS, train="without --label nothing is learned")
        return Found(zip(frame["review_ref"], reviews.rank(frame), strict=True), problems, f"no labels{without}")
    if task.train is None:
        ranked = reviews.rank_with_labels(frame, _outcomes(raw, task.label, required=True))
        how = f"by labels, each unseen by the model of its own review{without}"
    else:
        history = _table(task.train)
        earlier = reviews.read(history, task.names)[0]
        ranked = reviews.rank_by_earlier(earlier, _outcomes(history, task.label, required=True), frame)
        how = f"by the labels of {task.train.name}{without}"
    return Found(zip(frame["review_ref"], ranked, strict=True), problems, how)


def _transactions(task: Task) -> Found:
    raw = _table(task.source)
    if task.label and task.train is None:
        _outcomes(raw, task.label, required=True)
    earlier = raw.clear() if task.train is None else _table(task.train)
    both = pl.concat([earlier, raw], how="diagonal")
    frame, problems = spending.read(both.drop(task.label, strict=False), task.names)
    outcomes = _outcomes(both, task.label, required=bool(task.label))
    told = categories.telling(frame.drop(spending.COLUMNS), outcomes)
    frame = frame.drop(told)
    ranked = spending.rank(frame, outcomes, task.delay, since=earlier.height)
    refs = frame["transaction_ref"][earlier.height :]
    own = [problem._replace(row=problem.row - earlier.height) for problem in problems if problem.row >= earlier.height]
    further = "".join(f", with {name}" for name in frame.columns if name not in spending.COLUMNS)
    further += "".join(f", without {name}, which tells the outcome" for name in told)
    how = f"by outcomes known then{further}" if task.label else "no labels"
    return Found(zip(refs, ranked, strict=True), own, how)


def _transfers(task: Task) -> Found:
    _refuse(task, Kind.TRANSFERS, train="nothing is learned", label="nothing is learned")
    frame, problems = accounts.read(_table(task.source), task.names)
    return Found(accounts.rank(frame).items(), problems, "no labels")


_BY_KIND: dict[Kind, Callable[[Task], Found]] = {
    Kind.DECLARATIONS: _declarations,
    Kind.ORDERS: _orders,
    Kind.RATINGS: _ratings,
    Kind.REVIEWS: _reviews,
    Kind.TRANSACTIONS: _transactions,
    Kind.TRANSFERS: _transfers,
}


def _refuse(task: Task, kind: Kind, *, train: str = "", label: str = "") -> None:
    if train and task.train is not None:
        raise Invalid(f"--train is not for {kind}: {train}")
    if label and task.label:
        raise Invalid(f"--label is not for {kind}: {label}")


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


def _days(delay: str) -> timedelta:
    if (match := re.fullmatch(r"(\d{1,4})d", delay)) is None:
        raise typer.BadParameter(f"{delay!r} is not a number of days, as 7d", param_hint="--feedback-delay")
    return timedelta(days=int(match[1]))


def _write(out: Path, ranked: Iterable[tuple[str, Ranked]]) -> int:
    with out.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "score", "reasons"])
        written = 0
        for ref, one in ranked:
            writer.writerow([ref, f"{one.score:.6f}", "; ".join(one.reasons)])
            written += 1
    return written


def _show(problems: Sequence[Problem]) -> None:
    for problem in problems[:_SHOWN_PROBLEMS]:
        typer.echo(f"row {problem.row + 1}, {problem.column}: {problem.reason}; taken for unknown", err=True)
    if len(problems) > _SHOWN_PROBLEMS:
        typer.echo(f"and {len(problems) - _SHOWN_PROBLEMS:,} more values", err=True)
