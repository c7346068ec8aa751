"""Data written as text: base64, bytes in hexadecimal, escaped characters (Lozhkov et al. 2024, "StarCoder 2", section 3.1).

All that is looked for is a long run of few bytes. So a text is probed at every 64th, 23rd and 48th byte: where that
one can't belong to a run, none lies around it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.compiled import kernel

#: Columns of `encoded_chars`.
ENCODED, LONGEST = range(2)

#: Bits of a byte: it may stand in base64, in a list of bytes, in escaped characters; it is a hexadecimal digit; it parts
#: the bytes of a list; it is a letter, digit or underscore.
_BASE64, _BYTES, _ESCAPES, _HEX, _GAP, _WORD = 1, 2, 4, 8, 16, 32
#: Shortest runs: 64 characters of base64; eight bytes; eight escaped characters.
_LEAST_BASE64, _LEAST_UNITS, _LEAST_BYTES, _LEAST_ESCAPES = 64, 8, 23, 48


def encoded_chars(column: Texts) -> Ints:
    """int64[rows, 2]: the characters of each text that encode something else, and the length of the longest run of them.

    - base64: 64 or more letters, digits, "+", "/", "=" and newlines, half of them letters and digits, so that lines of it
      make one run (and words do, one to a line), and rules drawn in "=" or "/" make none;
    - bytes: eight or more, each "ab", "0xab" or in a row of "\\xab", between commas and white space;
    - escapes: eight or more of "\\uabcd" in a row.

    The first and last are the paper's regular expressions (but for drawn rules); its bytes may not have a space after a comma.
    """
    counts = np.zeros((column.rows, 2), np.int64)
    _encoded_chars(column.offsets, column.data, _table(), counts)
    return counts


@lru_cache(maxsize=1)
def _table() -> Bytes:
    letters, digits = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", b"0123456789"
    hexadecimal, gaps = digits + b"abcdefABCDEF", b", \t\r\n"
    table = np.zeros(256, np.uint8)
    for bit, members in (
        (_BASE64, letters + digits + b"+/=\n"),
        (_BYTES, hexadecimal + gaps + b"xX\\"),
        (_ESCAPES, hexadecimal + b"u\\"),
        (_HEX, hexadecimal),
        (_GAP, gaps),
        (_WORD, letters + digits + b"_\\"),
    ):
        table[list(members)] |= bit
    table.flags.writeable = False
    return table


@kernel
def _encoded_chars(offsets: Ints, data: Bytes, table: Bytes, counts: Ints) -> None:
    for row in range(len(counts)):
        start, end = offsets[row], offsets[row + 1]
        i, stop = _next_run(data, start, end, table, _BASE64, _LEAST_BASE64)
        while i < end:
            _count_base64(data, i, stop, table, counts[row])
            i, stop = _next_run(data, stop, end, table, _BASE64, _LEAST_BASE64)
        i, stop = _next_run(data, start, end, table, _BYTES, _LEAST_BYTES)
        while i < end:
            _count_bytes(data, start, i, stop, end, table, counts[row])
            i, stop = _next_run(data, stop, end, table, _BYTES, _LEAST_BYTES)
        i, stop = _next_run(data, start, end, table, _ESCAPES, _LEAST_ESCAPES)
        while i < end:
            _count_escapes(data, i, stop, table, counts[row])
            i, stop = _next_run(data, stop, end, table, _ESCAPES, _LEAST_ESCAPES)


@kernel
def _add(counts: Ints, length: int) -> None:
    counts[ENCODED] += length
    counts[LONGEST] = max(length, counts[LONGEST])


@kernel
def _next_run(data: Bytes, start: int, end: int, table: Bytes, bit: int, least: int) -> tuple[int, int]:
    """The next longest run, from `start` on, of `least` or more bytes of a kind; (end, end) when there is none."""
    while start + least <= end:
        i = start + least - 1
        while i >= start and table[data[i]] & bit:
            i -= 1
        if i < start:
            stop = start + least
            while stop < end and table[data[stop]] & bit:
                stop += 1
            return start, stop
        start = i + 1
    return end, end


@kernel
def _count_base64(data: Bytes, start: int, stop: int, table: Bytes, counts: Ints) -> None:
    words = 0
    for i in range(start, stop):
        words += table[data[i]] & _WORD != 0
    if 2 * words >= stop - start:
        _add(counts, stop - start)


@kernel
def _count_bytes(data: Bytes, begin: int, start: int, stop: int, end: int, table: Bytes, counts: Ints) -> None:
    """Count the lists of eight bytes or more in data[start:stop], a run within the text data[begin:end]."""
    i, first, last, units = start, start, start, 0
    while i < stop:
        if table[data[np.uint64(i)]] & _GAP:
            i += 1
            continue
        width = _byte_width(data, begin, i, end, table)
        if width:
            first = first if units else i
            units += width // 4 if data[i] == 92 else 1
            i = last = i + width
        else:
            if units >= _LEAST_UNITS:
                _add(counts, last - first)
            units = 0
            i += 1
    if units >= _LEAST_UNITS:
        _add(counts, last - first)


@kernel
def _byte_width(data: Bytes, begin: int, i: int, end: int, table: Bytes) -> int:
    """How long the item of a list is that starts at `i`: "ab", "0xab" or a row of "\\xab"; 0 when none does."""
    if i > begin and table[data[i - 1]] & _WORD:
        return 0
    stop = i
    if data[i] == 92:
        while stop + 3 < end and data[stop] == 92 and data[stop + 1] == 120 and _are_hex(data, stop + 2, 2, table):
            stop += 4
    else:
        stop += 2 if i + 1 < end and data[i] == 48 and (data[i + 1] == 120 or data[i + 1] == 88) else 0
        stop = stop + 2 if stop + 1 < end and _are_hex(data, stop, 2, table) else i
    return 0 if stop < end and table[data[stop]] & _WORD else stop - i


@kernel
def _count_escapes(data: Bytes, start: int, stop: int, table: Bytes, counts: Ints) -> None:
    i, first = start, start
    while i < stop:
        if i + 5 < stop and data[i] == 92 and data[i + 1] == 117 and _are_hex(data, i + 2, 4, table):
            i += 6
            continue
        if i - first >= _LEAST_ESCAPES:
            _add(counts, i - first)
        i += 1
        first = i
    if stop - first >= _LEAST_ESCAPES:
        _add(counts, stop - first)


@kernel
def _are_hex(data: Bytes, i: int, number: int, table: Bytes) -> bool:
    digits = 0
    for k in range(i, i + number):
        digits += table[data[k]] & _HEX != 0
    return digits == number
