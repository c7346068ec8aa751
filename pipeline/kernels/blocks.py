"""Words by blocks of 64 bytes: a bit per byte says whether it is white space, so that words are counted and found by bits.

Only characters that start with a byte which also starts white space are looked up one by one (see `unicode`).
"""

from __future__ import annotations

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import bit_count, first_bit, gathered, load8, space_leads, spaces
from pipeline.kernels.unicode import SPACE, class_at, continues

BLOCK = 64
_ONE, _THREE, _SEVEN, _LAST = np.uint64(1), np.uint64(3), np.uint64(7), np.uint64(BLOCK - 1)


@kernel
def most_pieces(offsets: Ints, data: Bytes) -> int:
    """No text has more words or lines: the bytes that can start white space, and one."""
    most = 0
    for row in range(len(offsets) - 1):
        spaces = 1
        for i in range(np.uint64(offsets[row]), np.uint64(offsets[row + 1])):
            spaces += data[i] <= 32 or data[i] == 0xC2 or (data[i] >= 0xE1 and data[i] <= 0xE3)
        most = max(most, spaces)
    return most


@kernel
def space_bits(data: Bytes, start: int, end: int, table: Bytes, before: np.uint64) -> np.uint64:
    """Bit k: byte start + k belongs to white space, or lies at `end` or behind it. `before` is the bit of the byte before."""
    if start + BLOCK > end:
        return _space_bits_at_end(data, start, end, table, before)
    bits, leads = np.uint64(0), np.uint64(0)
    for k in range(8):
        eight = load8(data, start + 8 * k)
        bits |= gathered(spaces(eight)) << np.uint64(8 * k)
        leads |= gathered(space_leads(eight)) << np.uint64(8 * k)
    if before and data[np.uint64(start)] >= 0x80:
        k = 0
        while k < 2 and continues(data, start + k):
            bits |= _ONE << np.uint64(k)
            k += 1
    while leads:
        k = first_bit(leads)
        leads &= leads - _ONE
        if class_at(table, data, start + k, end) & SPACE:
            bits |= (_THREE if data[np.uint64(start + k)] == 0xC2 else _SEVEN) << np.uint64(k)
    return bits


@kernel
def _space_bits_at_end(data: Bytes, start: int, end: int, table: Bytes, before: np.uint64) -> np.uint64:
    """The same, character by character: a text rarely ends where a block does."""
    bits = ~np.uint64(0) << np.uint64(end - start)
    for i in range(start, end):
        if not continues(data, i):
            before = np.uint64((class_at(table, data, i, end) & SPACE) // SPACE)
        bits |= before << np.uint64(i - start)
    return bits


@kernel
def count_words(data: Bytes, start: int, end: int, table: Bytes) -> int:
    """The words of data[start:end]."""
    words, before = np.uint64(0), _ONE
    for i in range(start, end, BLOCK):
        bits = space_bits(data, i, end, table, before)
        words += bit_count((bits << _ONE | before) & ~bits)
        before = bits >> _LAST
    return np.int64(words)  # type: ignore[return-value]  # to Numba they are one


@kernel
def find_words(data: Bytes, start: int, end: int, table: Bytes, starts: Ints, stops: Ints) -> int:
    """Write where the words of data[start:end] start and stop; return how many there are."""
    words, stopped, before = 0, 0, _ONE
    for i in range(start, end, BLOCK):
        bits = space_bits(data, i, end, table, before)
        shifted = bits << _ONE | before
        before = bits >> _LAST
        words = _write_places(shifted & ~bits, i, starts, words)
        stopped = _write_places(bits & ~shifted, i, stops, stopped)
    if stopped < words:
        stops[stopped] = end
    return words


@kernel
def _write_places(bits: np.uint64, first: int, places: Ints, number: int) -> int:
    """Append the place of every bit, counted from `first`, to places[:number]; return the new number."""
    while bits:
        places[np.uint64(number)] = first + first_bit(bits)
        number += 1
        bits &= bits - _ONE
    return number
