"""Names of firms that nobody has, Chinese and Latin, and how people misspell and shorten them. Drawn, not collected."""

from random import Random
from typing import NamedTuple

from services.identity.names import PROVINCES

_SIGNS = (
    "安邦宝博昌辰诚驰达德鼎东方丰福富光广海浩合和恒宏华辉汇佳嘉建江杰金锦京景久聚凯康科来乐力利联良林龙隆茂美明铭南宁鹏"
    "平启千青庆泉仁荣瑞润森山尚胜盛世顺思泰腾天通同万旺威维文沃西祥新欣信兴星雄旭轩雅亚阳一易益翼银永优友宇雨元远悦云韵泽"
    "展长兆哲真正志智中众舟洲卓子紫"
)
_TRADES = (
    *(
        "贸易",
        "科技",
        "商贸",
        "电子商务",
        "国际贸易",
        "服饰",
        "食品",
        "家居",
        "电子",
        "实业",
        "进出口",
        "供应链管理",
        "网络科技",
    ),
    *(
        "文化传播",
        "日用品",
        "生物科技",
        "玩具",
        "五金",
        "机电设备",
        "医疗器械",
        "体育用品",
        "化妆品",
        "信息技术",
        "国际物流",
    ),
)
_FORMS = ("有限公司", "有限公司", "有限公司", "有限责任公司", "股份有限公司")
_BEGINNINGS = (
    "b",
    "br",
    "c",
    "d",
    "dr",
    "f",
    "g",
    "gr",
    "h",
    "k",
    "kl",
    "l",
    "m",
    "n",
    "p",
    "r",
    "s",
    "st",
    "t",
    "v",
    "z",
)
_MIDDLES = ("a", "e", "i", "o", "u", "ai", "ea", "oo")
_ENDS = ("", "n", "r", "l", "s", "x", "nd", "rt", "m")
_LATIN_TRADES = (
    *("Trading", "Imports", "Electronics", "Fashion", "Foods", "Home", "Logistics", "Technology", "Toys", "Sports"),
    *("Cosmetics", "Furniture", "Tools", "International", "Global Trade", "Supplies", "Textiles", "Media"),
)
_LATIN_FORMS = ("Ltd", "Limited", "GmbH", "Inc.", "LLC", "S.A.", "B.V.", "Co., Ltd.", "SARL", "AB")


class Firm(NamedTuple):
    """A firm's name: where it is, what is its own, its trade and its legal form."""

    place: str
    own: str
    trade: str
    form: str

    @property
    def whole(self) -> str:
        """Return the name as it is registered."""
        return self._joined(self.place, self.own, self.trade, self.form)

    @property
    def short(self) -> str:
        """Return the name as people say it."""
        return self._joined(self.own, self.trade)

    def misspelt(self, draw: Random) -> "Firm":
        """Return the name with a typing error in what is its own: a sign replaced, dropped, doubled or exchanged."""
        at, signs = draw.randrange(len(self.own)), list(self.own)
        kind = draw.choice(("replaced", "dropped", "doubled", "exchanged"))
        if kind == "replaced":
            signs[at] = draw.choice(_SIGNS if self.own[0] > "z" else "abcdefghijklmnopqrstuvwxyz")
        elif kind == "dropped" and len(signs) > 2:
            del signs[at]
        elif kind == "doubled":
            signs.insert(at, signs[at])
        else:
            signs[at - 1], signs[at] = signs[at], signs[at - 1]
        return self._replace(own="".join(signs))

    def _joined(self, *parts: str) -> str:
        return ("" if self.own[0] > "z" else " ").join(part for part in parts if part)


def firm(draw: Random) -> Firm:
    """Return an invented firm: half of them Chinese."""
    if draw.random() < 0.5:
        own = "".join(draw.choices(_SIGNS, k=draw.choice((2, 2, 3, 3, 4))))
        return Firm(draw.choice(PROVINCES), own, draw.choice(_TRADES), draw.choice(_FORMS))
    own = " ".join(_word(draw) for _ in range(draw.choice((1, 2))))
    return Firm("", own, draw.choice(_LATIN_TRADES), draw.choice(_LATIN_FORMS))


def _word(draw: Random) -> str:
    syllables = (
        draw.choice(_BEGINNINGS) + draw.choice(_MIDDLES) + draw.choice(_ENDS) for _ in range(draw.choice((2, 3)))
    )
    return "".join(syllables).capitalize()
