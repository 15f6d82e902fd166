"""How far an alert lies beyond its rule, and what adds up to its chance."""

import math

import numpy as np
import pytest

from services.risk.boosting import Floats
from services.risk.chances import BASE, FEATURES, NUMBERS, ChanceModel, Described, Terms, Verdicts, overs, train
from services.risk.expressions import bounds
from services.risk.learning import TooFewOutcomes
from shared.errors import Unavailable

TERMS = Terms(held_back_share=0.25, least_outcomes=200, least_new_outcomes=50, least_of_each=15)


def verdicts(count: int, confirmed: float = 0.5) -> Verdicts:
    """Return verdicts that follow how far an alert is over its bound."""
    draw = np.random.default_rng(5)
    numbers: Floats = draw.uniform(0, 1, (count, len(NUMBERS)))
    numbers[:, NUMBERS.index("risk_class")] = np.nan
    right = numbers[:, NUMBERS.index("over_most")] > 1 - confirmed
    rules = [f"rule-{number % 3}" for number in range(count)]
    judged_at = np.arange(count, dtype=np.float64) * 86_400
    return Verdicts(Described(numbers, rules, ["shops"] * count), judged_at, right.astype(np.float64))


def fitted() -> ChanceModel:
    try:
        return ChanceModel.fitted(verdicts(300))
    except Unavailable as error:
        pytest.skip(error.detail)


class TestOvers:
    @pytest.mark.parametrize(
        ("expression", "found"),
        [
            ("orders >= 10", [("orders", True, 10)]),
            ("10 < orders", [("orders", True, 10)]),
            ("kind = 'device' AND NOT banned", []),
            (
                "orders > 4 OR (weight_g < 50.5 AND parcels <= 1)",
                [("orders", True, 4), ("weight_g", False, 50.5), ("parcels", False, 1)],
            ),
            ("paid_minor > 2 * due_minor", []),
        ],
    )
    def test_are_of_comparisons_with_numbers(self, expression: str, found: list[tuple[str, bool, float]]) -> None:
        assert sorted(bounds(expression)) == sorted(found)

    def test_say_how_far_values_lie_beyond(self) -> None:
        known = [("orders", True, 10.0), ("weight_g", False, 50.0)]

        most, least = overs(known, {"orders": 20.0, "weight_g": 100.0})

        assert (most, least) == pytest.approx((math.log(2), -math.log(2)))

    @pytest.mark.parametrize("values", [{}, {"orders": 0.0}, {"orders": -3.0}])
    def test_say_nothing_where_nothing_can_be_compared(self, values: dict[str, float]) -> None:
        assert all(math.isnan(one) for one in overs([("orders", True, 10.0), ("weight_g", True, 0.0)], values))


class TestExplained:
    def test_adds_up_to_the_chance(self) -> None:
        model, alerts = fitted(), verdicts(40).alerts

        found = model.explained(alerts)

        assert [one.chance for one in found] == pytest.approx(model.chances(alerts).tolist())
        for one in found:
            odds = sum(part["log_odds"] for part in one.contributions)
            assert one.chance == pytest.approx(1 / (1 + math.exp(-odds)))
            assert one.contributions[-1]["feature"] == BASE
            assert {part["feature"] for part in one.contributions} <= {*FEATURES, BASE}
            strength = [abs(part["log_odds"]) for part in one.contributions[:-1]]
            assert strength == sorted(strength, reverse=True)

    def test_takes_rules_that_it_has_never_seen(self) -> None:
        alerts = Described(verdicts(2).alerts.numbers, ["new", "rule-1"], ["new", "shops"])

        assert all(0 < one.chance < 1 for one in fitted().explained(alerts))

    def test_of_none_is_none(self) -> None:
        none = Described(np.empty((0, len(NUMBERS))), [], [])

        assert (fitted().explained(none), len(fitted().chances(none))) == ([], 0)


class TestTrain:
    @pytest.mark.parametrize(
        ("known", "said"),
        [
            (verdicts(0), "0 alerts are confirmed"),
            (verdicts(199), "199 alerts are confirmed"),
            (verdicts(300, confirmed=0.0), "of the 225 verdicts learnt from 0 confirm; 15 of each are needed"),
            (verdicts(300, confirmed=1.0), "225 confirm"),
        ],
    )
    def test_asks_for_enough_of_both(self, known: Verdicts, said: str) -> None:
        with pytest.raises(TooFewOutcomes, match=said):
            train(known, known.alerts, None, TERMS)

    def test_is_held_against_all_verdicts_on_a_rule_however_late_they_came(self) -> None:
        fitted()
        known = verdicts(400)
        # Nothing was judged when any of them was raised; by now one rule is always right and the others never.
        known.alerts.numbers[:, [NUMBERS.index("rule_confirmed"), NUMBERS.index("rule_dismissed")]] = 0
        right = np.array([rule == "rule-0" for rule in known.alerts.rules], dtype=np.float64)

        trained = train(known._replace(confirmed=right), known.alerts, None, TERMS)

        assert trained.card["average_precision_by_rule"] == 1
        assert trained.card["brier_by_rule"] < 0.001
        assert not trained.adopted

    def test_is_held_against_what_was_known_when_alerts_were_raised_where_that_is_more(self) -> None:
        fitted()
        known = verdicts(400)
        confirmed = NUMBERS.index("rule_confirmed")
        known.alerts.numbers[:, confirmed : confirmed + 2] = np.where(
            known.confirmed[:, None] > 0, [9_000, 0], [0, 9_000]
        )

        card = train(known, known.alerts, None, TERMS).card

        assert (card["average_precision_by_rule"], card["brier_by_rule"]) == (1, pytest.approx(0, abs=1e-6))

    def test_learns_only_what_was_judged_before_the_first_that_is_held_back(self) -> None:
        fitted()
        known = verdicts(400)
        at_once = known._replace(judged_at=np.where(np.arange(400) < 290, known.judged_at, known.judged_at[290]))

        card = train(at_once, known.alerts, None, TERMS).card

        assert (card["trained"]["outcomes"], card["held_back"]["outcomes"]) == (290, 110)
