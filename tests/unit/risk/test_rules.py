"""Rules: what is refused when one is saved, and that every seeded one fires where it should and only there."""

import csv
from pathlib import Path
from typing import Any

import pytest

from services.risk import catalogue
from services.risk.catalogue import STREAMS
from services.risk.models import Rule
from services.risk.rules import RuleRefused, compile_rule, evaluate

SEEDS = Path(catalogue.__file__).with_name("rules.csv")


def rule(expression: str, *, stream: str = "transactions", **fields: Any) -> Rule:
    stated = {"code": "rule", "version": 1, "scope": "transaction", "severity": "high", "points": 40.0}
    return Rule(stream=stream, expression=expression, reason="", source="", **{**stated, **fields})


def seeded() -> dict[str, Rule]:
    with SEEDS.open(newline="", encoding="utf-8") as lines:
        return {
            row["code"]: Rule(**{**row, "points": float(row["points"]), "version": 1}) for row in csv.DictReader(lines)
        }


def hits(one: Rule, *rows: dict[str, object]) -> list[bool]:
    """Tell of each row whether a rule holds; features that a row does not state are unknown."""
    stated = [dict.fromkeys(STREAMS[one.stream]) | row for row in rows]
    return [bool(found) for found in evaluate([compile_rule(one)], one.stream, stated)]


class TestCompileRule:
    @pytest.mark.parametrize(
        ("expression", "stream", "message"),
        [
            ("due_minorr > 5", "transactions", "no such feature: due_minorr"),
            ("stars > 5 AND rating > 1", "reviews", "no such feature: stars"),
            ("rating > 5", "transactions", "no such feature: rating"),
            ("1 = 1", "transactions", "none is named"),
            ("due_minor + 1", "transactions", "not yes or no"),
            ("match", "transactions", "not yes or no"),
            ("sqroot(due_minor) > 2", "transactions", "rule:"),
            ("due_minor >", "transactions", "rule:"),
            ("", "transactions", "rule:"),
            ("match > 5", "transactions", "rule:"),
            ("SELECT 1", "transactions", "rule:"),
            ("due_minor > 5; DROP TABLE rules", "transactions", "rule:"),
            ("due_minor > 5", "weather", "no stream 'weather'"),
        ],
    )
    def test_refuses_and_says_why(self, expression: str, stream: str, message: str) -> None:
        with pytest.raises(RuleRefused, match=message):
            compile_rule(rule(expression, stream=stream))

    def test_names_the_features_behind_a_rule(self) -> None:
        compiled = compile_rule(rule("due_minor > paid_minor AND due_minor > 5"))

        assert compiled.features == ["due_minor", "paid_minor"]


class TestEvaluate:
    def test_gives_the_values_behind_a_hit(self) -> None:
        compiled = compile_rule(rule("due_minor > 5 AND payer_differs"))
        unknown = dict.fromkeys(STREAMS["transactions"])
        large, small = ({**unknown, "due_minor": due, "payer_differs": True} for due in (9, 1))

        first, second = evaluate([compiled], "transactions", [large, small])

        assert [(hit.rule.code, hit.values) for hit in first] == [("rule", {"due_minor": 9.0, "payer_differs": 1.0})]
        assert not second

    def test_takes_what_is_unknown_for_no(self) -> None:
        assert hits(rule("weight_g < 20"), {"weight_g": None}, {"weight_g": 19}) == [False, True]

    def test_of_no_rules_and_of_no_rows_is_empty(self) -> None:
        assert evaluate([], "transactions", []) == []
        assert evaluate([compile_rule(rule("payer_differs"))], "transactions", []) == []


MONTH = {
    "stated_orders": 1_000,
    "known_orders": 1_000,
    "stated_amount_minor": 10_000,
    "known_amount_minor": 10_000,
    "tolerance_share": 0.001,
}
# What just makes each seeded rule hold, and what just does not.
EXAMPLES: dict[str, tuple[dict[str, object], dict[str, object]]] = {
    "payment_without_lines": ({"match": "payment_without_lines"}, {"match": "awaiting_documents"}),
    "amount_mismatch": ({"match": "amount_mismatch"}, {"match": "matched"}),
    "time_order": ({"match": "time_order"}, {"match": "matched"}),
    "payer_differs": ({"payer_differs": True}, {"payer_differs": False}),
    "payment_late": ({"payment_delay_h": 24.1}, {"payment_delay_h": 24.0}),
    "split_payments": ({"payments": 5}, {"payments": 4}),
    "single_limit": (
        {"mode": "B2C", "currency": "CNY", "due_minor": 500_001},
        {"mode": "B2B", "currency": "CNY", "due_minor": 500_001},
    ),
    "brushing_repeats": ({"repeat_improbability": 6.0}, {"repeat_improbability": 5.9}),
    "brushing_hour": (
        {"hour_improbability": 5.0, "hour_orders": 4},
        {"hour_improbability": 5.0, "hour_orders": 3},
    ),
    "brushing_devices": (
        {"device_improbability": 5.0, "address_improbability": 3.0},
        {"device_improbability": 9.0, "address_improbability": 2.9},
    ),
    "brushing_ring": (
        {"ring_improbability": 3.0, "ring_share": 0.2},
        {"ring_improbability": 99.0, "ring_share": 0.19},
    ),
    "parcel_missing": ({"unshipped_h": 168.0}, {"unshipped_h": 167.9}),
    "incident_severe": ({"affected": 100_000}, {"severity": "high", "affected": 99_999}),
    "incident_wave": ({"related_platforms": 2, "related": 2}, {"related_platforms": 1, "related": 3}),
    "shipped_unpaid": (
        {"parcels": 1, "payments": 0, "due_minor": 10_000},
        {"parcels": 1, "payments": 1, "due_minor": 10_000},
    ),
    "paid_before_order": ({"payment_delay_h": -1.1}, {"payment_delay_h": -1.0}),
    "cancelled_yet_delivered": ({"cancelled": True, "delivery_h": 30.0}, {"cancelled": True, "delivery_h": None}),
    "many_parcels": ({"parcels": 6}, {"parcels": 5}),
    "heavy_parcel": ({"mode": "B2C", "weight_g": 50_001}, {"mode": "B2B", "weight_g": 50_001}),
    "order_surge": ({"orders_hour": 150}, {"orders_hour": 149}),
    "review_flood": ({"reviews_day": 80}, {"reviews_day": 79}),
    "few_buyers": ({"orders": 25, "buyers": 3}, {"orders": 25, "buyers": 4}),
    "review_companions": (
        {"companions": 4, "companion_share": 0.2},
        {"companions": 4, "companion_share": 0.19},
    ),
    "review_crowd": (
        {"burst_improbability": 8.0, "five_star_share": 0.8, "burst_reviews": 10},
        {"burst_improbability": 80.0, "five_star_share": 0.79, "burst_reviews": 10},
    ),
    "bad_reviews_vanish": (
        {"low_removal_improbability": 6.0, "removed_low": 5},
        {"low_removal_improbability": 9.0, "removed_low": 4},
    ),
    "praise_removed": (
        {"praise_removal_improbability": 4.0, "removed_praise": 10, "removed_praise_share": 0.3},
        {"praise_removal_improbability": 3.9, "removed_praise": 10, "removed_praise_share": 0.3},
    ),
    "fictitious_reviews": (
        {"fictitious_reviews": 5, "fictitious_share": 0.2},
        {"fictitious_reviews": 50, "fictitious_share": 0.19},
    ),
    "review_copies": ({"copied_share": 0.3, "reviews": 8}, {"copied_share": 0.3, "reviews": 7}),
    "amount_restated": (
        {"settled_minor": 5, "stated_minor": 4, "settled_currency": "CNY", "currency": "CNY"},
        {"settled_minor": None, "stated_minor": 4, "settled_currency": None, "currency": "CNY"},
    ),
    "payment_restated": ({"paid_shift_minor": -1}, {"paid_shift_minor": 0}),
    "contacts_without_consent": ({"contacts": 3}, {"contacts": 2}),
    "leak_told_late": ({"late_to": "persons"}, {"late_to": None}),
    "light_parcels": (
        {"light_improbability": 6.0, "light_parcels": 5, "light_share": 0.1},
        {"light_improbability": 60.0, "light_parcels": 50, "light_share": 0.09},
    ),
    "totals_over": (
        {**MONTH, "stated_orders": 1_002},
        {**MONTH, "stated_orders": 1_001},
    ),
    "totals_under": (
        {**MONTH, "stated_amount_minor": 9_989},
        {**MONTH, "stated_amount_minor": 9_990},
    ),
    "operator_totals_over": (
        {**MONTH, "stated_amount_minor": 10_021},
        {**MONTH, "stated_amount_minor": 10_010},
    ),
    "operator_totals_under": ({**MONTH, "known_orders": 1_002}, {**MONTH, "known_orders": 1_001}),
    "totals_orders": ({**MONTH, "only_known": 1}, {**MONTH, "only_known": 0}),
    "flags_flipped": (
        {"flip_improbability": 6.0, "flips": 10, "flip_share": 0.2},
        {"flip_improbability": 60.0, "flips": 9, "flip_share": 0.2},
    ),
    "device_buyers_week": ({"kind": "device", "partners_7d": 5}, {"kind": "listing", "partners_7d": 5}),
    "address_buyers_week": ({"kind": "address", "partners_7d": 7}, {"kind": "address", "partners_7d": 6}),
    "payer_of_many": ({"kind": "payer", "partners_30d": 3}, {"kind": "payer", "partners_30d": 2}),
    "waybill_of_many": ({"kind": "waybill", "partners_30d": 3}, {"kind": "courier", "partners_30d": 3}),
    "buyer_surge": (
        {"kind": "buyer", "orders_24h": 12, "partners_24h": 4},
        {"kind": "buyer", "orders_24h": 12, "partners_24h": 3},
    ),
    "light_parcel": ({"weight_g": 19, "goods_minor": 3_000}, {"weight_g": 19, "goods_minor": 2_999}),
    "instant_delivery": ({"delivery_h": 0.9}, {"delivery_h": 1.0}),
    "buyer_repeats_day": ({"buyer_orders_day": 5}, {"buyer_orders_day": 4}),
    "device_shared_day": ({"device_buyers_day": 3}, {"device_buyers_day": 2}),
    "address_shared_day": ({"address_buyers_day": 4}, {"address_buyers_day": 3}),
    "review_text_repeated": (
        {"text_times_day": 3, "text_length": 8},
        {"text_times_day": 3, "text_length": 7},
    ),
    "five_star_burst": ({"five_stars_day": 15}, {"five_stars_day": 14}),
    "unqualified_operator": (
        {"verdict": "rejected", "qualification_fault": True},
        {"verdict": "rejected", "qualification_fault": False},
    ),
    "verification_lapsed": ({"verdict": "lapsed"}, {"verdict": "unverified"}),
    "unlicensed_operator": (
        {"verdict": "rejected", "licence_fault": True},
        {"verdict": "unverified", "licence_fault": True},
    ),
    "false_registration": (
        {"verdict": "rejected", "number_fault": True},
        {"verdict": "rejected", "number_fault": False},
    ),
    "uncertified_institution": ({"institution_certified": False}, {"institution_certified": None}),
    "uncertified_channel": ({"channel_certified": False}, {"channel_certified": None}),
    "unknown_institution": ({"institution_listed": False}, {"institution_listed": True}),
    "false_propaganda": (
        {"claims": 1, "complaints": 3, "complaint_improbability": 3.0},
        {"claims": 0, "complaints": 30, "complaint_improbability": 30.0},
    ),
    "cure_claimed": ({"cure_claims": 1}, {"claims": 5, "cure_claims": 0}),
    "sequence_gap": (
        {"missing": 1, "waited_h": 24.1, "patience_h": 24.0},
        {"missing": 9, "waited_h": 24.0, "patience_h": 24.0},
    ),
    "habit_broken": (
        {"habit_improbability": 4.0, "value_30d_minor": 1_000_000},
        {"habit_improbability": None, "value_30d_minor": 9_000_000},
    ),
    "unregistered_firm": ({"customs_fault": True, "mode": "B2C"}, {"customs_fault": True, "mode": "C2C"}),
    "undervalued_declaration": ({"declared_share": 0.49}, {"declared_share": None}),
    "banned_operator": ({"banned": True}, {"banned": False}),
    "licence_not_displayed": ({"display_violated": True}, {"display_violated": False, "display_faults": 0}),
    "banned_returns": ({"returned": True}, {"returned": False, "beside_banned": True, "return_score": 40.0}),
}


@pytest.mark.parametrize("code", sorted(seeded()))
def test_every_seeded_rule_fires_where_it_should_and_only_there(code: str) -> None:
    fires, does_not = EXAMPLES[code]

    assert hits(seeded()[code], fires, does_not) == [True, False]


def test_seeded_rules_have_a_source_and_points() -> None:
    for one in seeded().values():
        assert one.source.strip()
        assert 0 < one.points <= 100
        assert one.severity in {"low", "medium", "high", "critical"}
    assert len(seeded()) >= 10
