"""The card transactions of 8 to 14 August by all before them, without labels and with labels a week late."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.detection.figures import FIGURES, RUNS, absent, track
from benchmarks.detection.handbook import gradient_boosting
from benchmarks.detection.peers import Peers, unsupervised
from benchmarks.results import Result, missing
from services.risk import spending
from services.risk.boosting import Floats
from services.risk.declarations import Outcomes

_DELAY = timedelta(days=7)
# 8 to 14 August 2018, from 1 April as day 0.
FIRST_DAY, LAST_DAY = 129, 135
_UNSUPERVISED = {"the best without labels, published or measured earlier": {"auc": 0.669, "ap": 0.271}}
_TRAINED = {"XGBoost as published": {"auc": 0.872, "ap": 0.694}}
# Peers without labels learn from as many days before.
_PEERS_FROM = FIRST_DAY - 7


def measure(directory: Path) -> list[Result]:
    """Score a week of transactions, beside peers on the same habits and on the handbook's own features."""
    path = directory / "fdh_card_transactions.parquet"
    if not path.exists():
        tracks = [(name, figure) for name in ("card", "card_labels") for figure in FIGURES]
        return [missing(f"{name}.{figure}", figure, absent(directory)) for name, figure in tracks]
    table = pl.read_parquet(path).filter(pl.col("day") <= LAST_DAY).sort("ts_seconds", "tx_id")
    since = table.filter(pl.col("day") < FIRST_DAY).height
    # The day and the scenario tell of the label.
    frame = spending.read(table.drop("is_fraud", "scenario", "day").cast(pl.String), {})[0]
    truths = table["is_fraud"].cast(pl.Float64).to_numpy()[since:]
    known = table["is_fraud"].cast(pl.Boolean).to_list()
    unknown: Outcomes = [None] * table.height
    figures = tuple(FIGURES)
    return [
        *track(
            "card",
            [_scores(frame, unknown, since)],
            truths,
            _peers(table, frame),
            figures=figures,
            notes=[],
        ),
        *track(
            "card_labels",
            [_scores(frame, known, since, seed=seed) for seed in range(RUNS)],
            truths,
            _trained_peers(table),
            figures=figures,
            notes=[],
        ),
    ]


def _scores(frame: pl.DataFrame, outcomes: Outcomes, since: int, *, seed: int = 0) -> Floats:
    return np.array([one.score for one in spending.rank(frame, outcomes, _DELAY, since=since, seed=seed)])


def _trained_peers(table: pl.DataFrame) -> Peers:
    scores = {"LightGBM with its own parameters": gradient_boosting(table, FIRST_DAY)}
    return Peers(scores, "the handbook's features", earlier=_TRAINED)


def _peers(table: pl.DataFrame, frame: pl.DataFrame) -> Peers:
    nothing = np.full(frame.height, -1, dtype=np.int8)
    habits = spending.describe(spending.in_order(frame), nothing, _DELAY)[:, : len(spending.HABITS)]
    day = table["day"].to_numpy()
    past = habits[(day >= _PEERS_FROM) & (day < FIRST_DAY)]
    return unsupervised(
        past, habits[day >= FIRST_DAY], "amount and habits, learned from the week before", _UNSUPERVISED
    )
