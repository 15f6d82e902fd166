"""Planted schemes against alerts: what counts as found, and what as a false alarm."""

from deploy.schemes import WATCHES, Found, compare
from shared.identifiers import account_id, transaction_id
from simulator.truth import Planted

_TRUTH = [
    Planted(
        scheme="brushing_ring",
        platform_id="north",
        operator_refs=["ring"],
        order_refs=["r1", "r2"],
        strength="weak",
        note="",
    ),
    Planted(
        scheme="missing_waybill",
        platform_id="north",
        operator_refs=["shop"],
        order_refs=["lost"],
        strength="strong",
        note="",
    ),
    Planted(
        scheme="banned_returns",
        platform_id="north",
        operator_refs=["banned", "back"],
        sought_refs=["back"],
        strength="weak",
        note="",
    ),
]


def alert(rule: str, *, shop: str = "shop", order: str | None = None) -> dict[str, str | None]:
    of = str(transaction_id("north", order)) if order else None
    return {"rule": rule, "account_id": str(account_id("north", shop)), "transaction_id": of}


class TestCompare:
    def test_counts_operators_once_however_many_rules_found_them(self) -> None:
        alerts = [alert("brushing_repeats", shop="ring"), alert("brushing_hour", shop="ring")]

        found = compare(_TRUTH, alerts, "brushing_ring", WATCHES["brushing_ring"])

        assert found == Found(planted=1, found=1, alerted=1, true=1)
        assert (found.recall, found.precision) == (1.0, 1.0)

    def test_calls_what_is_planted_nowhere_a_false_alarm(self) -> None:
        alerts = [alert("parcel_missing", order=ref) for ref in ("lost", "r1", "honest")]

        found = compare(_TRUTH, alerts, "missing_waybill", WATCHES["missing_waybill"])

        assert found == Found(planted=1, found=1, alerted=3, true=2)

    def test_seeks_the_account_that_came_back_and_not_the_one_its_platform_banned(self) -> None:
        watch = WATCHES["banned_returns"]

        found = compare(_TRUTH, [alert("banned_returns", shop="back")], "banned_returns", watch)
        missed = compare(_TRUTH, [alert("banned_returns", shop="banned")], "banned_returns", watch)

        assert found == Found(planted=1, found=1, alerted=1, true=1)
        assert missed == Found(planted=1, found=0, alerted=1, true=1)

    def test_has_no_precision_without_an_alert(self) -> None:
        found = compare(_TRUTH, [alert("light_parcel", order="lost")], "missing_waybill", WATCHES["missing_waybill"])

        assert (found.recall, found.precision) == (0.0, None)
