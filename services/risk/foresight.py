"""The chance of something severe for a single operator: a calibrated logistic regression on its past. Pure."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from scipy.optimize import minimize
from scipy.special import expit, logit

from services.risk.boosting import Floats

# A change of features is another set: what was kept of the former is not learnt from.
FEATURE_SET = 1
FEATURES = (
    "class_log_odds",
    "points",
    "severe_7d",
    "severe_30d",
    "severe_180d",
    "severe_freshness",
    "alerts_180d",
    "alerts_trend",
    "confirmed_180d",
    "dismissed_180d",
    "trade_30d",
    "shops_30d",
    "reviews_30d",
    "registration_30d",
    "claims_30d",
    "mismatches_30d",
    "orders_30d",
    "orders_trend",
    "low_ratings_30d",
    "complaints_30d",
    "returns_30d",
    "accounts",
)
BY_CLASS = "class"
BINS = 10
_RIDGE = 1.0
_CERTAIN = 1e-6


class Forecaster(Struct, frozen=True, kw_only=True):
    """A logistic regression of standardized features, and what makes chances of its log odds (Platt 1999)."""

    means: list[float]
    scales: list[float]
    weights: list[float]
    bias: float
    slope: float = 1.0
    offset: float = 0.0

    def contributions(self, rows: Floats) -> Floats:
        """Return what each feature adds to the log odds of each row; the last column is of no feature."""
        standard = (rows - np.array(self.means)) / np.array(self.scales)
        own = standard * np.array(self.weights) * self.slope
        return np.column_stack([own, np.full(len(rows), self.bias * self.slope + self.offset)])

    def chances(self, rows: Floats) -> Floats:
        """Return the chance of each row."""
        found: Floats = expit(self.contributions(rows).sum(axis=1))
        return found


def fitted(rows: Floats, answers: Floats) -> Forecaster:
    """Return a regression, ridge-penalized so that few outcomes say little (le Cessie and van Houwelingen 1992)."""
    means, scales = rows.mean(axis=0), rows.std(axis=0)
    scales = np.where(scales > 0, scales, 1.0)
    *weights, bias = _logistic((rows - means) / scales, answers, np.zeros(rows.shape[1] + 1))
    return Forecaster(means=means.tolist(), scales=scales.tolist(), weights=weights, bias=bias)


def calibrated(model: Forecaster, rows: Floats, answers: Floats) -> Forecaster:
    """Return a model whose chances are those of other outcomes than it was fitted to, by Platt's sigmoid (1999)."""
    log_odds = model.contributions(rows).sum(axis=1)
    yes = answers.sum()
    smoothed = np.where(answers > 0, (yes + 1) / (yes + 2), 1 / (len(answers) - yes + 2))
    slope, offset = _logistic(log_odds[:, None], smoothed, np.array([1.0, 0.0]))
    # A slope below nothing would turn the order round: then the model knows no more than how often it happens.
    slope = max(slope, 0.0)
    return Forecaster(
        means=model.means, scales=model.scales, weights=model.weights, bias=model.bias, slope=slope, offset=offset
    )


def brier(chances: Floats, answers: Floats) -> float:
    """Return the mean squared error of chances (Brier 1950)."""
    return float(((chances - answers) ** 2).mean())


def log_loss(chances: Floats, answers: Floats) -> float:
    """Return the mean surprise at what happened, in natural units."""
    sure = np.clip(chances, _CERTAIN, 1 - _CERTAIN)
    return float(-(answers * np.log(sure) + (1 - answers) * np.log(1 - sure)).mean())


def calibration(chances: Floats, answers: Floats) -> list[dict[str, Any]]:
    """Return by tenths of the chance how many were stated, what they stated, and what share came true."""
    place = np.minimum((chances * BINS).astype(int), BINS - 1)
    return [
        {
            "from": at / BINS,
            "to": (at + 1) / BINS,
            "forecasts": int(own.sum()),
            "expected": float(chances[own].mean()),
            "observed": float(answers[own].mean()),
        }
        for at in range(BINS)
        if (own := place == at).any()
    ]


def log_odds(chances: Sequence[float]) -> Floats:
    """Return the log odds of chances, none of them certain."""
    found: Floats = logit(np.clip(np.array(chances, dtype=np.float64), _CERTAIN, 1 - _CERTAIN))
    return found


def _logistic(rows: Floats, answers: Floats, start: Floats) -> list[float]:
    """Return weights and bias that make the answers likeliest, weights drawn towards the start by a ridge."""

    def loss(parameters: Floats) -> tuple[float, Floats]:
        scores = rows @ parameters[:-1] + parameters[-1]
        away = (parameters - start)[:-1]
        error = expit(scores) - answers
        value = np.logaddexp(0, scores).sum() - answers @ scores + _RIDGE / 2 * (away @ away)
        return float(value), np.append(rows.T @ error + _RIDGE * away, error.sum())

    found: list[float] = minimize(loss, start, jac=True, method="L-BFGS-B").x.tolist()
    return found
