"""Reviews of the published YelpChi sample, which has priors but neither ratings, dates nor texts."""

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import polars as pl

from benchmarks.detection.figures import FIGURES, RUNS, absent, auc, average_precision, track
from benchmarks.detection.peers import Peers, unsupervised
from benchmarks.results import Result, missing
from services.risk import reviews
from services.risk.boosting import Floats, Ranked

_EARLIER = {"SpEagle (92 s)": {"auc": 0.766, "ap": 0.302}}
_PRIORS = ("reviewer_prior", "product_prior", "review_prior")
_COUNTS = ("reviewer_reviews", "product_reviews")


def measure(directory: Path) -> list[Result]:
    """Score every review without labels, and by models that never saw its own."""
    path = directory / "yelpchi_demo_reviews.csv.gz"
    if not path.exists():
        tracks = [(name, figure) for name in ("yelp", "yelp_labels") for figure in FIGURES]
        return [missing(f"{name}.{figure}", figure, absent(directory)) for name, figure in tracks]
    raw = pl.read_csv(path, infer_schema=False)
    frame = reviews.read(raw, {})[0]
    truths = raw["is_fake"].cast(pl.Float64).to_numpy()
    return [*_unlabelled(frame, truths), *_labelled(frame, truths)]


def _unlabelled(frame: pl.DataFrame, truths: Floats) -> list[Result]:
    started = time.perf_counter()
    ours = _scores(reviews.rank(frame))
    seconds = time.perf_counter() - started
    without = {
        "without reviewer_prior": ["reviewer_prior"],
        "without review_prior": ["review_prior"],
        "by the number of the reviewer's reviews alone": list(_PRIORS),
    }
    notes = [
        f"{frame.height:,} reviews scored in {seconds:.1f} s; {truths.mean():.1%} are false by the site's own filter",
        *(f"{_both(_scores(reviews.rank(_empty(frame, names))), truths)} {what}" for what, names in without.items()),
    ]
    matrix = reviews.describe(frame).select(*_PRIORS, *_COUNTS).to_numpy()
    peers = unsupervised(matrix, matrix, "the three priors and both counts", _EARLIER)
    return track("yelp", [ours], truths, peers, figures=tuple(FIGURES), notes=notes)


def _labelled(frame: pl.DataFrame, truths: Floats) -> list[Result]:
    answers = [bool(truth) for truth in truths]
    started = time.perf_counter()
    runs = [_scores(reviews.rank_with_labels(frame, answers, seed=seed)) for seed in range(RUNS)]
    seconds = (time.perf_counter() - started) / RUNS
    new = _scores(reviews.rank_with_labels(frame, answers, by_reviewer=True))
    notes = [
        f"{reviews.FOLDS} folds of reviews in {seconds:.0f} s; no model saw the label of a review it scores",
        f"{_both(new, truths)} with a reviewer's reviews all in one fold: what to expect of new reviewers",
    ]
    return track("yelp_labels", runs, truths, Peers({}), figures=tuple(FIGURES), notes=notes)


def _scores(ranked: Sequence[Ranked]) -> Floats:
    return np.array([one.score for one in ranked])


def _empty(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    return frame.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)


def _both(scores: Floats, truths: Floats) -> str:
    return f"AUC {auc(scores, truths):.3f}, AP {average_precision(scores, truths):.3f}"
