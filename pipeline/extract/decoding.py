"""Bytes to text, and the one normal form that every extracted text has.

The normal form: lines end in "\\n"; no control characters but tab and newline, no byte order marks, no noncharacters, no
lone surrogates; Unicode NFC for prose. Source code is left uncomposed, because its string literals are data.
"""

from __future__ import annotations

import codecs
import re
import unicodedata

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

from pipeline.extract.documents import NoText

#: Longest first: the UTF-32 mark begins with the UTF-16 one.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_ASCII = bytes(range(128))
#: Share of damaged characters up to which a charset is believed: of a page's non-ASCII bytes when nothing but UTF-8's own
#: redundancy speaks for it, of all bytes when the document or a guess names it.
_DAMAGED_UTF8 = 0.1
_DAMAGED_NAMED = 0.01
#: Share of NUL bytes above which content is no text.
_NULS = 0.001
#: What the charset guess looks at, half from each end.
_SAMPLE_BYTES = 64 << 10
#: Supersets that decode what the web labels with the narrower name.
_WIDER = {"gbk": "gb18030", "euc_kr": "cp949", "shift_jis": "cp932"}

_NEWLINES = re.compile("[\x0b\x0c\x85\u2028\u2029]")
_UNWANTED = "\x00-\x08\x0e-\x1f\x7f-\x9f\ufeff\ufffe\uffff\ud800-\udfff"
_CONTROLS = re.compile(f"[{_UNWANTED}]")
_UNUSUAL = re.compile(f"[\x0b\x0c\x85\u2028\u2029{_UNWANTED}]")
#: Looks behind, so that a long run of spaces within a line is tried once, not from each of its spaces.
_TRAILING = re.compile(r"(?<![^\S\n])[^\S\n]++$", re.MULTILINE)
_SPACED_ENDS = (" \n", "\t\n", "\xa0\n", "\u3000\n")
_BLANKS = re.compile(r"\n{3,}")


def decode(content: bytes, *charsets: object) -> str:
    """The text of `content`; `charsets` are the names that headers and the document itself claim, most trusted first.

    A byte order mark decides; then UTF-8, which other charsets almost never look like, whatever was claimed; then the
    claims; then a guess (uchardet). Raises NoText: "binary" for content full of NULs, "undecodable" when nothing fits.
    """
    for mark, name in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(name, "replace")
    claims = [known for known in map(_known, charsets) if known]
    if b"\x1b" in content and (stateful := [name for name in claims if name.startswith("iso2022")]):
        return content.decode(stateful[0], "replace")  # seven bits: it would pass for UTF-8
    if content.count(0) > _NULS * len(content):
        return _wide(content, claims)
    try:
        return content.decode()
    except UnicodeDecodeError:
        return _decode_legacy(content, claims)


def _decode_legacy(content: bytes, claims: list[str]) -> str:
    text = content.decode("utf-8", "replace")
    if text.count("\ufffd") <= _DAMAGED_UTF8 * len(content.translate(None, _ASCII)):
        return text
    guess = detect_encoding(content, max_len=_SAMPLE_BYTES, from_html_meta=False) or "cp1252"
    for name in [*claims, _WIDER.get(guess, guess)]:
        text = content.decode(name, "replace")
        if text.count("\ufffd") <= _DAMAGED_NAMED * len(content):
            return text
    raise NoText("undecodable")


def _wide(content: bytes, claims: list[str]) -> str:
    """UTF-16 without a mark, where it was claimed: the only text that is full of NULs."""
    if not any(name.startswith("utf-16") for name in claims):
        raise NoText("binary")
    name = "utf-16-le" if content[1::2].count(0) >= content[::2].count(0) else "utf-16-be"
    text = content.decode(name, "replace")
    if text.count("\0") > _NULS * len(text):
        raise NoText("binary")
    return text


def _known(charset: object) -> str | None:
    """The codec that a claimed charset means on the web (WHATWG: latin-1 is windows-1252), or None."""
    if not isinstance(charset, str):
        return None
    label = charset.strip(" \t\"'").lower().replace("latin-", "latin")
    codec = map_encoding_to_html5(label, fallback_utf8=False)
    return _WIDER.get(codec, codec) if codec else None


def clean(text: str, *, compose: bool = True) -> str:
    """`text` in the normal form; `compose` is False for source code."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if _UNUSUAL.search(text):
        text = _CONTROLS.sub("", _NEWLINES.sub("\n", text))
    return unicodedata.normalize("NFC", text) if compose else text


def paragraphs(text: str) -> str:
    """`clean` of a text that an extractor put together: no trailing spaces, one blank line at most, none at the ends."""
    text = clean(text).strip()
    if any(end in text for end in _SPACED_ENDS):
        text = _TRAILING.sub("", text)
    return _BLANKS.sub("\n\n", text) if "\n\n\n" in text else text
