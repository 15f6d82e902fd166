"""Figures of a ranking, and a track's figures as results."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.detection.peers import Peers
from benchmarks.results import Result
from services.risk.boosting import Floats, Ranked

# Runs of what depends on a seed.
RUNS = 3


def auc(scores: Floats, truths: Floats) -> float:
    """Return the area under the ROC curve: how often a true one is above a false one, ties counted as half."""
    above = stats.mannwhitneyu(scores[truths == 1], scores[truths == 0]).statistic
    return float(above / (np.sum(truths == 1) * np.sum(truths == 0)))


def average_precision(scores: Floats, truths: Floats) -> float:
    """Return the mean of the precision at each true one, from the highest score down."""
    ordered = truths[np.argsort(-scores, kind="stable")]
    return float((np.cumsum(ordered) / np.arange(1, len(ordered) + 1))[ordered == 1].mean())


FIGURES = {"auc": auc, "ap": average_precision}


def absent(directory: Path) -> str:
    """Return why a track without its files is not measured."""
    return f"no {directory.name} there: make detect DATA=<directory>"


def scores_of(ids: Sequence[str], ranked: Mapping[str, Ranked]) -> Floats:
    """Return the scores of things by their ids; one that is not ranked is the least suspicious."""
    return np.array([ranked[one].score if one in ranked else 0.0 for one in ids])


def track(
    name: str, runs: Sequence[Floats], truths: Floats, peers: Peers, *, figures: Sequence[str], notes: Sequence[str]
) -> list[Result]:
    """Return the figures of a track, the mean of its runs, each beside the peer that is best in it."""
    return [
        _result(f"{name}.{figure}", runs, truths, peers, notes if place == 0 else [])
        for place, figure in enumerate(figures)
    ]


def _result(name: str, runs: Sequence[Floats], truths: Floats, peers: Peers, notes: Sequence[str]) -> Result:
    unit = name.rpartition(".")[2]
    found = [FIGURES[unit](run, truths) for run in runs]
    theirs = {peer: FIGURES[unit](scores, truths) for peer, scores in peers.scores.items()}
    lines = [f"{peer}, not in this run: {values[unit]:.3f}" for peer, values in peers.earlier.items()]
    if theirs:
        of_all = ", ".join(f"{peer} {value:.3f}" for peer, value in theirs.items())
        lines.append(f"in this run, on {peers.of_what}: {of_all}")
    if len(runs) > 1:
        lines.append(f"runs with other seeds: {', '.join(f'{one:.3f}' for one in found)}")
    known = {f"{peer}, not in this run": values[unit] for peer, values in peers.earlier.items()}
    known |= {f"{peer} on {peers.of_what}": value for peer, value in theirs.items()}
    result = Result(name=name, value=float(np.mean(found)), unit=unit, notes=[*notes, *lines])
    if known:
        best = max(known, key=known.__getitem__)
        result.reference = "; ".join(filter(None, [best, peers.why]))
        result.reference_value, result.ratio = known[best], float(np.mean(found)) / known[best]
    return result
