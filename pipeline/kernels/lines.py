"""What FineWeb's rules measure of the lines of a text. Here lines end at "\\n" alone, and blank ones don't count."""

from __future__ import annotations

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.blocks import count_words
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import find_newline
from pipeline.kernels.hashing import Hashes, Slots, find_or_add, hash_bytes, next_base, slot_mask
from pipeline.kernels.unicode import END, char_count, class_at, classes, continues, count_byte, strip

#: Columns of `line_shapes`.
SHAPE_LINES, ENDED_LINES, SHORT_LINES, DUP_CHARS, TEXT_CHARS, NEWLINES, SHAPE_WORDS = range(7)


def line_shapes(column: Texts, short_chars: int) -> Ints:
    """int64[rows, 7] of each text, by the columns above.

    SHAPE_LINES aren't blank; of these, ENDED_LINES have a character of Sentence_Terminal as their very last,
    SHORT_LINES at most `short_chars` characters, DUP_CHARS are the characters of those that occur before in the same
    text. TEXT_CHARS: all characters but newlines.
    """
    counts = np.zeros((column.rows, 7), np.int64)
    if column.rows:
        most = _most_lines(column.offsets, column.data)
        keys, slots = np.empty(most, np.uint64), np.zeros(slot_mask(most) + 1, np.int32)
        _line_shapes(column.offsets, column.data, classes(), short_chars, keys, slots, counts)
    return counts


@kernel
def _most_lines(offsets: Ints, data: Bytes) -> int:
    most = 0
    for row in range(len(offsets) - 1):
        most = max(most, count_byte(data, offsets[row], offsets[row + 1], 10))
    return most + 1


@kernel
def _line_shapes(offsets: Ints, data: Bytes, table: Bytes, short_chars: int, keys: Hashes, slots: Slots, counts: Ints) -> None:
    base = 1
    for row in range(len(counts)):
        start, end = offsets[row], offsets[row + 1]
        newlines = count_byte(data, start, end, 10)
        counts[row, NEWLINES] = newlines
        counts[row, TEXT_CHARS] = char_count(data, start, end) - newlines
        counts[row, SHAPE_WORDS] = count_words(data, start, end, table)
        mask, line = slot_mask(newlines + 1), start
        while line < end:
            if data[np.uint64(line)] == 10:
                line += 1
                continue
            stop = find_newline(data, line, end)
            first, last = strip(table, data, line, stop)
            if first < last:
                _measure_line(data, line, stop, table, short_chars, keys, slots, mask, base, counts[row])
            line = stop + 1
        base = next_base(slots, base, newlines + 1)


@kernel
def _measure_line(
    data: Bytes, start: int, end: int, table: Bytes, short_chars: int, keys: Hashes, slots: Slots, mask: int, base: int, counts: Ints
) -> None:
    """Add a line that isn't blank to `counts`."""
    line = counts[SHAPE_LINES]
    counts[SHAPE_LINES] += 1
    last = end - 1
    while last > start and continues(data, last):
        last -= 1
    counts[ENDED_LINES] += (class_at(table, data, last, end) & END) != 0
    chars = char_count(data, start, end)
    counts[SHORT_LINES] += chars <= short_chars
    keys[line] = hash_bytes(data, start, end)
    if find_or_add(keys, line, slots, mask, base) != line:
        counts[DUP_CHARS] += chars
