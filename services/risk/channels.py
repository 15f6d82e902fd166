"""Which channel a declaration goes into: the highest scores that the day's inspections are enough for, and a few drawn.

Pure: what is spent of the day comes in, and what was decided goes out.
"""

import hashlib
from typing import NamedTuple
from uuid import UUID

import numpy as np

from services.risk.boosting import Floats
from shared.events.risk import Channel

# With fewer scores to compare with, the share inspected is drawn at random.
LEAST_SCORES = 100


class Policy(NamedTuple):
    """The numbers of rule_values.csv that hold on a date; shares are of the volume expected of a day."""

    inspected_share: float
    daily_cap: int
    exploration_share: float  # of the inspections
    document_share: float
    history_days: int


class Day(NamedTuple):
    """What is known of a day: volume expected, lodged before, inspections spent and drawn; and a draw of its own."""

    expected: float
    lodged: int
    spent: int
    explored: int
    draw: float


class Candidates(NamedTuple):
    """Declarations to be decided about, by column: their scores, two draws each from 0 to 1, and how they are drawn.

    `times` is how many times as often as others each is drawn, by how its seller stands; `news` of them were not lodged
    before, the others are stated anew.
    """

    scores: Floats
    explore: Floats
    tie: Floats
    times: Floats
    news: int


class Decision(NamedTuple):
    """The channel, whether it was drawn rather than ranked, and with which probability it was to be inspected."""

    channel: Channel
    explored: bool
    probability: float


def draw(key: bytes, subject: UUID | str, purpose: str) -> float:
    """Return a number from 0 to 1 that is always the same for a subject, and unknown to who does not have the key."""
    digest = hashlib.blake2b(str(subject).encode(), key=key, digest_size=8, person=purpose.encode()).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def decide(policy: Policy, day: Day, candidates: Candidates, recent: Floats) -> list[Decision]:
    """Return a decision for each candidate; `recent` are the sorted scores that thresholds come from.

    No more are inspected than the policy's daily cap leaves. Where too little is known to rank by, all are drawn.
    """
    seen = day.lodged + candidates.news
    # A day that brings more than was expected is taken to be half over.
    expected = day.expected if day.expected >= seen else 2.0 * seen
    budget = min(policy.daily_cap, _whole(policy.inspected_share * expected, day.draw))
    # What a day may spend, in the mean over days: never more of them than there are hands.
    share = min(policy.inspected_share, policy.daily_cap / expected) if expected else 0.0
    known = len(recent) >= LEAST_SCORES
    chance = np.minimum((share * policy.exploration_share if known else share) * candidates.times, 1.0)
    reserved = _whole(budget * policy.exploration_share, 1 - day.draw)
    left = max(0, budget - (day.spent - day.explored) - max(day.explored, reserved)) if known else 0
    coming = max(expected - day.lodged, float(len(candidates.scores)), 1.0)
    passing = _passing(candidates.scores, recent, left, coming)
    ranked = _highest(candidates, candidates.tie < passing, left)
    # Who passed and came too late for the budget is inspected by the draw alone.
    passing = np.where((candidates.tie < passing) & ~ranked, 0.0, passing)
    drawn = _first(~ranked & (candidates.explore < chance), policy.daily_cap - day.spent - int(ranked.sum()))
    documents = _documents(policy, candidates, recent, (left, coming), chance)
    return [
        Decision(
            "inspection" if ranked[i] or drawn[i] else "document_check" if documents[i] else "release",
            bool(drawn[i]),
            float(passing[i] + (1 - passing[i]) * chance[i]),
        )
        for i in range(len(candidates.scores))
    ]


def _documents(
    policy: Policy, candidates: Candidates, recent: Floats, places: tuple[int, float], chance: Floats
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    if len(recent) < LEAST_SCORES:
        return candidates.explore < chance + policy.document_share
    inspected, coming = places
    return candidates.tie < _passing(candidates.scores, recent, inspected + policy.document_share * coming, coming)


def _passing(scores: Floats, recent: Floats, places: float, coming: float) -> Floats:
    """Return with which probability each score is among the `places` highest of these and of what is still to come.

    What comes is taken to score as recent ones did. Those of the same score share the places that are left for them.
    """
    if not len(recent):
        return np.zeros(len(scores))
    later = (coming - len(scores)) / len(recent)
    beside = np.sort(scores)
    above, equal = np.zeros(len(scores)), np.zeros(len(scores))
    for others, weight in ((beside, 1.0), (recent, later)):
        at_most = np.searchsorted(others, scores, side="right")
        above += weight * (len(others) - at_most)
        equal += weight * (at_most - np.searchsorted(others, scores, side="left"))
    passing: Floats = np.clip((places - above) / equal, 0.0, 1.0)
    return passing


def _highest(
    candidates: Candidates, passed: np.ndarray[tuple[int], np.dtype[np.bool_]], most: int
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    order = np.lexsort((candidates.tie, -candidates.scores))
    return _first(passed[order], most)[np.argsort(order)]


def _first(chosen: np.ndarray[tuple[int], np.dtype[np.bool_]], most: int) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    return chosen & (np.cumsum(chosen) <= max(0, most))


def _whole(number: float, at: float) -> int:
    """Return a whole number that is `number` in the mean over draws from 0 to 1, so that small days have budgets."""
    return int(number + at)
