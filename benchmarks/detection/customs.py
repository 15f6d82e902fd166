"""Customs declarations: those of the next quarter, by a model of a year of inspections."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.detection.figures import absent
from benchmarks.results import Result, missing
from services.risk import boosting
from services.risk.boosting import Floats
from services.risk.declarations import read
from services.risk.triage import CATEGORIES, FEATURES, HISTORY, PARAMETERS, ROUNDS, Triage

_DELAY = timedelta(days=7)
_SHARES = {5: 0.05, 10: 0.10}
_PARTIES = ("Importer ID", "Seller ID", "Declarant ID", "Courier ID")
_NUMBERS = ("Tax Rate", "Net Mass", "Item Price")
_NOT_FEATURES = ("Declaration ID", "Date", "Fraud", "Critical Fraud")
_PEER = "LightGBM on all published columns, the parties too, with the same parameters"


def precision_at(share: float, scores: Floats, outcomes: Floats) -> float:
    """Return the share of violations among the highest-scored `share` of declarations."""
    first = np.argsort(-scores, kind="stable")[: max(1, round(len(scores) * share))]
    return float(outcomes[first].mean())


def measure(directory: Path) -> list[Result]:
    """Rank the declarations of the next quarter, beside a model of all published columns."""
    paths = [directory / f"{name}.csv.gz" for name in ("train", "valid")]
    if not all(path.exists() for path in paths):
        return [missing(f"customs.precision_at_{share}", "share", absent(directory)) for share in _SHARES]
    train, valid = (pl.read_csv(path, infer_schema=False) for path in paths)
    outcomes = _fraud(valid)
    ours = _scores(train, valid)
    peer = _peer(train, valid, parties=True)
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
    model = boosting.train(
        rows[: train.height], _fraud(train), names, rounds=ROUNDS, categories=categories, parameters=PARAMETERS
    )
    return np.asarray(model.predict(rows[train.height :]))
