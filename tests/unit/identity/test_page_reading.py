"""Reading pages: whatever they are made of is read or left, and never an error; what is hidden is not shown."""

from hypothesis import given, settings
from hypothesis import strategies as st

from services.identity.page_decoding import decode
from services.identity.page_marks import MOST_MARKS, Where, marks, masked
from services.identity.page_reading import read
from tests.services.identity.factories import USCC

WHERE = Where("identity.example", lambda number: f"blind {number[::-1]}")
_TAGS = st.sampled_from(
    ["div", "p", "span", "a", "table", "tr", "td", "style", "script", "svg", "select", "b", "template"]
)
_PIECES = st.one_of(
    st.builds("<{}>".format, _TAGS),
    st.builds("</{}>".format, _TAGS),
    st.builds('<a href="{}" style="{}">'.format, st.text(), st.text()),
    st.builds('<img alt="{}" src="{}">'.format, st.text(), st.text()),
    st.sampled_from(
        ["统一社会信用代码：", "营业执照", "京ICP备", "地址：", USCC, "<!--", "-->", "<![CDATA[", "&#0;", "&lt"]
    ),
    st.text(),
)


def found(html: str, kind: str = "shop") -> list[tuple[str, str, str | None]]:
    return [(mark.kind, mark.said, mark.code) for mark in marks(read(html), kind, WHERE)]


class TestRead:
    @settings(max_examples=300, deadline=None)
    @given(st.binary(max_size=2_000), st.none() | st.text(max_size=60))
    def test_takes_any_bytes_under_any_name_of_an_encoding(self, content: bytes, content_type: str | None) -> None:
        decoded = decode(content, content_type)

        assert isinstance(marks(read(decoded.text), "home", WHERE), list)

    @settings(max_examples=300, deadline=None)
    @given(st.lists(_PIECES, max_size=40))
    def test_takes_any_markup(self, pieces: list[str]) -> None:
        shown = read("".join(pieces).encode("utf-8", "replace").decode())

        assert all(0 <= mark.offset <= len(shown.text) for mark in marks(shown, "home", WHERE))

    @settings(max_examples=100, deadline=None)
    @given(st.sampled_from(["display:none", "visibility: hidden", "opacity:0", "font-size:0px", "text-indent:-9999px"]))
    def test_leaves_out_what_a_style_hides(self, style: str) -> None:
        hidden = f"<p>{USCC}</p>"

        assert found(f'<div style="color:red;{style}">{hidden}</div>') == []
        sheet = f"<style>#x, .y {{ {style} }}</style>"
        assert found(f"{sheet}<div class='a y'>{hidden}</div><ul id='x'>{hidden}</ul>") == []
        assert len(found(f"<style>@media print {{ .y {{ {style} }} }}</style><div class='y'>{hidden}</div>")) == 1

    def test_joins_what_is_on_one_line_and_parts_what_is_not(self) -> None:
        assert read("<p>a<span>b</span><i>c</i></p><p>d</p>").text.split() == ["abc", "d"]

    def test_says_that_a_page_is_too_deep_and_reads_what_is_above(self) -> None:
        shown = read(f"<p>{USCC}</p>" + "<div>" * 100_000 + "below")

        assert shown.too_deep
        assert USCC in shown.text
        assert "below" not in shown.text


class TestMarks:
    def test_keep_no_number_in_clear(self) -> None:
        (mark,) = marks(read(f"<p>统一社会信用代码：{USCC}</p>"), "shop", WHERE)

        assert USCC not in repr(mark).replace(mark.blind or "", "")
        assert mark.blind == WHERE.blind(USCC)

    def test_are_the_same_for_every_way_to_write_a_number(self) -> None:
        wide = "".join(chr(ord(sign) + 0xFEE0) for sign in USCC)
        for written in (USCC, USCC.lower(), wide, f"{USCC[:4]} {USCC[4:8]} {USCC[8:]}", f"{USCC[:8]}-{USCC[8:]}"):
            (mark,) = marks(read(f"<p>信用代码 {written}。</p>"), "shop", WHERE)

            assert (mark.blind, mark.code) == (WHERE.blind(USCC), None), written

    def test_take_no_order_number_or_phone_for_a_registration(self) -> None:
        for said in ("订单 202603011234567890", "电话 13912345678", "THE QUICK BROWN FOX 12", "4006 0012 3456 7890 12"):
            assert found(f"<p>{said}</p>") == [], said

    def test_of_one_kind_are_so_many_and_no_more(self) -> None:
        numbers = "".join(f"<p>注册号 {number}</p>" for number in range(10**14, 10**14 + 200))

        assert len(found(numbers)) == MOST_MARKS

    def test_tell_filings_that_can_be_from_those_that_cannot(self) -> None:
        expected = {
            "京ICP备12345678号-1": None,
            "备案号：粤 ICP备 05012345号": None,
            "京ICP证030173号": None,
            "增值电信业务经营许可证：浙B2-20090059": None,
            "京ICP备XXXXXXXX号": "icp_malformed",
            "ICP备12345678号": "icp_malformed",
            "京ICP备123号": "icp_malformed",
            "ICP备案号：申请中": "icp_malformed",
        }
        for said, code in expected.items():
            (one,) = found(f"<p>{said}</p>", "home")

            assert (one[0], one[2]) == ("icp", code), said
        assert found("<p>京ICP备12345678号-1</p>", "shop") == []

    def test_say_no_more_of_an_address_than_where_it_is(self) -> None:
        (_, said, _), *_ = found("<p>公司地址：宁波市示例路17号 联系人：司马雨晴 电话：13912345678</p>", "home")

        assert said == "公司地址:宁波市示例路17号"

    def test_mask_numbers_whatever_their_length(self) -> None:
        for length in range(1, 30):
            number = "123456789012345678901234567890"[:length]

            assert len(masked(number)) == length
            assert "*" in masked(number)
