"""Raters of Bitcoin-OTC by the ratings they give; those with a label count."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.detection.figures import RUNS, absent, auc, scores_of, track
from benchmarks.detection.peers import Peers, unsupervised
from benchmarks.results import Result, missing
from services.risk import raters
from services.risk.boosting import Floats


def measure(directory: Path) -> list[Result]:
    """Score raters without labels, and by models that never saw their own."""
    paths = [directory / f"bitcoin_otc_{name}.csv.gz" for name in ("ratings", "user_labels")]
    if not all(path.exists() for path in paths):
        return [missing(f"{name}.auc", "auc", absent(directory)) for name in ("bitcoin", "bitcoin_labels")]
    ratings = raters.read(pl.read_csv(paths[0], infer_schema=False), {})[0]
    labels = {user: found == "1" for user, found in pl.read_csv(paths[1], infer_schema=False).iter_rows()}
    unlabelled = raters.rank(ratings)
    known = [user for user in labels if user in unlabelled]
    truths = np.array([labels[user] for user in known], dtype=float)
    notes = [
        f"{len(known)} of {len(labels)} labelled users rate others; {truths.mean():.0%} are fraudulent",
        *_alone(raters.describe(ratings), labels),
    ]
    learned = [scores_of(known, raters.rank_with_labels(ratings, labels, seed=seed)) for seed in range(RUNS)]
    folds = f"{raters.FOLDS} folds, {raters.PARTITIONS} partitions; no model scores a rater whose label it saw"
    return [
        *track(
            "bitcoin", [scores_of(known, unlabelled)], truths, _peers(ratings, known), figures=("auc",), notes=notes
        ),
        *track("bitcoin_labels", learned, truths, Peers({}), figures=("auc",), notes=[folds]),
    ]


def _peers(ratings: pl.DataFrame, known: list[str]) -> Peers:
    described = raters.describe(ratings)
    place = {rater: row for row, rater in enumerate(described["rater"])}
    matrix = described.select(raters.FEATURES).fill_null(float("nan")).to_numpy()
    found = unsupervised(matrix, matrix, "the twelve features of raters", {"MIDAS-R": {"auc": 0.732}})
    rows = [place[rater] for rater in known]
    return found._replace(scores={name: scores[rows] for name, scores in found.scores.items()})


def _alone(described: pl.DataFrame, labels: Mapping[str, bool]) -> list[str]:
    labelled = described.filter(pl.col("rater").is_in(list(labels)))
    return [
        f"{feature} alone: {_either_way(labelled.select('rater', feature), labels):.3f}"
        for feature in ("pace", "targets_mean", "mean_gap", "negative_share")
    ]


def _either_way(column: pl.DataFrame, labels: Mapping[str, bool]) -> float:
    """Return the AUC of one feature, whichever of its ends is the suspicious one."""
    known = column.drop_nulls()
    truths: Floats = np.array([labels[rater] for rater in known["rater"]], dtype=float)
    area = auc(known.to_series(1).to_numpy(), truths)
    return max(area, 1 - area)
