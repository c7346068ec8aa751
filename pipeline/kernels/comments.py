"""How much of a source file is comments: a lexer of a few marks for each language, which knows strings so far as they matter.

What it doesn't know: comments within comments (Rust, Swift, Haskell), literals of regular expressions, here-documents, raw
strings with marks of their own (C++), code within strings. A string ends with its line at the latest, unless it is made
for several, so that a quotation mark that it misunderstands spoils one line and not the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints, Texts, encoded
from pipeline.kernels.compiled import kernel
from pipeline.kernels.unicode import char_count

#: What a mark begins: a comment, a string, or nothing (it is passed over, lest a part of it be taken for a mark).
COMMENT, STRING, NOTHING = range(3)
#: Where a mark counts: anywhere; as the first of a line; after white space; as the first of a line but for white space.
ANYWHERE, LINE_START, AFTER_SPACE, AFTER_INDENT = range(4)


class Mark(NamedTuple):
    """How a comment or string begins and ends. `closes` empty: with the line, or with nothing, for NOTHING."""

    opens: str
    closes: str
    begins: int
    where: int = ANYWHERE
    one_line: bool = True
    escapes: bool = False


def line_comment(opens: str, where: int = ANYWHERE) -> Mark:
    """A comment to the end of the line."""
    return Mark(opens, "", COMMENT, where)


def block_comment(opens: str, closes: str, where: int = ANYWHERE) -> Mark:
    """A comment between two marks."""
    return Mark(opens, closes, COMMENT, where, one_line=False)


def docstring(quotes: str) -> Mark:
    """A string of several lines that is the first thing on its line: in Python a docstring, more often than not."""
    return Mark(quotes, quotes, COMMENT, AFTER_INDENT, one_line=False, escapes=True)


def string(quote: str, escapes: bool = True) -> Mark:
    """A string that ends with its line at the latest; with `escapes` a backslash takes the next character along."""
    return Mark(quote, quote, STRING, escapes=escapes)


def text_block(opens: str, closes: str = "", escapes: bool = True) -> Mark:
    """A string of several lines."""
    return Mark(opens, closes or opens, STRING, one_line=False, escapes=escapes)


def passed_over(mark: str) -> Mark:
    """What looks like a mark and is none."""
    return Mark(mark, "", NOTHING)


class Marks(NamedTuple):
    """The marks of several languages; those of language k stand from firsts[k] to firsts[k + 1], to be tried in order."""

    opens: Texts
    closes: Texts
    traits: Ints  # int64[marks, 4]: begins, where, one_line, escapes
    firsts: Ints
    starts: npt.NDArray[np.uint8]  # uint8[languages, 256]: 1 for bytes that a mark of the language begins with


def marks(languages: Sequence[Sequence[Mark]]) -> Marks:
    """The marks of languages for `comment_chars`, which knows a language by its place in the list."""
    every = [mark for language in languages for mark in language]
    starts = np.zeros((len(languages), 256), np.uint8)
    for number, language in enumerate(languages):
        starts[number, [mark.opens.encode()[0] for mark in language]] = 1
    traits = np.array([[mark.begins, mark.where, mark.one_line, mark.escapes] for mark in every], np.int64).reshape(-1, 4)
    firsts = np.cumsum([0, *map(len, languages)], dtype=np.int64)
    return Marks(encoded([mark.opens for mark in every]), encoded([mark.closes for mark in every]), traits, firsts, starts)


def comment_chars(column: Texts, languages: Ints, known: Marks) -> Ints:
    """int64[rows]: the characters of each text that are comments, their marks included, line ends after them not.

    `languages` is the place of each row's language in what `marks` was given, or -1, for which the answer is 0.
    """
    counts = np.zeros(column.rows, np.int64)
    _comment_chars(column.offsets, column.data, languages, known, counts)
    return counts


@kernel
def _comment_chars(offsets: Ints, data: Bytes, languages: Ints, known: Marks, counts: Ints) -> None:
    for row in range(len(counts)):
        language, i, end = languages[row], offsets[row], offsets[row + 1]
        while language >= 0 and i < end:
            if not known.starts[language, data[i]]:
                i += 1
                continue
            mark = _mark_at(data, offsets[row], i, end, language, known)
            if mark < 0:
                i += 1
                continue
            stop = _end_of(data, i, end, mark, known)
            if known.traits[mark, 0] == COMMENT:
                counts[row] += char_count(data, i, stop)
            i = stop


@kernel
def _mark_at(data: Bytes, start: int, i: int, end: int, language: int, known: Marks) -> int:
    """The first mark of the language that stands at `i` and counts there, or -1."""
    for mark in range(known.firsts[language], known.firsts[language + 1]):
        if _stands_at(data, i, end, known.opens, mark) and _counts_at(data, start, i, known.traits[mark, 1]):
            return mark
    return -1


@kernel
def _counts_at(data: Bytes, start: int, i: int, where: int) -> bool:
    if where == ANYWHERE or i == start:
        return True
    if where == AFTER_INDENT:
        while i > start and (data[i - 1] == 32 or data[i - 1] == 9):
            i -= 1
    before = data[i - 1] if i > start else 10
    return before == 10 or before == 13 or (where == AFTER_SPACE and (before == 32 or before == 9))


@kernel
def _end_of(data: Bytes, i: int, end: int, mark: int, known: Marks) -> int:
    """Where what the mark at `i` begins has ended."""
    i += int(known.opens.offsets[mark + 1] - known.opens.offsets[mark])
    if known.traits[mark, 0] == NOTHING:
        return i
    one_line, escapes = known.traits[mark, 2], known.traits[mark, 3]
    size = known.closes.offsets[mark + 1] - known.closes.offsets[mark]
    closing = known.closes.data[known.closes.offsets[mark]] if size else 0
    while i < end:
        byte = data[i]
        if one_line and (byte == 10 or byte == 13):
            return i
        if size and byte == closing and _stands_at(data, i, end, known.closes, mark):
            return int(i + size)
        i += 2 if escapes and byte == 92 and i + 1 < end and not (one_line and data[i + 1] == 10) else 1
    return end


@kernel
def _stands_at(data: Bytes, i: int, end: int, wanted: Texts, which: int) -> bool:
    first, last = wanted.offsets[which], wanted.offsets[which + 1]
    same = 0
    while same < last - first and i + same < end and data[i + same] == wanted.data[first + same]:
        same += 1
    return bool(same == last - first)
