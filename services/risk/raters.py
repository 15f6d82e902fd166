"""Raters by what they give to others: bursts of ratings that come and go, to targets others think little of."""

from collections.abc import Mapping

import numpy as np
import polars as pl

from services.risk import boosting, tables
from services.risk.boosting import Ranked
from services.risk.folds import deal
from services.risk.tables import MOMENT, Column, Fault, Problem
from services.risk.tails import Said, combine
from shared.errors import Invalid

COLUMNS: dict[str, Column] = {
    "rater": Column(pl.String, (), "Who rates", required=True),
    "target": Column(pl.String, ("ratee",), "Who or what is rated", required=True),
    "rating": Column(pl.Float64, (), "The rating, higher is better", required=True),
    "time": Column(MOMENT, ("ts",), "When, in seconds since 1970 or as ISO 8601", required=True, is_moment=True),
}
_FAULTS = {
    "rating": Fault("is not a number", ~pl.col("rating").is_finite()),
    "time": Fault("is not a time", ~pl.col("time").is_finite()),
}
# Of the ratings a rater gives only. What others give to the rater is where labels come from.
FEATURES = (
    "ratings",
    "mean",
    "deviation",
    "negative_share",
    "lowest_share",
    "highest_share",
    "mean_gap",
    "targets_mean",
    "commonest_share",
    "span",
    "median_pause",
    "pace",
)
_SAID: dict[str, Said] = {
    "pace": lambda pace: f"{np.exp(pace):.3g} ratings for each hour between the first and the last",
    "disliked_targets": lambda turned: f"others rate its targets {-turned:.3g} on average",
}
# Small trees, each on a part of few raters: some hundred labels are all there is.
PARAMETERS = {
    "learning_rate": 0.03,
    "num_leaves": 7,
    "min_data_in_leaf": 8,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
}
ROUNDS = 300
FOLDS, PARTITIONS = 10, 3
_FEWEST_OF_A_CLASS = FOLDS


def read(raw: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[Problem]]:
    """Return ratings as `tables.read()` reads them."""
    return tables.read(raw, COLUMNS, names, _FAULTS)


def describe(ratings: pl.DataFrame) -> pl.DataFrame:
    """Return a row a rater, in the order of their names: FEATURES, times in logarithms of hours and minutes."""
    known = ratings.drop_nulls(["rater", "target"]).sort("time", maintain_order=True)
    rating, others = pl.col("rating"), pl.len().over("target") - 1
    by_others = pl.when(others > 0).then((rating.sum().over("target") - rating) / others)
    judged = known.with_columns(
        by_others=by_others,
        commonest=rating == rating.mode().min(),
        pause=pl.col("time").diff().over("rater"),
        lowest=rating == rating.min(),
        highest=rating == rating.max(),
    )
    described = judged.group_by("rater").agg(
        ratings=pl.len().cast(pl.Float64),
        mean=rating.mean(),
        deviation=rating.std(),
        negative_share=(rating < 0).mean(),
        lowest_share=pl.col("lowest").mean(),
        highest_share=pl.col("highest").mean(),
        mean_gap=(rating - pl.col("by_others")).abs().mean(),
        targets_mean=pl.col("by_others").mean(),
        commonest_share=pl.col("commonest").mean(),
        span=((pl.col("time").max() - pl.col("time").min()) / 3600 + 1).log(),
        median_pause=(pl.col("pause").median() / 60 + 1).log(),
    )
    return described.with_columns(pace=pl.col("ratings").log() - pl.col("span")).sort("rater")


def rank(ratings: pl.DataFrame) -> dict[str, Ranked]:
    """Score every rater without labels, by how seldom such a pace and such targets are together."""
    described = describe(ratings)
    signals = described.select("pace", disliked_targets=-pl.col("targets_mean"))
    return dict(zip(described["rater"], combine(signals, _SAID), strict=True))


def rank_with_labels(ratings: pl.DataFrame, labels: Mapping[str, bool], *, seed: int = 0) -> dict[str, Ranked]:
    """Score every rater by models of the labelled ones; a labelled one only by models that did not see its label.

    Several partitions into FOLDS are averaged. Raises Invalid where one class has too few labels.
    """
    described = describe(ratings)
    raters = described["rater"].to_list()
    truths = [labels.get(rater) for rater in raters]
    for found in (True, False):
        if truths.count(found) < _FEWEST_OF_A_CLASS:
            raise Invalid(f"{truths.count(found)} raters are labelled {int(found)}; it takes {_FEWEST_OF_A_CLASS}")
    matrix = described.select(FEATURES).fill_null(float("nan")).to_numpy()
    labelled = np.array([truth is not None for truth in truths])
    answers = np.array([bool(truth) for truth in truths], dtype=np.float64)
    contributions = np.zeros((len(raters), len(FEATURES) + 1))
    for partition in range(PARTITIONS):
        folds = deal(raters, truths, FOLDS, partition=seed * PARTITIONS + partition)
        for fold in range(FOLDS):
            seen, held_back = labelled & (folds != fold), folds == fold
            parameters = {**PARAMETERS, "seed": seed}
            model = boosting.train(matrix[seen], answers[seen], FEATURES, rounds=ROUNDS, parameters=parameters)
            contributions[held_back] += model.predict(matrix[held_back], pred_contrib=True) / PARTITIONS
    return {
        rater: boosting.ranked(FEATURES, row, own)
        for rater, row, own in zip(raters, matrix, contributions, strict=True)
    }
