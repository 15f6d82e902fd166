"""`make detect`: the detectors on real data beside their peers, into docs/detection.md and var/detect.json."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import lightgbm
import numpy as np
import polars as pl
import typer
from rich.console import Console

from benchmarks.results import Result, document, merged, missing, write_between
from deploy.layout import ROOT
from services.risk.declarations import Floats, read
from services.risk.triage import CATEGORIES, FEATURES, HISTORY, PARAMETERS, ROUNDS, Triage

_DELAY = timedelta(days=7)
_SHARES = {5: 0.05, 10: 0.10}
_PARTIES = ("Importer ID", "Seller ID", "Declarant ID", "Courier ID")
_NUMBERS = ("Tax Rate", "Net Mass", "Item Price")
_NOT_FEATURES = ("Declaration ID", "Date", "Fraud", "Critical Fraud")
_PEER = "LightGBM on all published columns, the parties too, with the same parameters"
_LATER = {
    "card": ("auc", "ap"),
    "card_labels": ("auc", "ap"),
    "bitcoin": ("auc",),
    "bitcoin_labels": ("auc",),
    "yelp": ("auc", "ap"),
    "yelp_labels": ("auc", "ap"),
    "amlsim": ("auc", "ap"),
    "orders": ("auc", "ap"),
    "rings": ("precision",),
}

_console = Console()


def main(data: Annotated[Path, typer.Option(help="directory of the data; see README")]) -> None:
    """Measure every track whose data is there, and write both documents."""
    results = _customs(data / "customs")
    results += [
        missing(f"{track}.{figure}", figure, "there is no detector for it yet")
        for track, figures in _LATER.items()
        for figure in figures
    ]
    for result in results:
        result.command = "make detect"
    kept = merged(results, Path("var") / "detect.json")
    write_between(ROOT / "docs" / "detection.md", document(kept))
    for result in results:
        if result.value is not None:
            _console.print(f"{result.name} = {result.value:.4f}")


def precision_at(share: float, scores: Floats, outcomes: Floats) -> float:
    """Return the share of violations among the highest-scored `share` of declarations."""
    first = np.argsort(-scores, kind="stable")[: max(1, round(len(scores) * share))]
    return float(outcomes[first].mean())


def _customs(directory: Path) -> list[Result]:
    paths = [directory / f"{name}.csv.gz" for name in ("train", "valid")]
    if not all(path.exists() for path in paths):
        why = f"no {directory}: make detect DATA=<directory>"
        return [missing(f"customs.precision_at_{share}", "share", why) for share in _SHARES]
    train, valid = (pl.read_csv(path, infer_schema=False) for path in paths)
    outcomes = _fraud(valid)
    with _console.status("customs: the detector"):
        ours = _scores(train, valid)
    with _console.status("customs: the peer"):
        peer = _peer(train, valid, parties=True)
    with _console.status("customs: ablations"):
        notes = _ablations(train, valid, ours)
    return [
        Result(
            name=f"customs.precision_at_{percent}",
            value=precision_at(share, ours, outcomes),
            unit="share",
            reference=_PEER,
            reference_value=precision_at(share, peer, outcomes),
            ratio=precision_at(share, ours, outcomes) / precision_at(share, peer, outcomes),
            notes=notes if percent == min(_SHARES) else [],
        )
        for percent, share in _SHARES.items()
    ]


def _ablations(train: pl.DataFrame, valid: pl.DataFrame, ours: Floats) -> list[str]:
    outcomes = _fraud(valid)
    goods = ["HS6 Code", "Net Mass", "Item Price"]
    seen = set(train.select(goods).iter_rows())
    unseen = np.array([row not in seen for row in valid.select(goods).iter_rows()])
    variants = {
        "without the history of like goods": _scores(train, valid, without=HISTORY),
        "without categories": _scores(train, valid, without=CATEGORIES),
        "the peer without the parties": _peer(train, valid, parties=False),
    }
    return [
        f"learned from {train.height:,} declarations, scored {valid.height:,} of the next quarter, outcomes unseen",
        f"{1 - unseen.mean():.0%} of these repeat the heading, mass and value of an earlier declaration to the digit",
        f"{_both(ours, outcomes)} with all features",
        *(f"{_both(scores, outcomes)} {what}" for what, scores in variants.items()),
        f"{_both(ours[unseen], outcomes[unseen])} among the {unseen.sum():,} whose goods are new",
    ]


def _both(scores: Floats, outcomes: Floats) -> str:
    at = [f"{precision_at(share, scores, outcomes):.3f} at {percent} %" for percent, share in _SHARES.items()]
    return ", ".join(at)


def _fraud(raw: pl.DataFrame) -> Floats:
    return raw["Fraud"].cast(pl.Float64).to_numpy()


def _scores(train: pl.DataFrame, valid: pl.DataFrame, *, without: Sequence[str] = ()) -> Floats:
    triage = Triage([name for name in FEATURES if name not in without])
    triage.train(read(train, {})[0], [bool(found) for found in _fraud(train)], _DELAY)
    ranked = triage.rank(read(valid, {})[0], [None] * valid.height, _DELAY)
    return np.array([one.score for one in ranked])


def _peer(train: pl.DataFrame, valid: pl.DataFrame, *, parties: bool) -> Floats:
    names = [name for name in train.columns if name not in _NOT_FEATURES and (parties or name not in _PARTIES)]
    both = pl.concat([train, valid]).select(names)
    matrix = both.select(
        pl.col(name).cast(pl.Float64) if name in _NUMBERS else pl.col(name).rank("dense").cast(pl.Float64)
        for name in names
    ).fill_null(float("nan"))
    rows = matrix.to_numpy()
    categories = [name for name in names if name not in _NUMBERS]
    data = lightgbm.Dataset(
        rows[: train.height], _fraud(train), feature_name=names, categorical_feature=categories, free_raw_data=True
    )
    return np.asarray(lightgbm.train(PARAMETERS, data, ROUNDS).predict(rows[train.height :]))


if __name__ == "__main__":
    typer.run(main)
