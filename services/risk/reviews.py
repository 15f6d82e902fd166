"""Reviews: who gives them, when, of what and in which words, each against what is usual in its file."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import polars as pl

from services.risk import boosting, co_reviews, copies, tables
from services.risk.boosting import Floats, Ranked
from services.risk.co_reviews import DAY
from services.risk.declarations import Outcomes
from services.risk.folds import deal
from services.risk.tables import MOMENT, Column, Fault, Problem
from services.risk.tails import Said, combine
from shared.errors import Invalid

COLUMNS: dict[str, Column] = {
    "review_ref": Column(pl.String, ("review_id",), "The review; the row's number from 0 where there is none"),
    "reviewer": Column(pl.String, ("user", "user_id", "reviewer_id"), "Who reviews", required=True),
    "product": Column(pl.String, ("prod_id", "product_id", "item"), "What is reviewed", required=True),
    "rating": Column(pl.Float64, ("stars",), "The rating, higher is better"),
    "date": Column(MOMENT, ("time", "ts", "timestamp"), "When, in seconds since 1970 or as ISO 8601", is_moment=True),
    "text": Column(pl.String, ("content",), "What it says"),
    "reviewer_prior": Column(pl.Float64, ("user_prior",), "Probability that the reviewer is false, as others hold"),
    "product_prior": Column(pl.Float64, (), "Probability that the product is pushed, as others hold"),
    "review_prior": Column(pl.Float64, (), "Probability that the review is false, as others hold"),
}
_PRIORS = ("reviewer_prior", "product_prior", "review_prior")
_FAULTS = {
    "rating": Fault("is not a number", ~pl.col("rating").is_finite()),
    "date": Fault("is not a time", ~pl.col("date").is_finite()),
    **{name: Fault("is not a probability from 0 to 1", ~pl.col(name).is_between(0, 1)) for name in _PRIORS},
}
# A date above this is in milliseconds: seconds get there in the year 5138.
_MILLISECONDS_FROM = 1e11
# A mean of few is drawn to the mean of all as if so many more were there.
_DRAWN_BY = 5.0
# Of the same reviewer or product in so short a time: in one day, where the file has days.
_AT_ONCE = DAY / 2
FEATURES = (
    "reviewer_reviews",
    "product_reviews",
    "product_singles",
    *_PRIORS,
    "product_others",
    "reviewer_others",
    "rating",
    "deviation",
    "product_mean",
    "reviewer_deviation",
    "burst",
    "extremes",
    "reviewer_at_once",
    "product_age_days",
    "length",
    "copies",
    "partners",
)
PARAMETERS = {
    "learning_rate": 0.03,
    "num_leaves": 31,
    "min_data_in_leaf": 30,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.7,
    "bagging_freq": 1,
}
ROUNDS = 300
FOLDS = 5
_EXPLAINED = 0.02


Ints = npt.NDArray[np.int64]


class _File(NamedTuple):
    """The features that can be had of a file: (reviews, features), and a number of each reviewer, 0 where unknown."""

    features: list[str]
    matrix: Floats
    reviewer: Ints


class Signal(NamedTuple):
    """What is said of a signal's value, and the columns without which there is none."""

    said: Said
    needs: tuple[str, ...] = ()
    weight: float = 1.0
    # It is a probability that somebody states, not a measurement of ours.
    is_stated: bool = False


# What hardly comes about innocently counts double; a taste of one's own, or what a burst says too, counts half.
SIGNALS: dict[str, Signal] = {
    "few_reviews": Signal(lambda turned: f"its reviewer has {-turned:.0f} in the file"),
    "deviation": Signal(lambda gap: f"its rating is {gap:.3g} from the others of the product", ("rating",), 0.5),
    "burst": Signal(lambda nats: f"a burst of reviews of the product ({_unlikely(nats)})", ("date",)),
    "extremes": Signal(lambda nats: f"so extreme ratings of it that day ({_unlikely(nats)})", ("rating", "date"), 0.5),
    "copies": Signal(lambda n: f"{n:.0f} others say nearly the same", ("text",), 2.0),
    "partners": Signal(lambda n: f"{n:.0f} who review it then keep reviewing what its reviewer does", ("date",), 2.0),
    "reviewer_prior": Signal(lambda prior: f"reviewer_prior={prior:.3g}", ("reviewer_prior",), is_stated=True),
    "review_prior": Signal(lambda prior: f"review_prior={prior:.3g}", ("review_prior",), is_stated=True),
    "product_others": Signal(
        lambda prior: f"review_prior={prior:.3g} in the mean of the product's others", ("review_prior",), is_stated=True
    ),
}
# What is known of the reviewer's other reviews, beside FEATURES.
HISTORY = ("reviewer_known", "reviewer_false_rate")


def read(raw: pl.DataFrame, names: Mapping[str, str]) -> tuple[pl.DataFrame, list[Problem]]:
    """Return reviews as `tables.read()` reads them."""
    frame, problems = tables.read(raw, COLUMNS, names, _FAULTS)
    number = pl.int_range(pl.len()).cast(pl.String)
    in_seconds = pl.when(pl.col("date") > _MILLISECONDS_FROM).then(pl.col("date") / 1000).otherwise(pl.col("date"))
    return frame.with_columns(pl.col("review_ref").fill_null(number), date=in_seconds), problems


def describe(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return a row a review: FEATURES, from the whole file; unknown where a column that one needs is."""
    keyed = reviews.with_columns(
        reviewer_reviews=_count("reviewer"),
        product_reviews=_count("product"),
    ).with_columns(is_single=(pl.col("reviewer_reviews") == 1).cast(pl.Float64))
    counted = keyed.with_columns(
        product_singles=_others("is_single", "product"),
        product_others=_others("review_prior", "product"),
        reviewer_others=_others("review_prior", "reviewer"),
        product_mean=_others("rating", "product"),
        length=pl.col("text").str.len_chars().cast(pl.Float64),
        copies=_copies(reviews["text"]),
    ).with_columns(deviation=(pl.col("rating") - pl.col("product_mean")).abs())
    described = counted.with_columns(reviewer_deviation=_others("deviation", "reviewer")).hstack(_in_time(reviews))
    return described.select(FEATURES)


def _count(key: str) -> pl.Expr:
    return pl.when(pl.col(key).is_not_null()).then(pl.len().over(key).cast(pl.Float64))


def _others(value: str, key: str) -> pl.Expr:
    """Return the mean of a value among the others of a key; of few it is drawn to the mean of all."""
    own = pl.col(value)
    total, count = own.sum().over(key) - own.fill_null(0), own.count().over(key) - own.is_not_null().cast(pl.Int64)
    return pl.when(pl.col(key).is_not_null()).then((total + _DRAWN_BY * own.mean()) / (count + _DRAWN_BY))


def _copies(texts: pl.Series) -> pl.Series:
    """Return how many other texts are near copies of each."""
    cluster = pl.DataFrame({"cluster": copies.clusters(texts)})
    others = (pl.len().over("cluster") - 1).cast(pl.Float64)
    return cluster.select(pl.when(pl.col("cluster").is_not_null()).then(others).alias("copies")).to_series()


def _in_time(reviews: pl.DataFrame) -> pl.DataFrame:
    """Return the features that need dates: burst, extremes, reviewer_at_once, product_age_days, partners."""
    timed = reviews.with_row_index("row").drop_nulls(["reviewer", "product", "date"])
    reviewer, product = (timed[name].rank("dense").to_numpy().astype(np.int64) - 1 for name in ("reviewer", "product"))
    time = timed["date"].to_numpy()
    found = timed.select("row").with_columns(
        burst=pl.Series(co_reviews.surprise(*co_reviews.crowding(product, time))),
        reviewer_at_once=pl.Series(co_reviews.crowding(reviewer, time, window=_AT_ONCE)[0]),
        product_age_days=(timed["date"] - timed.select(pl.col("date").min().over("product")).to_series()) / DAY,
        partners=pl.Series(co_reviews.lockstep(reviewer, product, time).partners).cast(pl.Float64),
    )
    everything = reviews.with_row_index("row").select("row")
    return (
        everything.join(found, on="row", how="left", maintain_order="left")
        .join(_extremes(timed), on="row", how="left", maintain_order="left")
        .drop("row")
    )


def _extremes(timed: pl.DataFrame) -> pl.DataFrame:
    """Return, for each of the ratings at an end of the scale, how unlikely so many of the same product that day are."""
    rated = timed.drop_nulls("rating")
    lowest, highest = rated["rating"].min(), rated["rating"].max()
    extreme = rated.filter(pl.col("rating").is_in([lowest, highest])) if lowest != highest else rated.clear()
    key = extreme.select(pl.struct("product", "rating").rank("dense")).to_series().to_numpy().astype(np.int64) - 1
    counted = co_reviews.crowding(key, extreme["date"].to_numpy(), window=_AT_ONCE)
    nats = extreme.select("row").with_columns(extremes=pl.Series(co_reviews.surprise(*counted), dtype=pl.Float64))
    return rated.select("row").join(nats, on="row", how="left").with_columns(pl.col("extremes").fill_null(0.0))


def rank(reviews: pl.DataFrame) -> list[Ranked]:
    """Score every review without labels, by how seldom its signals are so high together."""
    signals = describe(reviews).with_columns(few_reviews=-pl.col("reviewer_reviews"))
    usable = {name: SIGNALS[name] for name in SIGNALS if name not in missing(reviews)}
    return combine(
        signals,
        {name: signal.said for name, signal in usable.items()},
        stated=[name for name, signal in usable.items() if signal.is_stated],
        weights={name: signal.weight for name, signal in usable.items()},
    )


def missing(reviews: pl.DataFrame) -> dict[str, list[str]]:
    """Return the signals that cannot be had of a file, each with the columns it lacks."""
    empty = {name for name in COLUMNS if reviews[name].null_count() == reviews.height}
    lacks = {name: [column for column in signal.needs if column in empty] for name, signal in SIGNALS.items()}
    return {name: columns for name, columns in lacks.items() if columns}


def rank_with_labels(
    reviews: pl.DataFrame, outcomes: Outcomes, *, seed: int = 0, by_reviewer: bool = False
) -> list[Ranked]:
    """Score every review by models of the labelled ones in other folds, so that none sees its own label.

    With `by_reviewer` a reviewer's reviews are all in one fold: what the models are worth for new reviewers.
    Raises Invalid where one class has too few labels.
    """
    truths = _truths(outcomes)
    file = _matrix(reviews)
    names = reviews["reviewer" if by_reviewer else "review_ref"].fill_null("").to_list()
    folds = _deal_whole(names, truths, seed) if by_reviewer else deal(names, outcomes, FOLDS, partition=seed)
    ranked = [Ranked(0.0, [])] * reviews.height
    for fold in range(FOLDS):
        held_back = np.flatnonzero(folds == fold)
        seen = np.where(folds == fold, math.nan, truths)
        for row, one in zip(held_back.tolist(), _learn_and_rank(file, seen, held_back, seed), strict=True):
            ranked[row] = one
    return ranked


def rank_by_earlier(earlier: pl.DataFrame, outcomes: Outcomes, reviews: pl.DataFrame, *, seed: int = 0) -> list[Ranked]:
    """Score reviews by models of labelled earlier ones. Both files together say what is usual.

    Raises Invalid where one class has too few labels.
    """
    seen = np.concatenate([_truths(outcomes), np.full(reviews.height, math.nan)])
    file = _matrix(pl.concat([earlier, reviews]))
    return _learn_and_rank(file, seen, np.arange(earlier.height, len(seen)), seed)


def _matrix(reviews: pl.DataFrame) -> _File:
    described = describe(reviews)
    features = [name for name in FEATURES if described[name].null_count() < described.height]
    matrix = described.select(features).fill_null(math.nan).to_numpy()
    return _File(features, matrix, reviews["reviewer"].rank("dense").fill_null(0).to_numpy().astype(np.int64))


def _learn_and_rank(file: _File, seen: Floats, wanted: Ints, seed: int) -> list[Ranked]:
    """Return scores of the wanted rows by models of the rows whose label is seen; it is NaN of all others.

    Where labels of a reviewer's other reviews are seen, a model that knows them scores; else one that does not.
    """
    history = _history(file.reviewer, seen)
    has_history = history[:, 0] > 0
    if min(np.count_nonzero(seen[has_history] == found) for found in (0, 1)) < FOLDS:
        has_history[:] = False
    ranked: dict[int, Ranked] = {}
    for known in (True, False):
        rows = wanted[has_history[wanted] == known]
        learned = np.flatnonzero(~np.isnan(seen) & (has_history | (not known)))
        features = [*file.features, *HISTORY] if known else file.features
        matrix = np.hstack([file.matrix, history]) if known else file.matrix
        if len(rows):
            parameters = {**PARAMETERS, "seed": seed}
            model = boosting.train(matrix[learned], seen[learned], features, rounds=ROUNDS, parameters=parameters)
            ranked |= zip(rows.tolist(), boosting.ranked_by(model, features, matrix[rows], _EXPLAINED), strict=True)
    return [ranked[row] for row in wanted.tolist()]


def _history(reviewer: Ints, seen: Floats) -> Floats:
    """Return how many labels of a reviewer's other reviews are seen, and the share that is false: (rows, 2).

    Its own label is left out of both; the share of few is drawn to that of all.
    """
    is_seen = ~np.isnan(seen) & (reviewer > 0)
    false = np.where(is_seen, np.nan_to_num(seen), 0.0)
    count = np.where(reviewer > 0, np.bincount(reviewer, weights=is_seen)[reviewer] - is_seen, 0.0)
    total = np.where(reviewer > 0, np.bincount(reviewer, weights=false)[reviewer] - false, 0.0)
    return np.column_stack([count, (total + np.nanmean(seen)) / (count + 1)])


def _truths(outcomes: Outcomes) -> Floats:
    """Return outcomes as 1, 0 and, where unknown, NaN. Raises Invalid where one class has too few."""
    for found in (True, False):
        if outcomes.count(found) < FOLDS:
            raise Invalid(f"{outcomes.count(found)} reviews are labelled {int(found)}; it takes {FOLDS}")
    return np.array([math.nan if found is None else float(found) for found in outcomes])


def _deal_whole(reviewers: list[str], known: Floats, seed: int) -> npt.NDArray[np.intp]:
    """Deal reviewers out to the folds with all their reviews; those with a false one are dealt out by themselves."""
    false = {reviewer for reviewer, found in zip(reviewers, known, strict=True) if found == 1}
    names = sorted(set(reviewers))
    dealt = dict(zip(names, deal(names, [name in false for name in names], FOLDS, partition=seed), strict=True))
    return np.array([dealt[reviewer] for reviewer in reviewers], dtype=np.intp)


def _unlikely(nats: float) -> str:
    return f"so many come by chance once in {math.exp(nats):.3g}"
