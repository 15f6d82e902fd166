"""Pages as platforms capture them: how shops display licences, what home pages disclose, and what is kept of them."""

from typing import Any

import msgspec
import pytest
import pytest_asyncio

from shared.auth import Role
from shared.events.base import Envelope
from shared.events.identity import DisplayCorrected, DisplayViolated
from shared.identifiers import account_id
from tests.services.doors import OpenService, Service
from tests.services.identity.captures import (
    HOME,
    OTHER,
    SHOP_URL,
    SHOWN,
    captured,
    encoded,
    home,
    html,
    only_page,
    pages,
    told,
)
from tests.services.identity.factories import USCC, operator_changed, operator_deregistered, operator_registered
from tests.services.platform_events import Json

SHOP = account_id("north", "shop")
BEFORE, LATER = "2026-02-01T10:00:00Z", "2026-03-02T10:00:00Z"
PERSON = "92440305L12345674M"


@pytest_asyncio.fixture
async def identity(open_service: OpenService) -> Service:
    return await open_service("identity")


def registered(**says: Any) -> Json:
    return operator_registered(**{"time": BEFORE, "shop_urls": [SHOP_URL], **says})


async def finding_of(service: Service, page: Json, **file: Any) -> tuple[str, list[str]]:
    await told(service, registered(**file), page)
    found = await only_page(service)
    return found["finding"], found["codes"]


async def changes(service: Service) -> list[tuple[str, list[str]]]:
    """Return what was published of displays: the type's verb and the codes."""
    told_of = await service.published(DisplayViolated, DisplayCorrected)
    return [(one.type.split(".")[2], _codes(one)) for one in told_of]


def _codes(told_of: Envelope) -> list[str]:
    found: list[str] = msgspec.json.decode(told_of.data).get("codes", [])
    return found


class TestDisplay:
    @pytest.mark.parametrize(
        ("body", "finding", "code"),
        [
            (SHOWN, "displayed", "licence_shown"),
            (f"<table><tr><td>营业执照注册号</td><td>{USCC}</td></tr></table>", "displayed", "licence_shown"),
            ("<p>信用代码 <span>91110000</span><b>600037341L</b></p>", "displayed", "licence_shown"),
            ("<p>Unified Social Credit Code: 9111 0000 6000 3734 1L</p>", "displayed", "licence_shown"),
            ("<p>统一社会信用代码：９１１１００００６０００３７３４１Ｌ</p>", "displayed", "licence_shown"),
            (f'<img src="/a.png" alt="营业执照 {USCC}">', "displayed", "licence_shown"),
            (f"<p>平台 {OTHER}</p>{SHOWN}", "displayed", "licence_shown"),
            ('<a href="/licence">营业执照</a>', "displayed", "licence_linked"),
            (
                f'<a href="https://zzlz.gsxt.gov.cn/show?serial={USCC}">亮照</a>',
                "displayed",
                "register_linked",
            ),
            (
                '<a href="https://www.gsxt.gov.cn/%7BAF01BC92330106AB0000%7D">营业执照</a>',
                "displayed",
                "register_linked",
            ),
            ("<p>Lamps of all kinds</p>", "violated", "licence_missing"),
            ('<a href="#">营业执照</a>', "violated", "licence_missing"),
            ('<a href="mailto:us@lamp.example">营业执照</a>', "violated", "licence_missing"),
            (f"<p>统一社会信用代码：{OTHER}</p>", "violated", "licence_of_another"),
            (f'<a href="https://www.gsxt.gov.cn/s?k={OTHER}">亮照</a>', "violated", "licence_of_another"),
            ("<p>统一社会信用代码：91110000600037341M</p>", "violated", "number_wrong_check_digit"),
            ("<p>统一社会信用代码：9111OOOO600037341L</p>", "violated", "number_confusable_letter"),
            ("<p>统一社会信用代码：9111000060003734</p>", "violated", "number_wrong_length"),
            ('<a href="https://www.gsxt.gov.cn/">营业执照</a>', "violated", "register_link_empty"),
            ('<img src="/yingyezhizhao.jpg">', "violated", "image_not_readable"),
            (f'<img src="/yingyezhizhao.jpg">{SHOWN}', "displayed", "licence_shown"),
            ("<p>依法无需办理市场主体登记</p>", "violated", "exemption_not_due"),
            (f"<script>统一社会信用代码：{USCC}</script>", "violated", "licence_missing"),
            (f"<!-- 统一社会信用代码：{USCC} -->", "violated", "licence_missing"),
            (f'<div style="display:none">{SHOWN}</div>', "violated", "licence_missing"),
            (f"<style>.no{{display:none}}</style><div class='no'>{SHOWN}</div>", "violated", "licence_missing"),
            (f"<div hidden>{SHOWN}</div>", "violated", "licence_missing"),
            (f"<template>{SHOWN}</template>", "violated", "licence_missing"),
            ("<div>" * 100_000 + SHOWN, "not_judged", "page_too_deep"),
            ("<p " + " ".join(f"a{n}='<{n}>'" for n in range(40_000)) + ">" + SHOWN, "not_judged", "page_tangled"),
        ],
    )
    async def test_is_what_visitors_see(self, identity: Service, body: str, finding: str, code: str) -> None:
        assert await finding_of(identity, captured(body)) == (finding, [code])

    async def test_of_a_licence_that_had_run_out_by_then_is_a_violation(self, identity: Service) -> None:
        licence = {"number": USCC, "expires_on": "2026-02-27"}

        assert await finding_of(identity, captured(), licence=licence) == ("violated", ["licence_expired"])

    async def test_of_a_licence_that_ran_out_later_is_none(self, identity: Service) -> None:
        licence = {"number": USCC, "expires_on": "2026-03-01"}

        assert await finding_of(identity, captured(), licence=licence) == ("displayed", ["licence_shown"])

    async def test_is_not_asked_of_operators_of_other_countries_nor_before_the_law(self, identity: Service) -> None:
        await told(identity, registered(jurisdiction="BR"), captured("<p>Lamps</p>"))
        await told(identity, registered(operator_ref="other", shop_urls=["https://north.example/old"]))
        await told(identity, captured("<p>Lamps</p>", at="2013-01-01T00:00:00Z", url="https://north.example/old"))

        assert [page["finding"] for page in await pages(identity)] == ["not_required", "not_required"]

    async def test_by_a_person_without_registration_may_say_that_none_is_due(self, identity: Service) -> None:
        page = captured("<p>依法无需办理市场主体登记</p>")

        found = await finding_of(identity, page, entity_type="natural_person", registration=None, licence=None)

        assert found == ("displayed", ["exemption_stated"])

    async def test_says_where_it_was_seen_and_of_which_bytes(self, identity: Service) -> None:
        await told(identity, registered(), captured(SHOWN))

        found = await only_page(identity)

        (mark,) = found["marks"]
        assert mark["path"] == "/html/body/footer/p"
        assert mark["excerpt"] == "统一社会信用代码 91************341L"
        assert len(found["sha256"]) == 64
        assert (found["account_id"], found["version"]) == (str(SHOP), 1)
        assert "art. 15" in found["source"]

    @pytest.mark.parametrize(
        ("codec", "content_type", "issue"),
        [
            ("gb18030", "text/html; charset=GB2312", []),
            ("gb18030", "text/html; charset=utf-8", ["encoding_not_as_stated"]),
            ("gb18030", None, []),
            ("big5", "text/html; charset=big5", []),
            ("shift_jis", "text/html; charset=Shift_JIS", []),
        ],
    )
    async def test_is_read_in_the_encoding_the_page_is_in(
        self, identity: Service, codec: str, content_type: str | None, issue: list[str]
    ) -> None:
        label = {"big5": "統一編號", "shift_jis": "登録番号"}.get(codec, "统一社会信用代码")
        page = encoded(html(f"<p>{label}：{USCC}</p>"), codec)

        await told(identity, registered(), captured(None, html_base64=page, content_type=content_type))

        found = await only_page(identity)
        assert (found["finding"], found["issues"]) == ("displayed", issue)


class TestBadge:
    async def test_counts_on_its_own_page_and_a_false_one_is_a_violation(self, identity: Service) -> None:
        await told(identity, registered())
        issued = (await identity.post("/v1/badges", {"account_id": str(SHOP)}, Role.REGULATOR)).json()
        token, link = issued["token"], issued["page"]
        head, said, signature = token.split(".")
        shown = {
            f'<a href="{link}">badge</a>': ["badge_shown"],
            f'<a href="{link}?token={token}">badge</a>': ["badge_shown"],
            f'<i data-crosswatch-badge="{token}"></i>': ["badge_shown"],
            f'<i data-crosswatch-badge="{head}.{said[:-2]}AA.{signature}"></i>{SHOWN}': ["badge_forged"],
            f'<a href="https://look-alike.example/public/badges/{issued["id"]}">badge</a>{SHOWN}': ["badge_forged"],
            f'<a href="{link[:-36]}00000000-0000-7000-8000-000000000000">badge</a>': ["badge_forged"],
            f'<a href="{link[:-36]}nothing">badge</a>': ["badge_forged"],
            f'<a style="display:none" href="{link}">badge</a>': ["licence_missing"],
        }
        for day, (body, codes) in enumerate(shown.items(), 1):
            await told(identity, captured(body, at=f"2026-03-{day:02}T10:00:00Z"))

            assert (await pages(identity))[0]["codes"] == codes, body

    async def test_of_another_shop_or_another_site_is_a_violation(self, identity: Service) -> None:
        copied, beside = "https://copied.example/lamp", "https://north.example/shops/other"
        await told(identity, registered(), registered(operator_ref="copy", shop_urls=[copied, beside]))
        issued = (await identity.post("/v1/badges", {"account_id": str(SHOP)}, Role.REGULATOR)).json()
        body = f'<a href="{issued["page"]}">badge</a>'

        await told(identity, captured(body, url=copied), captured(body, url=beside, at=LATER))

        assert [page["codes"] for page in await pages(identity)] == [["badge_wrong_shop"], ["badge_cloned"]]

    async def test_that_was_revoked_counts_up_to_then(self, identity: Service) -> None:
        await told(identity, registered())
        issued = (await identity.post("/v1/badges", {"account_id": str(SHOP)}, Role.REGULATOR)).json()
        body = f'<a href="{issued["page"]}">badge</a>'
        await told(identity, operator_changed(time="2026-03-05T00:00:00Z", shop_urls=[SHOP_URL], legal_name="New Ltd"))

        await told(identity, captured(body), captured(body, at="2026-03-06T10:00:00Z"))

        assert [page["codes"] for page in await pages(identity)] == [["badge_revoked"], ["badge_shown"]]


class TestViolation:
    async def test_is_told_once_and_its_end_too(self, identity: Service) -> None:
        await told(identity, registered(), captured("<p>Lamps</p>"))
        await told(identity, captured("<p>Lamps</p>", at="2026-03-01T11:00:00Z"))
        await told(identity, captured(SHOWN, at=LATER))

        (violated, corrected) = await identity.published(DisplayViolated, DisplayCorrected)
        said = msgspec.json.decode(violated.data, type=DisplayViolated)
        assert (said.account_id, said.codes, said.operator_ref) == (SHOP, ["licence_missing"], "shop")
        assert "E-Commerce Law of China, art. 15" in said.source
        assert corrected.type == "identity.display.corrected.v1"

    async def test_does_not_depend_on_what_came_first(self, identity: Service, open_service: OpenService) -> None:
        file, bad, good = registered(), captured("<p>Lamps</p>"), captured(SHOWN, at=LATER)
        other = await open_service("identity")

        for one in (file, bad, good):
            await told(identity, one)
        for one in (good, bad, file):
            await told(other, one)

        rows = "SELECT url, account_id, version, finding, codes FROM page_snapshots ORDER BY captured_at"
        states = "SELECT account_id, is_violated, codes, page_ids FROM display_states"
        for question in (rows, states):
            assert list(map(tuple, await identity.rows(question))) == list(map(tuple, await other.rows(question)))
        assert await changes(identity) == [("violated", ["licence_missing"]), ("corrected", [])]

    async def test_waits_for_the_registration_of_the_shop(self, identity: Service) -> None:
        await told(identity, captured("<p>Lamps</p>"))
        assert [(page["finding"], page["codes"]) for page in await pages(identity)] == [("unmatched", ["shop_unknown"])]

        await told(identity, registered())

        assert [page["finding"] for page in await pages(identity)] == ["violated"]
        assert await changes(identity) == [("violated", ["licence_missing"])]

    async def test_is_found_of_an_account_whose_verification_lapsed(self, identity: Service) -> None:
        await told(identity, registered())
        await identity.rows(
            """
            INSERT INTO registration_files (account_id, version, platform_id, operator_id, event_id, event_type,
                content, state, verdict, reasons, stated_at)
            SELECT account_id, 2, platform_id, operator_id, event_id, event_type, content, 'lapsed', verdict, reasons,
                '2026-02-20T00:00:00Z' FROM registration_files
            """
        )
        await identity.rows("UPDATE accounts SET version = 2, state = 'lapsed'")

        await told(identity, captured("<p>Lamps</p>"))

        assert [(page["finding"], page["version"]) for page in await pages(identity)] == [("violated", 2)]
        assert await changes(identity) == [("violated", ["licence_missing"])]

    async def test_of_one_shop_is_not_mended_by_another_shop_of_the_account(self, identity: Service) -> None:
        second = "https://north.example/shops/second"
        await told(identity, registered(shop_urls=[SHOP_URL, second]), captured("<p>Lamps</p>"))

        await told(identity, captured(SHOWN, url=second, at=LATER))

        assert await changes(identity) == [("violated", ["licence_missing"])]

    async def test_ends_with_a_shop_that_moved(self, identity: Service) -> None:
        await told(identity, registered(), captured("<p>Lamps</p>"))

        await told(identity, operator_changed(time=LATER, shop_urls=["https://north.example/shops/new"]))

        assert await changes(identity) == [("violated", ["licence_missing"]), ("corrected", [])]

    async def test_is_not_found_in_pages_that_another_platform_sends_or_of_an_account_that_ended(
        self, identity: Service
    ) -> None:
        await told(identity, registered(), captured("<p>Lamps</p>", platform_id="south"))
        await told(identity, operator_deregistered("left", time="2026-03-03T00:00:00Z"))
        await told(identity, captured("<p>Lamps</p>", at="2026-03-04T00:00:00Z"))

        assert [page["finding"] for page in await pages(identity)] == ["account_ended", "unmatched"]
        assert await changes(identity) == []


class TestDisclosure:
    async def test_is_scored_by_four_items_with_evidence(self, identity: Service) -> None:
        await told(identity, home())

        report = (await identity.get("/v1/platforms/north/disclosure")).json()

        assert report["score"] == 100
        assert [(item["item"], item["status"]) for item in report["items"]] == [
            ("licence", "shown"),
            ("icp", "shown"),
            ("address", "shown"),
            ("contacts", "shown"),
        ]
        icp = report["items"][1]
        assert (icp["excerpt"], icp["path"]) == ("京ICP备12345678", "/html/body/footer/p[2]")
        assert "art. 12" in icp["source"]

    @pytest.mark.parametrize(
        ("body", "statuses", "score"),
        [
            ("<p>Welcome</p>", ["missing", "missing", "missing", "missing"], 0),
            (HOME.replace("京ICP备12345678号-1", "ICP备XXXXXXXX号"), ["shown", "malformed", "shown", "shown"], 70),
            (HOME.replace(USCC, "91110000600037341M"), ["malformed", "shown", "shown", "shown"], 60),
            ('<a href="/l">营业执照</a><img src="yyzz.png">', ["linked", "missing", "missing", "missing"], 40),
            ('<img src="yyzz.png">', ["not_readable", "missing", "missing", "missing"], 0),
            (
                "<p>Registered office: 1 Example Street, Hamburg</p><a href='mailto:help@shop.example'>Mail</a>",
                ["missing", "missing", "shown", "shown"],
                30,
            ),
        ],
    )
    async def test_counts_what_is_shown_and_well_formed(
        self, identity: Service, body: str, statuses: list[str], score: float
    ) -> None:
        await told(identity, home(body))

        report = (await identity.get("/v1/platforms/north/disclosure")).json()

        assert [item["status"] for item in report["items"]] == statuses
        assert report["score"] == score

    async def test_is_of_the_newest_page_by_an_instant_and_public(self, identity: Service) -> None:
        await told(identity, home("<p>new</p>", at=LATER), home())
        path = "/public/v1/platforms/north/disclosure"

        newest = await identity.client.get(path)
        earlier = await identity.client.get(path, params={"as_of": "2026-03-01T12:00:00Z"})

        assert (newest.json()["score"], earlier.json()["score"]) == (0, 100)
        assert (await identity.client.get(path, params={"as_of": BEFORE})).status_code == 404
        assert (await identity.client.get("/public/v1/platforms/nobody/disclosure")).status_code == 404
        assert (await identity.client.get("/public/v1/platforms/a%00b/disclosure")).status_code == 422

    async def test_before_its_law_is_less(self, identity: Service) -> None:
        await told(identity, home(at="2012-01-01T00:00:00Z"))

        report = (await identity.get("/v1/platforms/north/disclosure")).json()

        assert [item["item"] for item in report["items"]] == ["icp"]
