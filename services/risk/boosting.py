"""LightGBM where it is needed, and what a scored thing comes to."""

import os
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from shared.errors import Invalid, Unavailable

Floats: TypeAlias = npt.NDArray[np.float64]
# Of each category, what its codes stand for.
Words: TypeAlias = Mapping[str, Mapping[float, str]]
NO_WORDS: Words = MappingProxyType({})
# Reasons take longer than scores: of a large file only the first have them.
_ALWAYS_EXPLAINED = 500
_ALWAYS = {"objective": "binary", "deterministic": True, "force_row_wise": True, "verbosity": -1}


class Ranked(NamedTuple):
    """How suspicious a thing is, from 0 to 1, and what speaks for it, the strongest first."""

    score: float
    reasons: list[str]


def load() -> Any:
    """Return LightGBM, which the services start without. Raises Unavailable where it cannot be loaded."""
    # Read when the library is loaded. Threads that wait leave the core to whoever else is there: one training went from
    # 6 s to 138 s beside others without it.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    try:
        import lightgbm  # noqa: PLC0415 - its wheel needs a system library that may be missing
    except OSError as error:
        raise Unavailable(f"LightGBM cannot be loaded: {error} (Debian: apt-get install libgomp1)") from error
    return lightgbm


def train(
    matrix: Floats,
    answers: Floats,
    features: Sequence[str],
    *,
    rounds: int,
    categories: Sequence[str] = (),
    parameters: Mapping[str, float],
) -> Any:
    """Return a model of answers (0 or 1) by rows of features: (rows, features) and (rows,).

    The same data and parameters give the same model. Raises Unavailable where LightGBM cannot be loaded.
    """
    lightgbm = load()
    places = [place for place, feature in enumerate(features) if feature in categories]
    # A column of a file may have a name that LightGBM refuses; a model that is stored is known again by its names.
    is_plain = all(feature.isascii() and feature.isidentifier() for feature in features)
    names = list(features) if is_plain else "auto"
    data = lightgbm.Dataset(matrix, answers, feature_name=names, categorical_feature=places)
    return lightgbm.train({**_ALWAYS, **parameters}, data, rounds)


def from_text(text: str, features: Sequence[str]) -> Any:
    """Return a model as LightGBM wrote it. Raises Invalid where it is none of these features, and Unavailable."""
    lightgbm = load()
    try:
        booster = lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError as error:
        raise Invalid(f"LightGBM cannot read the model: {error}") from error
    if booster.feature_name() != list(features):
        raise Invalid("the trees were made of other features than the model says")
    return booster


def ranked(features: Sequence[str], row: Floats, contributions: Floats, words: Words = NO_WORDS) -> Ranked:
    """Return the score that contributions (log odds, the last one of no feature) add up to, with its reasons."""
    return Ranked(float(1 / (1 + np.exp(-contributions.sum()))), reasons(features, row, contributions, words))


def ranked_by(
    model: Any, features: Sequence[str], rows: Floats, explained: float, words: Words = NO_WORDS
) -> list[Ranked]:
    """Return the scores of rows by a model, with reasons for the first: the share `explained`, or some hundreds."""
    scores = model.predict(rows)
    first = np.argsort(-scores)[: max(_ALWAYS_EXPLAINED, int(len(rows) * explained))]
    contributions = model.predict(rows[first], pred_contrib=True)
    why = {
        row: reasons(features, rows[row], own, words) for row, own in zip(first.tolist(), contributions, strict=True)
    }
    return [Ranked(float(score), why.get(row, [])) for row, score in enumerate(scores)]


def reasons(features: Sequence[str], row: Floats, contributions: Floats, words: Words = NO_WORDS) -> list[str]:
    """Return the three features that raise a score most, with their values and what they add.

    `words` has the texts of a category's codes.
    """
    return [
        f"{features[i]}={_value(row[i], words.get(features[i]))} ({contributions[i]:+.2f})"
        for i in np.argsort(-contributions[:-1])[:3].tolist()
    ]


def _value(value: float, texts: Mapping[float, str] | None) -> str:
    return f"{value:.4g}" if texts is None else texts.get(value, "unknown")
