"""Consent: the last word until a moment decides."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.identity.consent import EVERY_CHANNEL, Said, against, normal

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
HOURS = st.integers(-48, 48).map(lambda hours: NOON + timedelta(hours=hours))
SAID = st.lists(st.builds(Said, st.sampled_from(["sms", "email", EVERY_CHANNEL]), HOURS, st.booleans()), max_size=8)


class TestAgainst:
    def test_nothing_said_is_no_consent(self) -> None:
        assert against([], channel="sms", at=NOON) == "no_consent"

    def test_counts_from_its_moment_until_it_is_withdrawn(self) -> None:
        said = [Said("sms", NOON, granted=True), Said("sms", NOON + timedelta(hours=2), granted=False)]

        found = [against(said, channel="sms", at=NOON + timedelta(hours=hours)) for hours in (-1, 0, 1, 2, 3)]

        assert found == ["no_consent", None, None, "consent_withdrawn", "consent_withdrawn"]

    def test_to_another_channel_is_none_and_to_all_is_one(self) -> None:
        assert against([Said("email", NOON, granted=True)], channel="sms", at=NOON) == "no_consent"
        assert against([Said(EVERY_CHANNEL, NOON, granted=True)], channel="sms", at=NOON) is None

    def test_of_all_channels_gives_way_to_a_word_of_the_same_moment_about_this_one(self) -> None:
        said = [Said(EVERY_CHANNEL, NOON, granted=True), Said("sms", NOON, granted=False)]

        assert against(said, channel="sms", at=NOON) == "consent_withdrawn"

    @given(SAID, HOURS)
    def test_does_not_depend_on_the_order_in_which_words_came(self, said: list[Said], at: datetime) -> None:
        assert against(said, channel="sms", at=at) == against(said[::-1], channel="sms", at=at)

    @given(SAID, HOURS)
    def test_does_not_change_by_what_is_said_later(self, said: list[Said], at: datetime) -> None:
        later = [Said("sms", at + timedelta(hours=1), granted=True)]

        assert against(said, channel="sms", at=at) == against([*said, *later], channel="sms", at=at)


@pytest.mark.parametrize(
    ("word", "same"), [("SMS", "sms"), (" push  message", "push-message"), ("Marketing", "marketing")]
)
def test_words_are_compared_without_case_and_spaces(word: str, same: str) -> None:
    assert normal(word) == normal(same)
