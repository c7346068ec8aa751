"""Plain Python twins of the kernels for source code: regular expressions, and a lexer that goes character by character."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pipeline.kernels.comments import AFTER_INDENT, AFTER_SPACE, COMMENT, LINE_START, NOTHING, Mark

# ---- data written as text -------------------------------------------------------------------------------------------

_ITEM = r"(?<![0-9A-Za-z_\\])(?:(?:0[xX])?[0-9a-fA-F]{2}|(?:\\x[0-9a-fA-F]{2})+)(?![0-9A-Za-z_\\])"
_UNIT = re.compile(r"(?:0[xX]|\\x)?[0-9a-fA-F]{2}")
_BASE64 = re.compile(r"[a-zA-Z0-9+/=\n]{64,}")
_BYTES = re.compile(rf"{_ITEM}(?:[, \t\r\n]+{_ITEM})*")
_ESCAPES = re.compile(r"(?:\\u[0-9a-fA-F]{4}){8,}")


def encoded_chars(text: str) -> list[int]:
    lists = [found for found in _BYTES.findall(text) if len(_UNIT.findall(found)) >= 8]
    base64 = [found for found in _BASE64.findall(text) if 2 * sum(map(str.isalnum, found)) >= len(found)]
    lengths = [len(found) for found in [*base64, *lists, *_ESCAPES.findall(text)]]
    return [sum(lengths), max(lengths, default=0)]


# ---- pages ----------------------------------------------------------------------------------------------------------

_TAGS = re.compile(
    r"<!(?=--)(?:.*?-->|.*)"
    r"|<(script|style)(?![A-Za-z0-9:-])[^>]*(?:>(?:.*?(?=</\1)|.*)|$)"
    r"|<[A-Za-z/!?][^>]*(?:>|$)",
    re.DOTALL | re.IGNORECASE | re.ASCII,
)


def visible_chars(page: str) -> int:
    return len(" ".join(_TAGS.sub("", page).split()))


# ---- comments -------------------------------------------------------------------------------------------------------


def comment_chars(text: str, marks: Sequence[Mark]) -> int:
    i, chars = 0, 0
    while i < len(text):
        mark = next((mark for mark in marks if text.startswith(mark.opens, i) and _counts(text[:i], mark.where)), None)
        if mark is None:
            i += 1
            continue
        stop = _end(text, i + len(mark.opens), mark)
        chars += stop - i if mark.begins == COMMENT else 0
        i = stop
    return chars


def _counts(before: str, where: int) -> bool:
    if where == AFTER_INDENT:
        before = before.rstrip(" \t")
    ends = {AFTER_INDENT: "\n\r", LINE_START: "\n\r", AFTER_SPACE: "\n\r\t "}
    return where not in ends or before == "" or before[-1] in ends[where]


def _end(text: str, i: int, mark: Mark) -> int:
    if mark.begins == NOTHING:
        return i
    ways = [re.escape(mark.closes)] if mark.closes else []
    ways += [r"(?=[\n\r])"] if mark.one_line else []
    skipped = (r"\\(?!\n)." if mark.one_line else r"\\.") + "|" if mark.escapes else ""
    found = re.compile(rf"(?:(?!{'|'.join(ways)})(?:{skipped}.))*+(?:{'|'.join(ways)})", re.DOTALL).match(text, i)
    return found.end() if found else len(text)


# ---- heads ----------------------------------------------------------------------------------------------------------


def first_places(text: str, phrases: Sequence[str]) -> list[int]:
    words = " ".join(["", *re.findall("[A-Za-z0-9]+", text), ""]) or " "
    return [words.lower().find(f" {phrase} ") for phrase in phrases]
