"""The extractor "gutenberg": a book without Project Gutenberg's header, licence and credits, its paragraphs unwrapped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.extract.decoding import clean, decode, paragraphs
from pipeline.extract.documents import Found, NoText, extracted
from pipeline.registry import extractor

#: Where the book begins, the later marker of two first: today's line, the end of the "small print" of the 1990s.
_STARTS = (
    re.compile(r"^[ ]*\*\*\*[ ]*START OF (?:THE|THIS) PROJECT GUTENBERG E-?(?:BOOK|TEXT)[^\n]*(?:\n[^\n*]+)?\*\*\*[ ]*$", re.M | re.I),
    re.compile(r"^[ ]*\*\*\*[ ]*START OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*$", re.M | re.I),
    re.compile(r"^[ ]*\*?(?:\*\*)?END[ *]*THE SMALL PRINT![^\n]*$", re.M | re.I),
)
_ENDS = (
    re.compile(r"^[ ]*\*\*\*[ ]*END OF (?:THE|THIS) PROJECT GUTENBERG[^\n]*$", re.M | re.I),
    re.compile(r"^[ ]*(?:\*+[ ]*)?End of (?:the |this )?Project Gutenberg(?:['’]s)?[ ][^\n]*$", re.M | re.I),
)
#: Paragraphs of credits and notes that stand between the marker and the title page.
_CREDITS = re.compile(
    r"\s*(?:(?:Produced|Prepared|Scanned|Transcribed|E-?text (?:prepared|produced)|This e-?(?:text|book) was (?:prepared|produced))\b"
    r"|Special thanks are due|\[?(?:Note:|Transcriber['’]?s['’]? Note)|Distributed Proofread|HTML version by)[^\n]*(?:\n[^\n]+)*\n",
    re.I,
)
#: Small print beyond this share of the file stands behind the book, not before it.
_SMALL_PRINT = 0.9
#: A paragraph is prose, not verse or a table, when its lines but the last are at least this full.
_FULL_LINE = 45


@extractor("gutenberg", uses=("resiliparse", "unicode"))
def gutenberg(raw: pa.RecordBatch, *, unwrap: bool = True, max_bytes: int = 64 << 20) -> Extracted:
    """The text between the START and END markers (of any decade) without the credits after START.

    `unwrap` joins the lines of prose paragraphs; verse, tables and anything indented stay as they are. Reasons: "empty",
    "too_large", "undecodable", "no_gutenberg_markers" when neither a start nor an end is found.
    """

    def read(content: bytes, meta: Mapping[str, Any]) -> Found:
        book = _book(clean(decode(content, meta.get("charset"))))
        return Found(paragraphs(_unwrapped(book) if unwrap else book))

    return extracted(raw, read, max_bytes=max_bytes)


def _book(text: str) -> str:
    limits = (len(text), len(text), int(len(text) * _SMALL_PRINT))
    starts = [found.end() for marker, limit in zip(_STARTS, limits, strict=True) if (found := marker.search(text, 0, limit))]
    start = max(starts, default=0)
    ends = [found.start() for marker in _ENDS if (found := marker.search(text, start))]
    if not starts and not ends:
        raise NoText("no_gutenberg_markers")
    book = text[start : min(ends, default=len(text))]
    while thanks := _CREDITS.match(book):
        book = book[thanks.end() :]
    return book


def _unwrapped(text: str) -> str:
    return "\n\n".join(_paragraph(block) for block in re.split(r"\n{2,}", text))


def _paragraph(block: str) -> str:
    lines = block.split("\n")
    prose = len(lines) > 1 and all(len(line) >= _FULL_LINE and line[0] not in " \t|" for line in lines[:-1]) and lines[-1][:1] not in " \t|"
    return " ".join(line.strip() for line in lines) if prose else block
