"""Names of firms: which are one name, which nearly, and which are others."""

import pytest

from services.identity.name_likeness import compare, grams, normal_name, stem


class TestCompare:
    @pytest.mark.parametrize(
        ("registered", "stated"),
        [
            ("深圳市恒瑞贸易有限公司", "深圳市恒瑞贸易有限公司 "),
            ("Blue River Trading LLC", "BLUE RIVER TRADING, LLC"),
            ("上海（华东）贸易有限公司", "上海(华东)贸易有限公司"),
            ("ＡＢＣ商事株式会社", "ABC商事株式会社"),
        ],
    )
    def test_takes_width_case_and_punctuation_for_nothing(self, registered: str, stated: str) -> None:
        assert compare(registered, stated, near_from=0.8) == ("same", 1.0)

    @pytest.mark.parametrize(
        ("registered", "stated"),
        [
            ("深圳市恒瑞鑫贸易有限公司", "深圳市恒瑞鑫贸易有限责任公司"),
            ("深圳市恒瑞鑫贸易有限公司", "深圳市恒瑞金贸易有限公司"),
            ("Blue River Trading LLC", "Blue Rivers Trading Ltd."),
        ],
    )
    def test_calls_a_slip_near(self, registered: str, stated: str) -> None:
        found = compare(registered, stated, near_from=0.8)

        assert found.likeness == "near"
        assert found.score >= 0.8

    @pytest.mark.parametrize(
        ("registered", "stated"),
        [
            # Nothing but the city and the legal form in common.
            ("深圳市恒瑞贸易有限公司", "深圳市鑫华科技有限公司"),
            ("Blue River Trading LLC", "North Cedar Goods LLC"),
        ],
    )
    def test_is_not_taken_in_by_the_legal_form(self, registered: str, stated: str) -> None:
        assert compare(registered, stated, near_from=0.8).likeness == "other"


def test_a_name_of_nothing_but_its_form_keeps_it() -> None:
    assert stem("有限公司") == normal_name("有限公司") == "有限公司"
    assert grams("好") == ["好"]
