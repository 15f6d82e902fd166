"""Raters: bursts to disliked targets without labels, and models that never see the label of whom they score."""

from random import Random
from typing import Any

import polars as pl
import pytest

from services.risk import boosting, raters
from services.risk.boosting import Floats
from services.risk.raters import FEATURES, describe, rank, rank_with_labels, read
from shared.errors import Invalid, Unavailable

DAY = 86_400
Rating = tuple[str, str, int, float]


def ratings(rows: list[Rating]) -> pl.DataFrame:
    columns = {name: [str(row[i]) for row in rows] for i, name in enumerate(("rater", "target", "rating", "time"))}
    frame, problems = read(pl.DataFrame(columns), {})
    assert problems == []
    return frame


def market(seed: int, shills: int, honest: int) -> list[Rating]:
    """Return ratings of honest raters over a year, and of shills within a day for what others dislike."""
    random = Random(seed)
    rows: list[Rating] = []
    for n in range(honest):
        for _ in range(random.randint(2, 8)):
            target = random.randrange(20)
            liked = -3 if target < 3 else 4
            rows.append((f"honest{n}", f"t{target}", liked + random.randint(-2, 2), random.uniform(0, 365 * DAY)))
    for n in range(shills):
        start = random.uniform(0, 365 * DAY)
        rows += [
            (f"shill{n}", f"t{random.randrange(3)}", 10, start + random.uniform(0, DAY / 4))
            for _ in range(random.randint(2, 8))
        ]
    return rows


def share_first(scores: dict[str, float], shills: int) -> float:
    first = sorted(scores, key=lambda rater: -scores[rater])[:shills]
    return sum(rater.startswith("shill") for rater in first) / shills


class TestRank:
    def test_finds_bursts_without_labels(self) -> None:
        ranked = rank(ratings(market(1, shills=20, honest=180)))

        assert share_first({rater: one.score for rater, one in ranked.items()}, 20) > 0.9
        assert "ratings for each hour" in " ".join(ranked["shill0"].reasons)

    def test_looks_only_at_what_a_rater_gives(self) -> None:
        rows = market(2, shills=5, honest=50)
        accused = [(f"new{n}", "shill0", -10, float(n * DAY)) for n in range(5)]

        before, after = (describe(ratings(rows + more)).filter(rater="shill0") for more in ([], accused))

        assert before.select(FEATURES).equals(after.select(FEATURES))

    def test_reads_times_as_seconds_or_as_iso_8601(self) -> None:
        raw = pl.DataFrame(
            {
                "rater": ["a", "a", "a"],
                "target": ["b", "c", "d"],
                "rating": ["1"] * 3,
                "time": ["0", "1970-01-01T01:00:00Z", "1970-01-01"],
            }
        )

        frame, problems = read(raw, {})

        assert problems == []
        assert frame["time"].to_list() == [0, 3600, 0]


@pytest.fixture(scope="module", autouse=True)
def _lightgbm() -> None:
    try:
        boosting.load()
    except Unavailable as error:
        pytest.skip(str(error))


class TestRankWithLabels:
    def test_learns_what_labelled_raters_have_in_common(self) -> None:
        rows = market(3, shills=40, honest=160)
        labels = {f"shill{n}": True for n in range(30)} | {f"honest{n}": False for n in range(100)}

        ranked = rank_with_labels(ratings(rows), labels)

        assert share_first({rater: one.score for rater, one in ranked.items()}, 40) > 0.9
        assert len(ranked["shill39"].reasons) == 3

    def test_no_model_scores_a_rater_whose_label_it_saw(self, monkeypatch: pytest.MonkeyPatch) -> None:
        rows = ratings(market(4, shills=20, honest=60))
        labels = {f"shill{n}": True for n in range(20)} | {f"honest{n}": False for n in range(40)}
        learned: list[set[bytes]] = []
        train = boosting.train

        def _train(matrix: Floats, *rest: Any, **named: Any) -> Any:
            learned.append({row.tobytes() for row in matrix})
            model = train(matrix, *rest, **named)
            predict = model.predict

            def _predict(own: Floats, **how: Any) -> Any:
                assert not {row.tobytes() for row in own} & learned[-1]
                return predict(own, **how)

            model.predict = _predict
            return model

        monkeypatch.setattr(boosting, "train", _train)

        rank_with_labels(rows, labels)

        assert len(learned) == raters.FOLDS * raters.PARTITIONS

    def test_a_wrong_label_does_not_clear_its_rater(self) -> None:
        labels = {f"shill{n}": True for n in range(20)} | {f"honest{n}": False for n in range(40)}

        ranked = rank_with_labels(ratings(market(4, shills=20, honest=60)), {**labels, "shill0": False})

        assert ranked["shill0"].score > 0.5

    def test_wants_labels_of_both_kinds(self) -> None:
        with pytest.raises(Invalid, match="0 raters are labelled 1; it takes 10"):
            rank_with_labels(ratings(market(5, shills=5, honest=30)), {f"honest{n}": False for n in range(20)})
