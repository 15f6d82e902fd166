"""Whether a person had agreed when it was written to. Pure."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal, NamedTuple

EVERY_CHANNEL = ""
Reason = Literal["no_consent", "consent_withdrawn"]


class Said(NamedTuple):
    """What a person said of a purpose on a channel, or on every one, and from when on."""

    channel: str
    stated_at: datetime
    granted: bool


def against(said: Iterable[Said], *, channel: str, at: datetime) -> Reason | None:
    """Return what is against a message on a channel at a moment: the last word until then decides.

    Of two words of one moment the one about this very channel counts, and of these the withdrawal: who is in doubt does
    not write.
    """
    heard = [one for one in said if one.channel in (channel, EVERY_CHANNEL) and one.stated_at <= at]
    if not heard:
        return "no_consent"
    last = max(heard, key=lambda one: (one.stated_at, one.channel != EVERY_CHANNEL, not one.granted))
    return None if last.granted else "consent_withdrawn"


def normal(word: str) -> str:
    """Return a purpose or a channel as it is compared."""
    return "_".join(word.casefold().replace("-", " ").split())
