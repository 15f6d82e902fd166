"""Pages of shops and platforms as they are captured: most show the licence, some fail to in ways that are planted."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from random import Random

from shared.events.pages import PageCaptured, PageKind
from simulator.operators import Account, Accounts
from simulator.platforms import Platform
from simulator.registrations import registration, with_wrong_check_digit
from simulator.timeline import DAY_MS, HOUR_MS, Timeline, moment
from simulator.truth import Planted, Strength

_FEWEST_PLANTED = 2
_PLANTED_SHARE = 0.12
_MENDED_SHARE = 0.08
_WIDE = {ord(sign): ord(sign) + 0xFEE0 for sign in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"}

_CHINESE = """<!DOCTYPE html><html lang="zh"><head><meta charset="{charset}"><title>{name}</title>
<style>.cover{{display:none}} @media (max-width: 400px){{.wide{{display:none}}}}</style></head><body>
<nav class="wide"><a href="/">首页</a> <a href="/cart">购物车</a></nav><h1>{name}</h1>
<ul>{goods}</ul><footer>{notice}<p>订单咨询请联系客服</p></footer><script>var shop = "{name}";</script></body></html>"""
_ENGLISH = """<!DOCTYPE html><html lang="en"><head><meta charset="{charset}"><title>{name}</title>
<style>.cover{{display:none}}</style></head><body><nav><a href="/">Home</a> <a href="/cart">Cart</a></nav>
<h1>{name}</h1><ul>{goods}</ul><footer>{notice}<p>Ask us about your order</p></footer></body></html>"""
_HOME = {
    "jade-mall": (
        "<p>统一社会信用代码：{number}</p><p>浙ICP备20123456号-2</p><p>地址：杭州市示例大道88号</p><p>客服电话：400-555-0188</p>"
    ),
    "harbor-trade": (
        '<p><a href="https://zzlz.gsxt.gov.cn/show?serial={number}">营业执照</a></p><p>ICP备案号：办理中</p>'
        "<p>Address: 12 Example Quay, Ningbo</p><p>help@harbor-trade.example</p>"
    ),
    "eurobazaar": (
        "<p>Registered office: Beispielweg 4, 20095 Hamburg</p><p>Tel +49 40 5550 1234, hello@eurobazaar.example</p>"
    ),
}

Written = Callable[[str, Random], str]


@dataclass(frozen=True, kw_only=True)
class Captures:
    """What is captured of a platform's pages, in order of time, and the shops among them that hide their licence."""

    pages: list[tuple[int, datetime, str, PageCaptured]]
    planted: list[Planted]


def capture(platform: Platform, accounts: Accounts, *, seed: int, timeline: Timeline) -> Captures:
    """Return the pages of a platform: its own home page, and the main page of each shop once or twice."""
    draw = Random(f"{seed}/{platform.id}/pages")
    taking_part = {ref for one in accounts.planted for ref in one.operator_refs}
    honest = [
        account
        for account in accounts.everyone
        if account.file.jurisdiction == "CN" and account.file.operator_ref not in taking_part
    ]
    chosen = draw.sample(honest, min(len(honest), max(_FEWEST_PLANTED, round(_PLANTED_SHARE * len(honest)))))
    faults = {one.file.operator_ref: _FAULTS[turn % len(_FAULTS)] for turn, one in enumerate(chosen)}
    pages = [_home(platform, draw, timeline)]
    for account in accounts.everyone:
        pages += _of_shop(account, faults.get(account.file.operator_ref), draw, timeline)
    planted = [
        Planted(
            scheme="missing_licence_display",
            platform_id=platform.id,
            operator_refs=[ref],
            strength=fault.strength,
            note=fault.note,
        )
        for ref, fault in faults.items()
    ]
    return Captures(pages=sorted(pages, key=lambda page: (page[0], page[2])), planted=planted)


@dataclass(frozen=True)
class _Fault:
    note: str
    strength: Strength
    written: Written


def _shown(number: str, draw: Random) -> str:
    ways = (
        f"<p>统一社会信用代码：{number}</p>",
        f"<table><tr><td>营业执照注册号</td><td>{number}</td></tr></table>",
        f"<p>统一社会信用代码：{number.translate(_WIDE)}</p>",
        f"<p>Unified Social Credit Code: {number[:4]} {number[4:8]} {number[8:12]} {number[12:]}</p>",
        f'<a href="https://zzlz.gsxt.gov.cn/show?serial={number}"><img src="/i/seal.png" alt="亮照"></a>',
        f'<img src="/i/yyzz.png" alt="营业执照 {number}">',
        '<a href="/licence">营业执照</a>',
    )
    return draw.choice(ways)


def _nothing(_: str, __: Random) -> str:
    return "<p>七天无理由退货</p>"


def _malformed(number: str, _: Random) -> str:
    return f"<p>统一社会信用代码：{with_wrong_check_digit(number)}</p>"


def _of_another(_: str, draw: Random) -> str:
    return f"<p>统一社会信用代码：{registration('CN', draw).number}</p>"


def _hidden(number: str, draw: Random) -> str:
    ways = (
        f'<div style="display:none">统一社会信用代码：{number}</div>',
        f'<div class="cover">统一社会信用代码：{number}</div>',
        f"<!-- 统一社会信用代码：{number} -->",
    )
    return draw.choice(ways)


def _picture(_: str, __: Random) -> str:
    return '<img src="/i/yingyezhizhao.jpg">'


def _forged_badge(number: str, draw: Random) -> str:
    badge = f"{draw.getrandbits(32):08x}-0000-7000-8000-{draw.getrandbits(48):012x}"
    return f'<a href="https://badges.example/public/badges/{badge}">认证商家</a><p>统一社会信用代码：{number}</p>'


def _front_of_register(_: str, __: Random) -> str:
    return '<a href="https://www.gsxt.gov.cn/">营业执照</a>'


_FAULTS: Sequence[_Fault] = (
    _Fault("no licence on the page", "strong", _nothing),
    _Fault("the number of another firm", "strong", _of_another),
    _Fault("a number whose check digit is wrong", "strong", _malformed),
    _Fault("a licence that visitors do not see", "weak", _hidden),
    _Fault("a forged badge beside the licence", "weak", _forged_badge),
    _Fault("a picture that cannot be read", "weak", _picture),
    _Fault("a link to the front page of the register", "weak", _front_of_register),
)


def _of_shop(
    account: Account, fault: _Fault | None, draw: Random, timeline: Timeline
) -> list[tuple[int, datetime, str, PageCaptured]]:
    until_ms = min(account.closed_ms, timeline.end_ms)
    first_ms = account.registered_ms + draw.randrange(HOUR_MS, DAY_MS)
    second_ms = first_ms + draw.randrange(DAY_MS, 3 * DAY_MS)
    is_mended = fault is None and draw.random() < _MENDED_SHARE
    number = account.file.registration.number if account.file.registration else ""
    pages = []
    for at_ms, is_first in ((first_ms, True), (second_ms, False)):
        written = fault.written if fault is not None else (_nothing if is_mended and is_first else _shown)
        if at_ms < until_ms and (is_first or is_mended):
            html = _page(account.file.legal_name, written(number, draw), draw)
            pages.append(_captured(account.file.shop_urls[0], "shop", html, at_ms, draw))
    return pages


def _home(platform: Platform, draw: Random, timeline: Timeline) -> tuple[int, datetime, str, PageCaptured]:
    notice = _HOME.get(platform.id, "<p>Welcome</p>").format(number=registration("CN", draw).number)
    at_ms = timeline.start_ms + draw.randrange(HOUR_MS, DAY_MS)
    html = _page(platform.id, notice, draw)
    return _captured(f"https://{platform.id}.example/", "home", html, at_ms, draw)


def _page(name: str, notice: str, draw: Random) -> str:
    numbers = [draw.randrange(10**6) for _ in range(draw.randrange(3, 9))]
    goods = "".join(f'<li><a href="/goods/{number}">No. {number}</a></li>' for number in numbers)
    form = _CHINESE if draw.random() < 0.7 else _ENGLISH
    return form.format(charset="utf-8", name=name, goods=goods, notice=notice)


def _captured(url: str, kind: PageKind, html: str, at_ms: int, draw: Random) -> tuple[int, datetime, str, PageCaptured]:
    at = moment(at_ms)
    if draw.random() < 0.2:
        # As its server sent it, and rightly named by the server only.
        content = base64.b64encode(html.encode("gb18030")).decode()
        stated = "text/html; charset=GB18030"
        page = PageCaptured(url=url, kind=kind, captured_at=at, html_base64=content, content_type=stated)
    else:
        page = PageCaptured(url=url, kind=kind, captured_at=at, html=html)
    return at_ms, at, url, page
