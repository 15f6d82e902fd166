"""Shops that claim too much and are complained of, shops that only boast, and shops that are only complained of."""

from dataclasses import replace

from simulator.operators import Accounts
from simulator.timeline import HOUR_MS, Timeline
from simulator.truth import Planted

# Enough orders to tell what is usual of each, but not all of a large market's; and how often they disappoint.
_POPULARITY, _MOST_POPULARITY, _FEWEST_LISTINGS = 0.2, 2.0, 6
_DISAPPOINTS = 0.3

# In English and Chinese; what is claimed of a cure, of an effect, and of being the best.
_CURES = ("Cures diabetes and heals arthritis in three weeks.", "三个疗程根治糖尿病,药到病除。")
_EFFECTS = ("１００％ ＥＦＦＥＣＴＩＶＥ, without side effects.", "百分百有效,无副作用。")
_BOASTS = ("Simply the best in the world.", "全国第一,同类产品中的第一品牌。")
_PLAIN = ("Made with care; returns are accepted within seven days.", "精心制作,支持七天无理由退货。")
_FALSE = (_CURES, _BOASTS, _EFFECTS)


def described(claims: int, *, in_chinese: bool) -> str:
    """Return what an offer says of itself by the number of what its shop claims; 0 is nothing."""
    return (_PLAIN, *_FALSE)[claims][int(in_chinese)]


def plant_claims(accounts: Accounts, *, platform_id: str, timeline: Timeline) -> None:
    """Let shops claim and disappoint, only boast, or only disappoint, in turns; the first kind is planted."""
    places = accounts.claimants
    popularity = min(_POPULARITY, _MOST_POPULARITY / max(len(places), 1))
    for turn, place in enumerate(places):
        account = accounts.everyone[place]
        opened_ms = min(account.registered_ms, timeline.start_ms + HOUR_MS)
        account = replace(
            account,
            registered_ms=opened_ms,
            popularity=popularity,
            listings=max(account.listings, _FEWEST_LISTINGS),
            misconduct=0.0,
        )
        number = turn // 3
        if turn % 3 == 0:
            account = replace(account, claims=1 + number % len(_FALSE), disappoints=_DISAPPOINTS)
            accounts.planted.append(
                Planted(
                    scheme="false_propaganda",
                    platform_id=platform_id,
                    operator_refs=[account.file.operator_ref],
                    strength="strong" if account.claims == 1 else "weak",
                    note=f"claims {described(account.claims, in_chinese=False)!r} and disappoints",
                )
            )
        elif turn % 3 == 1:
            account = replace(account, claims=1 + _FALSE.index(_BOASTS))
        else:
            account = replace(account, disappoints=_DISAPPOINTS)
        accounts.everyone[place] = account
