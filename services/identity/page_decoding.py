"""Bytes of a web page as text: by what the sender, the page and the bytes themselves say of their encoding. Pure."""

import codecs
import re
from typing import NamedTuple

# Labels as pages state them (WHATWG Encoding), of the encodings that pages of the markets served here are in. Nothing
# else is looked up: Python has codecs that are none of pages and slow.
_CODECS = {
    **dict.fromkeys(("utf-8", "utf8", "unicode-1-1-utf-8"), "utf-8"),
    **dict.fromkeys(("gb18030", "gbk", "gb2312", "gb_2312-80", "x-gbk", "chinese", "csgb2312"), "gb18030"),
    **dict.fromkeys(("big5", "big5-hkscs", "cn-big5", "x-x-big5"), "big5hkscs"),
    **dict.fromkeys(("shift_jis", "shift-jis", "sjis", "x-sjis", "ms_kanji", "windows-31j"), "cp932"),
    **dict.fromkeys(("euc-jp", "x-euc-jp"), "euc_jp"),
    **dict.fromkeys(("euc-kr", "ks_c_5601-1987", "korean", "windows-949"), "cp949"),
    **dict.fromkeys(("iso-8859-1", "latin1", "us-ascii", "ascii", "windows-1252", "cp1252"), "cp1252"),
    **dict.fromkeys(("utf-16", "utf-16le"), "utf-16-le"),
    "utf-16be": "utf-16-be",
}
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_TRIED = ("utf-8", "gb18030", "big5hkscs", "cp932")
_META = re.compile(rb"""<meta[^>]{0,300}?charset\s{0,9}=\s{0,9}["']?\s{0,9}([\w.:-]{1,40})""", re.IGNORECASE)
_LABEL = re.compile(r"""charset\s*=\s*["']?([\w.:-]{1,40})""", re.IGNORECASE)
_HEAD = 4_096
# Words of legal notices: a text that has them was read right.
_TELLING = re.compile(
    "营业执照|信用代码|备案|地址|电话|公司|有限|客服|首页|商品|營業執照|統一編號|電話|聯絡|會社|会社|特定商取引"
)


class Decoded(NamedTuple):
    """A page's text, the encoding it was read in, and whether that is not what it was said to be in."""

    text: str
    encoding: str
    otherwise_than_stated: bool


def decode(content: bytes, content_type: str | None) -> Decoded:
    """Return the text of a page; bytes that mean nothing in its encoding become U+FFFD, and nothing is refused."""
    for mark, codec in _MARKS:
        if content.startswith(mark):
            return Decoded(content[len(mark) :].decode(codec, "replace"), codec, otherwise_than_stated=False)
    stated = [codec for codec in (_of_header(content_type), _of_page(content)) if codec is not None]
    found = [
        (codec, text) for codec in dict.fromkeys((*stated, *_TRIED)) if (text := _read(content, codec)) is not None
    ]
    if not found:
        codec = stated[0] if stated else "utf-8"
        return Decoded(content.decode(codec, "replace"), codec, otherwise_than_stated=False)
    codec, text = max(found, key=lambda one: len(_TELLING.findall(one[1])))
    return Decoded(text, codec, otherwise_than_stated=bool(stated) and codec not in stated)


def _read(content: bytes, codec: str) -> str | None:
    try:
        return content.decode(codec)
    except UnicodeDecodeError:
        return None


def _of_header(content_type: str | None) -> str | None:
    found = _LABEL.search(content_type or "")
    return _CODECS.get(found[1].lower()) if found else None


def _of_page(content: bytes) -> str | None:
    found = _META.search(content[:_HEAD])
    codec = _CODECS.get(found[1].decode("ascii", "replace").lower()) if found else None
    # A page whose statement can be read is not in UTF-16.
    return "utf-8" if codec is not None and codec.startswith("utf-16") else codec
