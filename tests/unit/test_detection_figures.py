"""The figures of `make detect`, which no run checks."""

import numpy as np
import polars as pl
import pytest

from benchmarks.detection import handbook
from benchmarks.detection.figures import auc, average_precision, track
from benchmarks.detection.peers import Peers

TRUTHS = np.array([1.0, 0.0, 1.0, 0.0])
GOOD = np.array([0.9, 0.1, 0.8, 0.2])
BAD = np.array([0.1, 0.9, 0.2, 0.8])
HALF = np.array([0.9, 0.8, 0.2, 0.1])


class TestFigures:
    def test_are_those_of_a_ranking(self) -> None:
        assert [auc(scores, TRUTHS) for scores in (GOOD, BAD, HALF, np.ones(4))] == [1, 0, 0.75, 0.5]
        assert average_precision(HALF, TRUTHS) == pytest.approx((1 + 2 / 3) / 2)


class TestTrack:
    def test_is_beside_the_best_peer_of_the_run(self) -> None:
        peers = Peers({"bad": BAD, "half": HALF}, "the same", earlier={"old": {"auc": 0.7}})

        (result,) = track("t", [GOOD, HALF], TRUTHS, peers, figures=["auc"], notes=[])

        assert (result.name, result.value, result.reference_value) == ("t.auc", 0.875, 0.75)
        assert result.reference == "half on the same"
        assert "runs with other seeds: 1.000, 0.750" in result.notes

    def test_is_beside_what_was_measured_earlier_where_that_is_better_or_all(self) -> None:
        better = Peers({"bad": BAD}, "the same", earlier={"old": {"auc": 0.7}})
        alone = Peers({}, why="not installed", earlier={"old": {"auc": 0.7}})

        first, second = (track("t", [GOOD], TRUTHS, peers, figures=["auc"], notes=[])[0] for peers in (better, alone))

        assert first.reference == "old, not in this run"
        assert second.reference == "old, not in this run; not installed"
        assert second.reference_value == 0.7


class TestHandbook:
    def test_counts_frauds_at_a_terminal_from_a_week_ago_on(self) -> None:
        day = 86_400
        table = pl.DataFrame(
            {
                "customer_id": [2, 1, 2, 1, 2],
                "terminal_id": [1, 1, 1, 1, 1],
                "ts_seconds": [0, 10, 3 * day, 3 * day + 5, 12 * day],
                "amount": [1.0, 2.0, 3.0, 4.0, 5.0],
                "is_fraud": [1, 0, 0, 0, 0],
            }
        )

        described = handbook.describe(table)

        assert described["terminal_risk_7"].to_list() == [0, 0, 0, 0, 0.25]
        assert described["customer_mean_7"].to_list() == [1, 2, 2, 3, 5]
