"""Captured pages of the simulation: of each platform and its shops, some planted so as not to show their licence."""

import base64

from shared.events.pages import PageCaptured
from shared.events.platform import OperatorRegistered
from tests.unit.simulator.streams import decoded, facts_of, marketplace


def text_of(page: PageCaptured) -> str:
    if page.html_base64 is not None:
        return base64.b64decode(page.html_base64).decode("gb18030")
    assert page.html is not None, "a page is text or bytes"
    return page.html


class TestCaptures:
    def test_are_of_each_platform_and_of_shops_that_were_registered(self) -> None:
        source = marketplace(events=12_000)
        for platform_id in source.platform_ids:
            stream = list(decoded(source.events(platform_id)))
            pages = facts_of(PageCaptured, stream)
            shops = {url for file in facts_of(OperatorRegistered, stream) for url in file.shop_urls}

            assert [page.url for page in pages if page.kind == "home"] == [f"https://{platform_id}.example/"]
            assert {page.url for page in pages if page.kind == "shop"} <= shops
            assert len(pages) > len(shops) / 2
            assert {page.html is None for page in pages} == {True, False}
            assert {'lang="zh"' in text_of(page) for page in pages} == {True, False}

    def test_hide_the_licence_where_the_truth_says_so_and_in_the_open_elsewhere(self) -> None:
        source = marketplace(events=30_000)
        truth = source.truth()
        planted = [one for one in truth if one.scheme == "missing_licence_display"]
        others = {ref for one in truth if one.scheme == "unlicensed_seller" for ref in one.operator_refs}
        assert {one.platform_id for one in planted} == set(source.platform_ids)
        assert not others & {ref for one in planted for ref in one.operator_refs}
        assert {one.strength for one in planted} == {"strong", "weak"}

        for one in planted:
            stream = list(decoded(source.events(one.platform_id)))
            (file,) = [own for own in facts_of(OperatorRegistered, stream) if own.operator_ref in one.operator_refs]
            texts = [text_of(page) for page in facts_of(PageCaptured, stream) if page.url in file.shop_urls]
            number = file.registration.number if file.registration else ""

            assert len(texts) <= 1, "nobody mends what is planted"
            if "hidden" not in one.note and one.note.startswith(
                ("no", "the number", "a number", "a picture", "a link")
            ):
                assert not any(number in text for text in texts)
