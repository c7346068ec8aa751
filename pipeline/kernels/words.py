"""What the rules on words and lines measure, one pass over each text. White space, words and line ends: see `unicode`."""

from __future__ import annotations

import numpy as np
from numba import njit

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.unicode import (
    ALNUM,
    LETTER,
    SYMBOL,
    TABLE_SIZE,
    char_width,
    classes,
    code_point,
    line_end_width,
    space_width,
)

#: Columns of `word_counts`. Ratios are the caller's to take: all of these are plain counts.
WORDS, PLAIN_WORDS, PLAIN_CHARS, LETTER_WORDS, STOP_WORDS, HASHES, ELLIPSES, LINES, BULLET_LINES, ELLIPSIS_LINES = range(10)
#: Columns of `line_counts`.
CHARS, ALNUM_CHARS, CODE_LINES, LINE_CHARS, LONGEST_LINE = range(5)

_ELLIPSIS, _BULLET = 0x2026, 0x2022


def word_counts(column: Texts, stop_words: Texts) -> Ints:
    """int64[rows, 10] of each text, by the columns above.

    PLAIN_WORDS have a character that is no punctuation, symbol or control (PLAIN_CHARS: their characters);
    LETTER_WORDS have a letter. STOP_WORDS counts the distinct `stop_words` (at most 64) that occur, in their exact
    spelling. ELLIPSES are "..." (non-overlapping) and U+2026. LINES as of `str.splitlines`; BULLET_LINES start, after
    white space, with U+2022 or "-"; ELLIPSIS_LINES end, before white space, with an ellipsis.
    """
    return _word_counts(column.offsets, column.data, stop_words.offsets, stop_words.data, classes())


def number_of_words(column: Texts) -> Ints:
    """int64[rows]: the words of each text."""
    return _number_of_words(column.offsets, column.data)


def line_counts(column: Texts) -> Ints:
    """int64[rows, 5] of each text, by the columns above; lines as of `str.splitlines`, lengths in characters."""
    return _line_counts(column.offsets, column.data, classes())


@njit(cache=True, nogil=True)
def count_words(data: Bytes, start: int, end: int) -> int:
    """The words of data[start:end]."""
    words, inside, i = 0, False, start
    while i < end:
        width = space_width(data, i, end)
        words += width == 0 and not inside
        inside = width == 0
        i += max(width, 1)
    return words


@njit(cache=True, nogil=True)
def class_at(table: Bytes, data: Bytes, i: int, width: int) -> int:
    """The class bits of the character of `width` bytes at `i`."""
    point = code_point(data, i, width)
    return table[point] if point < TABLE_SIZE else 0


@njit(cache=True, nogil=True)
def _number_of_words(offsets: Ints, data: Bytes) -> Ints:
    counts = np.zeros(len(offsets) - 1, np.int64)
    for row in range(len(counts)):
        counts[row] = count_words(data, offsets[row], offsets[row + 1])
    return counts


@njit(cache=True, nogil=True)
def _word_counts(offsets: Ints, data: Bytes, stop_offsets: Ints, stop_data: Bytes, table: Bytes) -> Ints:
    counts = np.zeros((len(offsets) - 1, 10), np.int64)
    for row in range(len(counts)):
        _words_of_text(data, offsets[row], offsets[row + 1], stop_offsets, stop_data, table, counts[row])
    return counts


@njit(cache=True, nogil=True)
def _words_of_text(data: Bytes, start: int, end: int, stop_offsets: Ints, stop_data: Bytes, table: Bytes, counts: Ints) -> None:
    """Fill `counts`, the row of one text: white space closes lines, what lies between is a word."""
    stops = np.uint64(0)
    fresh_line, ellipsis_line, line_start, i = True, False, start, start
    while i < end:
        width = space_width(data, i, end)
        if width == 0:
            word_end, bits, chars, hashes, ellipses = _read_word(data, i, end, table)
            counts[WORDS] += 1
            counts[PLAIN_WORDS] += (bits & SYMBOL) != 0
            counts[PLAIN_CHARS] += chars if bits & SYMBOL else 0
            counts[LETTER_WORDS] += (bits & LETTER) != 0
            counts[HASHES] += hashes
            counts[ELLIPSES] += ellipses
            counts[BULLET_LINES] += fresh_line and _starts_with_bullet(data, i, word_end)
            ellipsis_line = ellipses > 0 and _ends_with_ellipsis(data, i, word_end)
            stops |= _stop_word_bit(data, i, word_end, stop_offsets, stop_data)
            fresh_line = False
            i = word_end
            continue
        width_of_end = line_end_width(data, i, end)
        if width_of_end:
            counts[LINES] += 1
            counts[ELLIPSIS_LINES] += ellipsis_line
            fresh_line, ellipsis_line, line_start = True, False, i + width_of_end
        i += max(width, width_of_end)
    counts[LINES] += line_start < end
    counts[ELLIPSIS_LINES] += ellipsis_line
    while stops:
        stops &= stops - np.uint64(1)
        counts[STOP_WORDS] += 1


@njit(cache=True, nogil=True)
def _read_word(data: Bytes, i: int, end: int, table: Bytes) -> tuple[int, int, int, int, int]:
    """The word at `i`: its end, class bits (SYMBOL here meaning that some character is none), characters, "#", ellipses."""
    bits, chars, hashes, ellipses, dots = 0, 0, 0, 0, 0
    while i < end:
        first = data[i]
        if first < 0x80:
            if first <= 32 and space_width(data, i, end):
                break
            bits |= table[first] ^ SYMBOL
            if first == 46:
                dots += 1
            else:
                ellipses += dots // 3
                dots = 0
                hashes += first == 35
            i += 1
        else:
            if first < 0xE4 and space_width(data, i, end):
                break
            width = char_width(data, i, end)
            point = code_point(data, i, width)
            bits |= (table[point] if point < TABLE_SIZE else 0) ^ SYMBOL
            ellipses += dots // 3 + (point == _ELLIPSIS)
            dots = 0
            i += width
        chars += 1
    return i, bits, chars, hashes, ellipses + dots // 3


@njit(cache=True, nogil=True)
def _starts_with_bullet(data: Bytes, start: int, end: int) -> bool:
    if data[start] == 45:
        return True
    return data[start] == 0xE2 and end - start >= 3 and code_point(data, start, 3) == _BULLET


@njit(cache=True, nogil=True)
def _ends_with_ellipsis(data: Bytes, start: int, end: int) -> bool:
    if end - start < 3:
        return False
    if data[end - 1] == 46:
        return data[end - 2] == 46 and data[end - 3] == 46
    return data[end - 3] == 0xE2 and code_point(data, end - 3, 3) == _ELLIPSIS


@njit(cache=True, nogil=True)
def _stop_word_bit(data: Bytes, start: int, end: int, stop_offsets: Ints, stop_data: Bytes) -> np.uint64:
    """The bit of the stop word that data[start:end] is, or 0."""
    for word in range(len(stop_offsets) - 1):
        begin = stop_offsets[word]
        length = stop_offsets[word + 1] - begin
        if length == end - start and stop_data[begin] == data[start]:
            same = 1
            while same < length and stop_data[begin + same] == data[start + same]:
                same += 1
            if same == length:
                return np.uint64(1) << np.uint64(word)
    return np.uint64(0)


@njit(cache=True, nogil=True)
def _line_counts(offsets: Ints, data: Bytes, table: Bytes) -> Ints:
    counts = np.zeros((len(offsets) - 1, 5), np.int64)
    for row in range(len(counts)):
        i, end, length = offsets[row], offsets[row + 1], 0
        while i < end:
            width_of_end = line_end_width(data, i, end)
            width = char_width(data, i, end)
            counts[row, CHARS] += 2 if width_of_end == 2 and data[i] == 13 else 1
            counts[row, ALNUM_CHARS] += (class_at(table, data, i, width) & ALNUM) != 0
            i += max(width, width_of_end)
            if not width_of_end:
                length += 1
            if width_of_end or i == end:
                counts[row, CODE_LINES] += 1
                counts[row, LINE_CHARS] += length
                counts[row, LONGEST_LINE] = max(length, counts[row, LONGEST_LINE])
                length = 0
    return counts
