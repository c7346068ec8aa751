"""The extractor "wikitext": prose of MediaWiki pages, with headings, lists and formulas, without all else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from pipeline.contracts import Extracted
from pipeline.extract.decoding import clean, decode, paragraphs
from pipeline.extract.documents import Found, NoText, extracted
from pipeline.extract.wikimarkup import strip_markup
from pipeline.extract.wikinames import DISAMBIGUATION
from pipeline.registry import extractor

_REDIRECT = re.compile(r"\s*#\s*\w+\s*:?\s*\[\[[^\]\n]+\]\]")
_EXTERNAL = re.compile(r"\[(?:https?:|ftp:|mailto:)?//[^\s\[\]]*+[ \t]*+([^\[\]\n]*+)\]")
_BOLD = re.compile(r"'{2,5}")
_SWITCH = re.compile(r"__[A-Z]{3,}__")
_VARIANT = re.compile(r"-\{(?:[^{}|]*+\|)?+(?:[a-z-]++:)?+([^{};]*+)[^{}]*+\}-")
_HOLLOW = re.compile(r"\([\s,;:.–-]*\)")
_HALF_HOLLOW = re.compile(r"\((?:\s*[,;:])+\s*")
_SPACES = re.compile(r"[ \t]{2,}")
_ITEM = re.compile(r"[*#:;]*[*#]\s*")
_INDENT = re.compile(r"[:;]+\s*")
#: A line of nothing but links into other namespaces: categories, in a language whose name for them isn't known here.
_ONLY_LINKS = re.compile(r"^(?:\[\[[^\s\[\]|:]+:[^\s\[\]][^\[\]\n]*\]\]\s*)+$", re.MULTILINE)


@extractor("wikitext", uses=("resiliparse", "unicode"))
def wikitext(raw: pa.RecordBatch, *, min_chars: int = 200, max_bytes: int = 4 << 20) -> Extracted:
    """Prose of wiki pages; templates, tables, references, files and categories are dropped, and sections left empty by it.

    Reasons: "redirect", "disambiguation" (the page's templates, in some thirty languages), "stub" (fewer than `min_chars`
    characters are left), "empty", "too_large".
    """

    def read(content: bytes, meta: Mapping[str, Any]) -> Found:
        source = clean(decode(content))
        if meta.get("redirect") or _REDIRECT.match(source):
            raise NoText("redirect")
        stripped = strip_markup(_ONLY_LINKS.sub("", source))
        if not stripped.templates.isdisjoint(DISAMBIGUATION) or "__DISAMBIG__" in source:
            raise NoText("disambiguation")
        text = paragraphs(stripped.release(_prose(stripped.text)))
        if 0 < len(text) < min_chars:
            raise NoText("stub")
        return Found(text)

    return extracted(raw, read, max_bytes=max_bytes)


def _prose(text: str) -> str:
    """Text without the markup that stays within a line, and without the brackets that dropped templates left empty."""
    text = _BOLD.sub("", _EXTERNAL.sub(r"\1", text))
    if "-{" in text:
        text = _VARIANT.sub(r"\1", text)
    if "__" in text:
        text = _SWITCH.sub("", text)
    text = _HALF_HOLLOW.sub("(", _HOLLOW.sub("", html.unescape(text)))
    return "\n".join(_lines(_SPACES.sub(" ", text)))


def _lines(text: str) -> Iterator[str]:
    """The lines of a page: headings as paragraphs of their own where something follows, list items with a dash."""
    waiting: list[tuple[int, str]] = []
    for line in text.split("\n"):
        if heading := _heading(line):
            waiting = [above for above in waiting if above[0] < heading[0]] + [heading]
            continue
        line = _plain_line(line)
        if line.strip():
            yield from (f"\n{title}\n" for _, title in waiting)
            waiting = []
        yield line


def _heading(line: str) -> tuple[int, str] | None:
    """Level and title of a line like "== Title ==", or None."""
    line = line.rstrip()
    if not line.startswith("=") or not line.endswith("="):
        return None
    title = line.strip("=")
    level = min((len(line) - len(title)) // 2, 6)
    return (level, title.strip()) if title.strip() else None


def _plain_line(line: str) -> str:
    if line.startswith("|"):  # what is left of a table or template that was never closed
        return ""
    if item := _ITEM.match(line):
        rest = line[item.end() :]
        return f"- {rest}" if rest.strip() else ""
    if indent := _INDENT.match(line):
        return line[indent.end() :]
    return line
