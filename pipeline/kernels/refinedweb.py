"""RefinedWeb's corrections of a page, line by line, into a new column of texts. The rules: see `pipeline.filters.refinedweb`."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.blocks import count_words
from pipeline.kernels.compiled import kernel
from pipeline.kernels.phrases import lower, starts_with
from pipeline.kernels.unicode import ALNUM, DIGIT, SPACE, TABLE_SIZE, byte_at, class_at, classes, continues, copy_bytes, strip

#: Columns of the counts of `correct_pages`: words of the page and of what was taken out, lines by what was done to them.
WORDS, REMOVED, UPPERCASE, NUMERIC, COUNTER, FEW_WORDS, CUT, NEWLINES = range(8)

#: Bits of `shapes` beside those of `unicode`, in the places of two that aren't asked for here.
_UPPER, _NUMERAL = 1, 8


class Bounds(NamedTuple):
    """What is asked of a line, and of the newlines between two; infinity, 0 and -1 ask nothing of theirs."""

    max_uppercase: float
    max_numeric: float
    min_words: int
    max_cut_words: int
    max_newlines: int


class Wanted(NamedTuple):
    """What is looked for in lines, lower case in ASCII: what a counter counts, and what is cut out of a short line."""

    counters: Texts
    anywhere: Texts
    at_end: Texts
    at_start: Texts


@lru_cache(maxsize=1)
def shapes() -> Bytes:
    """uint8[TABLE_SIZE]: which code points are capitals (`str.isupper`), numerals (`str.isdigit`), ALNUM, DIGIT or SPACE."""
    kinds = ((chr(point).isupper() * _UPPER | chr(point).isdigit() * _NUMERAL) for point in range(TABLE_SIZE))
    table = np.fromiter(kinds, np.uint8, TABLE_SIZE)
    table |= classes() & np.uint8(ALNUM | DIGIT | SPACE)
    table.flags.writeable = False
    return table


def correct_pages(column: Texts, bounds: Bounds, wanted: Wanted) -> tuple[Ints, Bytes, Ints]:
    """The corrected pages as (offsets, bytes), and int64[rows, 8] of counts, by the columns above.

    Lines end at "\\n" alone. A line that stays is copied byte for byte, one that was cut has no white space around it,
    one of white space alone counts as empty. A page has no empty line at its ends.
    """
    size = int(column.offsets[-1] - column.offsets[0])
    offsets, data = np.zeros(column.rows + 1, np.int64), np.empty(size + 1, np.uint8)
    counts = np.zeros((column.rows, 8), np.int64)
    _correct_pages(column.offsets, column.data, shapes(), bounds, wanted, offsets, data, counts)
    return offsets, data[: offsets[-1]], counts


@kernel
def _correct_pages(
    offsets: Ints, data: Bytes, table: Bytes, bounds: Bounds, wanted: Wanted, out_offsets: Ints, out: Bytes, counts: Ints
) -> None:
    for row in range(len(counts)):
        line, end = offsets[row], offsets[row + 1]
        begin = out_offsets[row]
        size, newlines = begin, 0
        while line < end:
            stop = line
            while stop < end and data[np.uint64(stop)] != 10:
                stop += 1
            first, last = strip(table, data, line, stop)
            if first == last:
                newlines += 1
            else:
                gap = _gap(size - begin, newlines, bounds.max_newlines)
                written = _correct_line(data, line, stop, first, last, table, bounds, wanted, out, size + gap, counts[row])
                if written:
                    for k in range(gap):
                        out[size + k] = 10
                    counts[row, NEWLINES] += size > begin and gap < newlines + 1
                    size += gap + written
                    newlines = 0
            line = stop + 1
        out_offsets[row + 1] = size


@kernel
def _gap(size: int, newlines: int, most: int) -> int:
    """Newlines before a line that follows `size` bytes of the page and so many empty lines."""
    if size == 0:
        return 0
    return newlines + 1 if most < 0 else min(newlines + 1, most)


@kernel
def _correct_line(
    data: Bytes,
    start: int,
    end: int,
    first: int,
    last: int,
    table: Bytes,
    bounds: Bounds,
    wanted: Wanted,
    out: Bytes,
    at: int,
    counts: Ints,
) -> int:
    """Write what stays of the line to `out` from `at` on, count what was done to it; return the bytes written.

    The line is data[start:end], and data[first:last] without the white space around it.
    """
    chars, upper, numerals, words = _shape(data, first, last, table)
    counts[WORDS] += words
    verdict = -1
    if upper > bounds.max_uppercase * chars:
        verdict = UPPERCASE
    elif numerals > bounds.max_numeric * chars:
        verdict = NUMERIC
    elif _is_counter(data, first, last, table, wanted.counters):
        verdict = COUNTER
    elif words < bounds.min_words:
        verdict = FEW_WORDS
    if verdict >= 0:
        counts[verdict] += 1
        counts[REMOVED] += words
        return 0
    if words <= bounds.max_cut_words:
        left = _cut(data, first, last, table, wanted, out, at)
        if left < last - first:
            counts[CUT] += 1
            counts[REMOVED] += words - count_words(out, at, at + left, table)
            return left
    copy_bytes(data, start, end, out, at)
    return end - start


@kernel
def _shape(data: Bytes, start: int, end: int, table: Bytes) -> tuple[int, int, int, int]:
    """Characters, capitals, numerals and words of data[start:end]."""
    chars, upper, numerals, words, outside = 0, 0, 0, 0, 1
    for i in range(start, end):
        if continues(data, i):
            continue
        bits = class_at(table, data, i, end)
        space = (bits & SPACE) // SPACE
        chars += 1
        upper += bits & _UPPER
        numerals += (bits & _NUMERAL) // _NUMERAL
        words += outside & (1 - space)
        outside = space
    return chars, upper, numerals, words


@kernel
def _is_counter(data: Bytes, start: int, end: int, table: Bytes, nouns: Texts) -> bool:
    """Whether data[start:end] is a number (3 or 1,204 or 1.5k), white space and a noun, with no other letter or digit around."""
    i = _skip_marks(data, start, end, table)
    if i == end or not class_at(table, data, i, end) & DIGIT:
        return False
    while i < end and (continues(data, i) or data[i] == 44 or data[i] == 46 or class_at(table, data, i, end) & DIGIT):
        i += 1
    if i < end and lower(byte_at(data, i)) in (98, 107, 109):  # b, k, m
        i += 1
    number = i
    while i < end and (continues(data, i) or class_at(table, data, i, end) & SPACE):
        i += 1
    if i == number:
        return False
    for noun in range(len(nouns.offsets) - 1):
        first, last = nouns.offsets[noun], nouns.offsets[noun + 1]
        if starts_with(data, i, end, nouns.data, first, last) and _skip_marks(data, i + last - first, end, table) == end:
            return True
    return False


@kernel
def _skip_marks(data: Bytes, i: int, end: int, table: Bytes) -> int:
    """The first place from `i` on of a letter, a digit or "_", or `end`."""
    while i < end and (continues(data, i) or not (data[i] == 95 or class_at(table, data, i, end) & ALNUM)):
        i += 1
    return i


@kernel
def _cut(data: Bytes, start: int, end: int, table: Bytes, wanted: Wanted, out: Bytes, at: int) -> int:
    """Write data[start:end] without the phrases to `out` from `at` on, no white space around it; return the bytes written."""
    size = _copy_without(data, start, end, table, wanted.anywhere, out, at)
    first, last = strip(table, out, at, size)
    phrases = wanted.at_end
    for phrase in range(len(phrases.offsets) - 1):
        begin = last - (phrases.offsets[phrase + 1] - phrases.offsets[phrase])
        if begin >= first and starts_with(out, begin, last, phrases.data, phrases.offsets[phrase], phrases.offsets[phrase + 1]):
            first, last = strip(table, out, first, begin)
            break
    phrase, length = _phrase_at(out, first, last, wanted.at_start)
    if phrase >= 0:
        first, last = strip(table, out, first + length, last)
    for i in range(last - first):
        out[at + i] = out[first + i]
    return last - first


@kernel
def _copy_without(data: Bytes, start: int, end: int, table: Bytes, phrases: Texts, out: Bytes, at: int) -> int:
    """Append data[start:end] to out[:at] without the phrases, each with one white space before it; return the new size."""
    i, size, taken = start, at, at
    while i < end:
        phrase, length = _phrase_at(data, i, end, phrases)
        if phrase >= 0:
            size = _without_space(out, taken, size, table)
            i, taken = i + length, size
        else:
            out[size] = data[i]
            i, size = i + 1, size + 1
    return size


@kernel
def _without_space(data: Bytes, start: int, end: int, table: Bytes) -> int:
    """Where data[start:end] ends without its last character, if that is white space."""
    last = end - 1
    while last > start and continues(data, last):
        last -= 1
    return last if end > start and class_at(table, data, last, end) & SPACE else end


@kernel
def _phrase_at(data: Bytes, i: int, end: int, phrases: Texts) -> tuple[int, int]:
    """The first of the phrases that data[i:end] starts with, or -1, and its bytes."""
    for phrase in range(len(phrases.offsets) - 1):
        first, last = phrases.offsets[phrase], phrases.offsets[phrase + 1]
        if starts_with(data, i, end, phrases.data, first, last):
            return phrase, last - first
    return -1, 0
