"""What the kill loop says two runs of one seed differ in, of orders of removal and demands to know sellers."""

from dataclasses import replace
from typing import Any

from tests.faults.duties import Compared, _by_account, _faults
from tests.faults.outcomes import Outcome


def order(ref: str, state: str = "open", **says: Any) -> dict[str, Any]:
    nothing = {"acknowledged_at": None, "escalations": [], "closed_because": None, "grounds": ["removal.level.D"]}
    return {"id": f"order of {ref}", "platform_id": "north", "operator_ref": ref, "state": state, **nothing, **says}


def outcome(*orders: dict[str, Any], demands: Any = None, overdue: Any = None) -> Outcome:
    duties = Compared(_by_account(orders), demands or {}, overdue or {})
    return Outcome(
        accepted={}, matching={}, assessed=0, open_alerts=frozenset(), profiles={}, identity={}, duties=duties
    )


def differences(one: Outcome, other: Outcome) -> list[str]:
    return list(one.differences(other))


class TestOrders:
    def test_that_are_open_in_one_run_only_are_named(self) -> None:
        both = outcome(order("a"), order("b"))

        assert differences(both, both) == []
        (missing,) = differences(both, outcome(order("a")))
        assert missing.startswith("order of removal open north b")
        (new,) = differences(outcome(order("a")), both)
        assert new.startswith("order of removal open north b")

    def test_that_are_open_have_the_same_grounds_and_are_acknowledged(self) -> None:
        own = outcome(order("a", acknowledged_at="2026-01-01"))

        (unacknowledged,) = differences(own, outcome(order("a")))
        (other,) = differences(own, outcome(order("a", acknowledged_at="2026-01-02", grounds=["removal.rule.x"])))
        assert "acknowledged" in unacknowledged
        assert "grounds" in other

    def test_by_rules_that_are_over_may_be_there_or_not(self) -> None:
        over = [order("a", state, closed_because="whatever") for state in ("carried_out", "withdrawn")]

        assert differences(outcome(*over), outcome()) == []

    def test_by_a_decision_that_are_over_are_compared(self) -> None:
        over = order("a", "withdrawn", grounds=["removal.decision"], closed_because="by hand")
        twice = outcome(over, over)

        (missing,) = differences(outcome(over), outcome())
        (doubled,) = differences(outcome(over), twice)
        assert missing.startswith("order of removal withdrawn north a")
        assert doubled.startswith("order of removal withdrawn north a")

    def test_that_are_overdue_are_told_where_both_have_the_deadline(self) -> None:
        told = outcome(overdue={"north a by Monday": 1})

        assert differences(told, outcome(overdue={"north a by Tuesday": 0})) == []
        (untold,) = differences(told, outcome(overdue={"north a by Monday": 0}))
        assert untold.startswith("overdue order of removal north a by Monday")

    def test_of_any_run_lose_no_acknowledgement_and_are_told_of_once(self) -> None:
        twice = order("b", escalations=["not_removed", "not_removed"])

        faults = _faults([order("a"), twice], {"order of a", "order of c"}, {"an account"})

        assert list(faults.values()) == [1, 1, 1, 1]
        assert set(_faults([order("a", acknowledged_at="2026-01-01")], {"order of a"}, ()).values()) == {0}


def test_demands_are_compared_with_their_answers() -> None:
    answered = outcome(demands={"north a": {"states": ["answered"], "answers": [{"legal_name": "A"}]}})
    waiting = outcome(demands={"north a": {"states": ["requested"], "answers": []}})

    (changed,) = differences(answered, waiting)
    (missing,) = differences(answered, replace(answered, duties=Compared({}, {}, {})))
    assert changed.startswith("demand to know north a")
    assert missing.startswith("demand to know north a")
