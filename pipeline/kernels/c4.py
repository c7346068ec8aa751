"""C4's clean-up of a page, line by line, into a new column of texts. The rules: see `pipeline.filters.c4`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.phrases import Flanked, Phrases, found_phrases, has_flanked
from pipeline.kernels.unicode import (
    DIGIT,
    SPACE,
    byte_at,
    class_at,
    classes,
    continues,
    copy_bytes,
    count_byte,
    is_general_punctuation,
    line_stop,
    next_line,
    strip,
)
from pipeline.kernels.words import has_words

#: Columns of the counts of `clean_pages`; PAGE holds the groups of phrases that condemn the page.
KEPT, SENTENCES, LONG_WORD, NO_END_MARK, FEW_WORDS, JAVASCRIPT, POLICY, CITATIONS, PAGE = range(9)
#: Groups of phrases: a page with LOREM, CURLY or BAD is dropped whole, a line with one of the others is.
LOREM, ON_JAVASCRIPT, CURLY, ON_POLICY, BAD = 1, 2, 4, 8, 16

_EDIT, _NEEDED = np.frombuffer(b"edit]", np.uint8), np.frombuffer(b"citation needed]", np.uint8)


class Rules(NamedTuple):
    """What is asked of a line; 0 asks nothing."""

    end_mark: int
    min_words: int
    max_word_chars: int
    citations: int


def clean_pages(column: Texts, rules: Rules, phrases: Phrases, bad_words: Flanked) -> tuple[Ints, Bytes, Ints]:
    """The cleaned pages as (offsets, bytes), empty where the page is condemned, and int64[rows, 9] of counts.

    Counts, by the columns above: lines kept, their sentences, lines dropped by reason, citations removed.
    """
    size = int(column.offsets[-1] - column.offsets[0])
    offsets, data = np.zeros(column.rows + 1, np.int64), np.empty(size + 1, np.uint8)
    counts = np.zeros((column.rows, 9), np.int64)
    _clean_pages(column.offsets, column.data, classes(), rules, phrases, bad_words, offsets, data, counts)
    return offsets, data[: offsets[-1]], counts


@kernel
def _clean_pages(
    offsets: Ints,
    data: Bytes,
    table: Bytes,
    rules: Rules,
    phrases: Phrases,
    bad_words: Flanked,
    out_offsets: Ints,
    out: Bytes,
    counts: Ints,
) -> None:
    for row in range(len(counts)):
        line, end = offsets[row], offsets[row + 1]
        begin = out_offsets[row]
        size = begin
        while line < end and not counts[row, PAGE]:
            stop = line_stop(table, data, line, end)
            first, last = strip(table, data, line, stop) if stop > line else (line, line)
            if first == last and (rules.end_mark or rules.min_words):  # nothing to look at
                counts[row, NO_END_MARK if rules.end_mark else FEW_WORDS] += 1
            else:
                size = _clean_line(data, first, last, table, rules, phrases, bad_words, out, size, counts[row])
            line = next_line(data, stop, end)
        out_offsets[row + 1] = begin if counts[row, PAGE] else _strip_page(table, out, begin, size)


@kernel
def _strip_page(table: Bytes, out: Bytes, begin: int, size: int) -> int:
    """Move the page to `begin` without the white space around it; return where it ends."""
    first, last = strip(table, out, begin, size)
    if first > begin:
        for i in range(last - first):
            out[begin + i] = out[first + i]
    return begin + last - first


@kernel
def _clean_line(
    data: Bytes, start: int, end: int, table: Bytes, rules: Rules, phrases: Phrases, bad_words: Flanked, out: Bytes, size: int, counts: Ints
) -> int:
    """Append the line and a newline to out[:size] if it passes, count what it failed otherwise; return the new size.

    The newline stands before each line but the first kept.
    """
    if rules.max_word_chars and end - start > rules.max_word_chars and _longest_word(data, start, end, table) > rules.max_word_chars:
        counts[LONG_WORD] += 1
        return size
    begin = size
    if counts[KEPT]:
        out[begin] = 10
        begin += 1
    if rules.citations and count_byte(data, start, end, 91):
        stop = _copy_without_citations(data, start, end, table, out, begin, counts)
    else:
        copy_bytes(data, start, end, out, begin)
        stop = begin + end - start
    if rules.end_mark and not _ends_well(out, begin, stop):
        counts[NO_END_MARK] += 1
        return size
    if not has_words(out, begin, stop, table, rules.min_words):
        counts[FEW_WORDS] += 1
        return size
    found = found_phrases(out, begin, stop, phrases)
    if found & LOREM:
        counts[PAGE] = LOREM
    elif found & ON_JAVASCRIPT:
        counts[JAVASCRIPT] += 1
    elif found & CURLY:
        counts[PAGE] = CURLY
    elif found & ON_POLICY:
        counts[POLICY] += 1
    elif has_flanked(out, begin, stop, bad_words):
        counts[PAGE] = BAD
    else:
        counts[KEPT] += 1
        counts[SENTENCES] += count_sentences(out, begin, stop, table)
        return stop
    return size


@kernel
def _longest_word(data: Bytes, start: int, end: int, table: Bytes) -> int:
    """Characters of the longest word."""
    longest, chars = 0, 0
    for i in range(start, end):
        if not continues(data, i):
            chars = 0 if class_at(table, data, i, end) & SPACE else chars + 1
            longest = max(longest, chars)
    return longest


@kernel
def _ends_well(data: Bytes, start: int, end: int) -> bool:
    """Whether a line ends in one of . ? ! " and not in three dots."""
    if end == start:
        return False
    last = data[end - 1]
    if last == 46:
        return not (end - start >= 3 and data[end - 2] == 46 and data[end - 3] == 46)
    return last in (33, 34, 63)


@kernel
def _copy_without_citations(data: Bytes, start: int, end: int, table: Bytes, out: Bytes, size: int, counts: Ints) -> int:
    """Append data[start:end] to out[:size] without [1], [], [edit] and [citation needed]; return the new size."""
    i = start
    while i < end:
        stop = i + 1
        while stop < end and data[stop] != 91:
            stop += 1
        width = _citation_width(data, i, end, table) if data[i] == 91 else 0
        counts[CITATIONS] += width > 0
        copy_bytes(data, i + width, stop, out, size)
        size += stop - i - width
        i = stop
    return size


@kernel
def _citation_width(data: Bytes, start: int, end: int, table: Bytes) -> int:
    """The bytes of the citation that starts with the "[" at `start`, or 0."""
    i = start + 1
    if _stands_at(data, i, end, _EDIT):
        return 1 + len(_EDIT)
    if _stands_at(data, i, end, _NEEDED):
        return 1 + len(_NEEDED)
    while i < end and (continues(data, i) or class_at(table, data, i, end) & DIGIT):
        i += 1
    return i + 1 - start if i < end and data[i] == 93 else 0


@kernel
def _stands_at(data: Bytes, start: int, end: int, wanted: Bytes) -> bool:
    same = 0
    while same < len(wanted) and start + same < end and data[start + same] == wanted[same]:
        same += 1
    return same == len(wanted)


@kernel
def count_sentences(data: Bytes, start: int, end: int, table: Bytes) -> int:
    """Sentences of a line: what ends in . ? or !, with any closing quotes and brackets, before white space or the end.

    Marks alone are no sentence; what follows the last end is one. Only marks are looked at closely.
    """
    sentences, text, following = 0, start, start
    for i in range(start, end):
        if not _is_mark(data, i) or i < following:
            continue
        text = _skip_blank(data, text, i, table)
        if text == i:
            text = i + 1
            continue
        following = _skip_marks(data, i + 1, end)
        if following == end or class_at(table, data, following, end) & SPACE:
            sentences += 1
            text = following
    return sentences + (_skip_blank(data, text, end, table) < end)


@kernel
def _is_mark(data: Bytes, i: int) -> bool:
    byte = byte_at(data, i)
    return byte == 46 or byte == 63 or byte == 33


@kernel
def _skip_blank(data: Bytes, i: int, end: int, table: Bytes) -> int:
    """The first place from `i` on of a character that is neither an end mark nor white space, or `end`."""
    while i < end and (continues(data, i) or _is_mark(data, i) or class_at(table, data, i, end) & SPACE):
        i += 1
    return i


@kernel
def _skip_marks(data: Bytes, i: int, end: int) -> int:
    """The first place from `i` on of a character that neither ends a sentence nor closes anything, or `end`."""
    while i < end and (_is_mark(data, i) or _closes(data, i, end)):
        i += 1 if data[i] < 0x80 else 3
    return i


@kernel
def _closes(data: Bytes, i: int, end: int) -> bool:
    """Whether the character at `i` closes a quotation or a bracket: " ' ) ] } U+2019 U+201D."""
    byte = byte_at(data, i)
    if byte == 34 or byte == 39 or byte == 41 or byte == 93 or byte == 125:
        return True
    return is_general_punctuation(data, i, end, 0x99) or is_general_punctuation(data, i, end, 0x9D)
