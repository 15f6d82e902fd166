"""Channels: whom the day's inspections are for, and with which probability."""

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.risk.boosting import Floats
from services.risk.channels import LEAST_SCORES, Candidates, Day, Decision, Policy, decide, draw
from shared.identifiers import new_id

POLICY = Policy(inspected_share=0.1, daily_cap=1_000, exploration_share=0.0, document_share=0.1, history_days=28)
# As many as are expected of a day, each score once.
RECENT = np.linspace(0, 1, 1_001)


def day(**fields: float) -> Day:
    known: dict[str, float] = {"expected": 1_000.0, "lodged": 0, "spent": 0, "explored": 0, "draw": 0.5, **fields}
    return Day(known["expected"], int(known["lodged"]), int(known["spent"]), int(known["explored"]), known["draw"])


def candidates(*scores: float, explore: float = 0.999, tie: float = 0.5) -> Candidates:
    count = len(scores)
    draws = np.full(count, explore), np.full(count, tie)
    return Candidates(np.array(scores, dtype=np.float64), *draws, np.ones(count), count)


def channels(decisions: list[Decision]) -> list[str]:
    return [one.channel for one in decisions]


class TestDecide:
    def test_inspects_the_highest_scores_and_checks_the_documents_of_the_next(self) -> None:
        decisions = decide(POLICY, day(), candidates(0.95, 0.85, 0.75), RECENT)

        assert channels(decisions) == ["inspection", "document_check", "release"]
        assert [one.probability for one in decisions] == [1.0, 0.0, 0.0]

    def test_draws_those_of_a_worse_class_more_often(self) -> None:
        policy = POLICY._replace(exploration_share=0.2)
        drawn = Candidates(np.zeros(3), np.full(3, 0.05), np.full(3, 0.5), np.array([1.0, 4.0, 100.0]), 3)

        decisions = decide(policy, day(), drawn, RECENT)

        assert [one.explored for one in decisions] == [False, True, True]
        assert [one.probability for one in decisions] == pytest.approx([0.02, 0.08, 1.0])

    def test_asks_for_more_when_more_is_spent_than_the_day_is_old(self) -> None:
        decisions = decide(POLICY, day(lodged=500, spent=90), candidates(0.95, 0.985), RECENT)

        assert channels(decisions) == ["document_check", "inspection"]

    def test_asks_for_less_when_less_is_spent(self) -> None:
        decisions = decide(POLICY, day(lodged=900, spent=50), candidates(0.55, 0.45), RECENT)

        assert channels(decisions) == ["inspection", "document_check"]

    def test_inspects_nothing_by_rank_when_the_budget_is_spent(self) -> None:
        decisions = decide(POLICY, day(lodged=500, spent=100), candidates(1.0, 0.95, 0.5), RECENT)

        assert channels(decisions) == ["document_check", "document_check", "release"]

    def test_takes_the_highest_first_where_the_budget_is_not_enough_for_all(self) -> None:
        decisions = decide(POLICY, day(lodged=950, spent=99), candidates(0.96, 0.999, 0.98), RECENT)

        assert channels(decisions) == ["document_check", "inspection", "document_check"]

    def test_divides_a_tie_by_the_draw(self) -> None:
        same = np.zeros(1_000)
        scores, ties = np.zeros(1_000), np.linspace(0, 0.999, 1_000)

        decisions = decide(POLICY, day(), Candidates(scores, np.ones(1_000), ties, np.ones(1_000), 1_000), same)

        assert channels(decisions).count("inspection") == 100
        assert channels(decisions).count("document_check") == 100
        assert [one.probability for one in decisions] == pytest.approx([0.1] * 1_000)

    def test_draws_where_too_little_is_known_to_rank(self) -> None:
        few = np.linspace(0, 1, LEAST_SCORES - 1)
        explore = np.linspace(0, 0.999, 1_000)

        decisions = decide(
            POLICY, day(expected=0.0), Candidates(np.ones(1_000), explore, explore, np.ones(1_000), 1_000), few
        )

        assert channels(decisions).count("inspection") == 100
        assert channels(decisions).count("document_check") == 100
        assert all(one.explored for one in decisions if one.channel == "inspection")
        assert {one.probability for one in decisions} == {0.1}

    def test_draws_a_part_of_the_inspections_whatever_the_score(self) -> None:
        curious = POLICY._replace(exploration_share=0.2)

        decisions = decide(curious, day(), candidates(0.0, 0.5, 0.99, explore=0.019), RECENT)
        others = decide(curious, day(), candidates(0.0, explore=0.021), RECENT)

        assert [(one.channel, one.explored) for one in decisions] == [
            ("inspection", True),
            ("inspection", True),
            ("inspection", False),
        ]
        assert [one.probability for one in decisions] == [pytest.approx(0.02), pytest.approx(0.02), 1.0]
        assert channels(others) == ["release"]

    def test_keeps_room_for_what_is_drawn(self) -> None:
        curious = POLICY._replace(exploration_share=0.2)

        decisions = decide(curious, day(lodged=900, spent=80), candidates(1.0, 0.9), RECENT)

        assert "inspection" not in channels(decisions)

    def test_gives_small_days_their_share_in_the_mean(self) -> None:
        random = Random(1)
        inspected = 0
        for _ in range(2_000):
            state = day(expected=4.0, draw=random.random())
            found = decide(POLICY, state, candidates(*(random.random() for _ in range(4)), tie=random.random()), RECENT)
            inspected += channels(found).count("inspection")

        assert 0.2 < inspected / 2_000 < 0.5, "a tenth of four is 0.4, in the mean"

    def test_has_nothing_to_say_of_nothing(self) -> None:
        assert decide(POLICY, day(expected=0.0), candidates(), np.empty(0)) == []

    @settings(max_examples=200, deadline=None, derandomize=True)
    @given(st.data())
    def test_never_goes_beyond_the_cap(self, data: st.DataObject) -> None:
        share = st.floats(0, 1)
        numbers = st.lists(share, max_size=40)
        policy = Policy(data.draw(share), data.draw(st.integers(0, 30)), data.draw(share), data.draw(share), 28)
        spent = data.draw(st.integers(0, policy.daily_cap))
        state = day(
            expected=data.draw(st.floats(0, 1_000)),
            lodged=spent + data.draw(st.integers(0, 500)),
            spent=spent,
            explored=data.draw(st.integers(0, spent)),
            draw=data.draw(st.floats(0, 0.999)),
        )
        scores = np.array(data.draw(numbers), dtype=np.float64)
        explore, tie = (np.array([data.draw(share) for _ in scores]) for _ in range(2))
        recent: Floats = np.sort(np.array(data.draw(st.lists(share, max_size=300)), dtype=np.float64))

        decisions = decide(policy, state, Candidates(scores, explore, tie, np.ones(len(scores)), len(scores)), recent)

        assert state.spent + channels(decisions).count("inspection") <= policy.daily_cap
        assert all(0 <= one.probability <= 1 for one in decisions)
        assert all(one.channel == "inspection" for one in decisions if one.explored)


class TestDraw:
    def test_is_the_same_for_a_subject_and_another_for_another_purpose_or_key(self) -> None:
        subject = new_id()

        first = draw(b"key", subject, "explore")

        assert draw(b"key", subject, "explore") == first
        assert len({first, draw(b"key", subject, "tie"), draw(b"other", subject, "explore")}) == 3

    def test_is_even_from_0_to_1(self) -> None:
        drawn = np.array([draw(b"key", str(n), "explore") for n in range(20_000)])

        assert 0 <= drawn.min() <= drawn.max() < 1
        assert np.histogram(drawn, 10, (0, 1))[0] == pytest.approx(2_000, abs=200)
