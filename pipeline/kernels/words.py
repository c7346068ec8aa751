"""What the rules on words and lines measure, in passes over each text. White space, words and line ends: see `unicode`."""

from __future__ import annotations

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.blocks import count_words, find_words, most_pieces
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import HIGH, before, bit_count, digits, equal_to, first_of, letters, load8
from pipeline.kernels.hashing import Hashes
from pipeline.kernels.unicode import (
    ALNUM,
    LETTER,
    SPACE,
    SYMBOL,
    char_count,
    class_at,
    classes,
    continues,
    count_byte,
    is_general_punctuation,
    line_stop,
    next_line,
    strip,
)

#: Columns of `word_counts`. Ratios are the caller's to take: all of these are plain counts.
WORDS, PLAIN_WORDS, PLAIN_CHARS, LETTER_WORDS, STOP_WORDS, HASHES, ELLIPSES, LINES, BULLET_LINES, ELLIPSIS_LINES = range(10)
#: Columns of `line_counts`.
CHARS, ALNUM_CHARS, TEXT_LINES, LINE_CHARS, LONGEST_LINE, LETTER_CHARS, SPACE_CHARS = range(7)


def word_counts(column: Texts, stop_words: Texts) -> Ints:
    """int64[rows, 10] of each text, by the columns above.

    PLAIN_WORDS have a character that is no punctuation, symbol or control (PLAIN_CHARS: all their characters);
    LETTER_WORDS have a letter. STOP_WORDS counts the distinct `stop_words` (at most 64) that occur, in their exact
    spelling. ELLIPSES are "..." (non-overlapping) and U+2026. LINES as of `str.splitlines`; BULLET_LINES start, after
    white space, with U+2022 or "-"; ELLIPSIS_LINES end, before white space, with an ellipsis.
    """
    counts = np.zeros((column.rows, 10), np.int64)
    starts, stops = np.empty((2, most_pieces(column.offsets, column.data)), np.int64)
    _count_words(
        column.offsets, column.data, stop_words.offsets, stop_words.data, _stop_lengths(stop_words), classes(), starts, stops, counts
    )
    _count_lines(column.offsets, column.data, classes(), counts)
    return counts


def number_of_words(column: Texts) -> Ints:
    """int64[rows]: the words of each text."""
    counts = np.zeros(column.rows, np.int64)
    _number_of_words(column.offsets, column.data, classes(), counts)
    return counts


def line_counts(column: Texts) -> Ints:
    """int64[rows, 7] of each text, by the columns above; lines as of `str.splitlines`, lengths in characters."""
    counts = np.zeros((column.rows, 7), np.int64)
    _line_counts(column.offsets, column.data, classes(), counts)
    return counts


def _stop_lengths(stop_words: Texts) -> Hashes:
    """uint64[256]: which lengths in bytes (bits; 63 for longer) the stop words have that start with each byte."""
    lengths = np.zeros(256, np.uint64)
    for start, end in zip(stop_words.offsets[:-1], stop_words.offsets[1:], strict=True):
        if end > start:
            lengths[stop_words.data[start]] |= np.uint64(1 << min(int(end - start), 63))
    return lengths


@kernel
def has_words(data: Bytes, start: int, end: int, table: Bytes, least: int) -> bool:
    """Whether data[start:end] has at least so many words; it looks no further."""
    words, outside = 0, 1
    for i in range(start, end):
        if continues(data, i):
            continue
        space = (class_at(table, data, i, end) & SPACE) // SPACE
        words += outside & (1 - space)
        outside = space
        if words >= least:
            return True
    return words >= least


@kernel
def _number_of_words(offsets: Ints, data: Bytes, table: Bytes, counts: Ints) -> None:
    for row in range(len(counts)):
        counts[row] = count_words(data, offsets[row], offsets[row + 1], table)


@kernel
def _count_words(
    offsets: Ints,
    data: Bytes,
    stop_offsets: Ints,
    stop_data: Bytes,
    stop_lengths: Hashes,
    table: Bytes,
    starts: Ints,
    stops: Ints,
    counts: Ints,
) -> None:
    """Fill the columns of `word_counts` that are about words. A stop word that was seen isn't looked for again."""
    every = ~np.uint64(0) >> np.uint64(65 - len(stop_offsets)) if len(stop_offsets) > 1 else np.uint64(0)
    for row in range(len(counts)):
        words = find_words(data, offsets[row], offsets[row + 1], table, starts, stops)
        plain, plain_chars, letters, seen = 0, 0, 0, np.uint64(0)
        for word in range(words):
            start, stop = starts[word], stops[word]
            chars, bits = _word_classes(data, start, stop, table)
            letters += (bits & LETTER) != 0
            plain += (bits & SYMBOL) != 0
            plain_chars += chars if bits & SYMBOL else 0
            if seen != every and stop_lengths[data[start]] >> np.uint64(min(stop - start, 63)) & np.uint64(1):
                seen |= _stop_word_bit(data, start, stop, stop_offsets, stop_data)
        counts[row, HASHES] = count_byte(data, offsets[row], offsets[row + 1], 35)
        counts[row, WORDS], counts[row, LETTER_WORDS] = words, letters
        counts[row, PLAIN_WORDS], counts[row, PLAIN_CHARS] = plain, plain_chars
        counts[row, STOP_WORDS] = np.int64(bit_count(seen))


@kernel
def _word_classes(data: Bytes, start: int, end: int, table: Bytes) -> tuple[int, int]:
    """The characters of a word, and LETTER if one is a letter, SYMBOL if one is none: of ASCII, if it is a letter or digit."""
    length = end - start
    if length <= 16 and start + 16 <= len(data):
        low, high = load8(data, start) & before(length), load8(data, start + 8) & before(length - 8)
        if not (low | high) & HIGH:
            letter = letters(low) | letters(high)
            plain = letter | digits(low) | digits(high)
            return length, LETTER * (letter != np.uint64(0)) | SYMBOL * (plain != np.uint64(0))
    chars, bits = 0, 0
    for i in range(start, end):
        if not continues(data, i):
            chars += 1
            bits |= class_at(table, data, i, end) ^ SYMBOL
    return chars, bits


@kernel
def _stop_word_bit(data: Bytes, start: int, end: int, stop_offsets: Ints, stop_data: Bytes) -> np.uint64:
    """The bit of the stop word that data[start:end] is, or 0."""
    for word in range(len(stop_offsets) - 1):
        begin = stop_offsets[word]
        if stop_offsets[word + 1] - begin == end - start:
            same = 0
            while same < end - start and stop_data[begin + same] == data[start + same]:
                same += 1
            if same == end - start:
                return np.uint64(1) << np.uint64(word)
    return np.uint64(0)


@kernel
def _count_lines(offsets: Ints, data: Bytes, table: Bytes, counts: Ints) -> None:
    """Fill the columns of `word_counts` that are about lines, and ELLIPSES."""
    for row in range(len(counts)):
        line, end = offsets[row], offsets[row + 1]
        counts[row, ELLIPSES] = _count_ellipses(data, line, end)
        lines, bullets, ellipses = 0, 0, 0
        while line < end:
            stop = line_stop(table, data, line, end)
            first, last = strip(table, data, line, stop) if stop > line else (line, line)
            lines += 1
            if first < last:
                bullets += data[first] == 45 or is_general_punctuation(data, first, last, 0xA2)
                ellipses += last - first >= 3 and _is_ellipsis(data, last - 3, last)
            line = next_line(data, stop, end)
        counts[row, LINES], counts[row, BULLET_LINES], counts[row, ELLIPSIS_LINES] = lines, bullets, ellipses


@kernel
def _is_ellipsis(data: Bytes, i: int, end: int) -> bool:
    """Whether the three bytes at `i` are "..." or U+2026."""
    return (data[i] == 46 and data[i + 1] == 46 and data[i + 2] == 46) or is_general_punctuation(data, i, end, 0xA6)


@kernel
def _count_ellipses(data: Bytes, start: int, end: int) -> int:
    """Occurrences of "...", none overlapping another, and of U+2026."""
    count, i = 0, start
    while i + 3 <= end:
        if i + 10 <= len(data):
            eight = load8(data, i)
            step = first_of((equal_to(eight, 46) & equal_to(load8(data, i + 2), 46)) | equal_to(eight, 0xE2))
            if step:
                i += step
                continue
        found = _is_ellipsis(data, i, end)
        count += found
        i += 3 if found else 1
    return count


@kernel
def _line_counts(offsets: Ints, data: Bytes, table: Bytes, counts: Ints) -> None:
    for row in range(len(counts)):
        line, end = offsets[row], offsets[row + 1]
        alnum, letters, spaces = 0, 0, 0
        for i in range(line, end):
            if not continues(data, i):
                bits = class_at(table, data, i, end)
                alnum += (bits & ALNUM) != 0
                letters += (bits & LETTER) != 0
                spaces += (bits & SPACE) != 0
        counts[row, CHARS] = char_count(data, line, end)
        counts[row, ALNUM_CHARS], counts[row, LETTER_CHARS], counts[row, SPACE_CHARS] = alnum, letters, spaces
        lines, total, longest = 0, 0, 0
        while line < end:
            stop = line_stop(table, data, line, end)
            length = char_count(data, line, stop) if stop > line else 0
            lines += 1
            total += length
            longest = max(length, longest)
            line = next_line(data, stop, end)
        counts[row, TEXT_LINES], counts[row, LINE_CHARS], counts[row, LONGEST_LINE] = lines, total, longest
