"""Texts of reviews: what buyers write by themselves, and what a campaign has them paste."""

CAMPAIGN_TEXTS = 1_000_000
_VARIANTS = 1_000

_OPENINGS = (
    ("Very happy with this", "Great buy", "Exactly as pictured", "Love it", "Works perfectly"),
    ("It is all right", "Decent for the price", "Okay so far", "Does the job"),
    ("Disappointed", "Not what I ordered", "Broke after a week", "Would not buy again", "Poor quality"),
)
_MIDDLES = (
    ("delivery was quick", "well packed", "the colour is lovely", "good value", "my sister wants one too"),
    ("delivery took a while", "the box was dented", "instructions could be better", "smaller than I thought"),
    ("the seller never answered", "it arrived damaged", "parts were missing", "it smells of plastic"),
)
_CLOSINGS = (
    ("will order again.", "thank you!", "recommended.", "five stars from me.", "no complaints."),
    ("we will see how long it lasts.", "fine for now.", "three stars.", "could be worse."),
    ("asking for a refund.", "avoid.", "waste of money.", "one star is too many."),
)
_PRAISE = (
    "Best {thing} I ever bought, super fast shipping and excellent quality, five stars",
    "Amazing {thing}, perfect quality, seller very kind, I recommend to all my friends",
    "Excellent {thing}! Fast delivery and great packaging, will buy again for sure",
)
_THINGS = ("product", "item", "goods", "purchase")
_ENDINGS = ("", "!", "!!", " :)", " really", " 100%", ".", " thanks")


def review_text(code: int, rating: int) -> str | None:
    """Return the text of a code drawn below a million; codes from `campaign_text` are near-duplicates."""
    if code >= CAMPAIGN_TEXTS:
        return _pasted(code - CAMPAIGN_TEXTS)
    if code % 5 < 2:
        return None
    mood = 0 if rating >= 4 else 1 if rating == 3 else 2
    opening = _OPENINGS[mood][code % len(_OPENINGS[mood])]
    middle = _MIDDLES[mood][code // 7 % len(_MIDDLES[mood])]
    closing = _CLOSINGS[mood][code // 53 % len(_CLOSINGS[mood])]
    return f"{opening}, {middle}, {closing}"


def campaign_text(campaign: int, variant: int) -> int:
    """Return the code of a text pasted by a campaign, in one of a thousand small variants."""
    return CAMPAIGN_TEXTS + campaign * _VARIANTS + variant % _VARIANTS


def _pasted(code: int) -> str:
    campaign, variant = divmod(code, _VARIANTS)
    praise = _PRAISE[campaign % len(_PRAISE)].format(thing=_THINGS[variant % len(_THINGS)])
    return praise + _ENDINGS[variant // len(_THINGS) % len(_ENDINGS)]
