"""The evaluation index: a versioned, weighted tree over kinds of facts, with half-life decay. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

from msgspec import Struct

from shared.events.credit import Level

# Sums of weights are kept relative to this day, so that they can be added up in any order.
EPOCH = date(2020, 1, 1)


class Indicator(Struct, frozen=True):
    """Points that one fact of a kind gives on its day, and the days in which they halve."""

    kind: str
    points: float
    half_life_days: float


class Branch(Struct, frozen=True):
    """Indicators of one panel, whose sum is held between `least` and `most`."""

    code: str
    least: float
    most: float
    indicators: list[Indicator]


class Tree(Struct, frozen=True):
    """A version of the index. Levels are (level, least score), the best first."""

    version: int
    base: float
    levels: list[tuple[Level, float]]
    branches: list[Branch]

    def indicators(self) -> dict[str, Indicator]:
        """Return the indicator of each kind."""
        return {i.kind: i for branch in self.branches for i in branch.indicators}

    def level(self, score: float) -> Level:
        """Return the best level whose least score is reached."""
        return next(level for level, least in self.levels if score >= least)


class Weight(NamedTuple):
    """Facts of one kind: how many, and the sum of 2^(days since the epoch / half-life)."""

    n: int
    weighted: float


class IndicatorScore(NamedTuple):
    """What the facts of one kind add up to."""

    kind: str
    n: int
    points: float


class BranchScore(NamedTuple):
    """What a branch adds to the score, `held` being what its limits took or gave."""

    code: str
    points: float
    held: float
    indicators: list[IndicatorScore]


@dataclass(frozen=True)
class Evaluation:
    """A score from 0 to 1,000 with every part of it: base plus the branches' points, held in range."""

    score: float
    level: Level
    tree_version: int
    base: float
    held: float
    branches: list[BranchScore]


def weight(on: date, half_life_days: float) -> float:
    """Return the weight of a fact of a day, relative to the epoch."""
    return float(2.0 ** ((on - EPOCH).days / half_life_days))


def decayed(points: float, on: date, as_of: date, half_life_days: float) -> float:
    """Return what is left of a fact's points on a later date."""
    return float(points * 2.0 ** ((on - as_of).days / half_life_days))


def evaluate(tree: Tree, weights: Mapping[str, Weight], as_of: date) -> Evaluation:
    """Return the score of an operator whose counting facts have these weights."""
    branches = [_branch(branch, weights, as_of) for branch in tree.branches]
    raw = tree.base + sum(branch.points for branch in branches)
    # Rounded to a tenth, because the last bits of a sum depend on the order of its parts.
    score = round(min(1000.0, max(0.0, raw)), 1)
    return Evaluation(score, tree.level(score), tree.version, tree.base, score - raw, branches)


def _branch(branch: Branch, weights: Mapping[str, Weight], as_of: date) -> BranchScore:
    indicators = []
    for indicator in branch.indicators:
        known = weights.get(indicator.kind)
        if known is None or known.n == 0:
            continue
        left = known.weighted * 2.0 ** ((EPOCH - as_of).days / indicator.half_life_days)
        indicators.append(IndicatorScore(indicator.kind, known.n, indicator.points * left))
    raw = sum(indicator.points for indicator in indicators)
    points = min(branch.most, max(branch.least, raw))
    return BranchScore(branch.code, points, points - raw, indicators)
