"""Byte-level BPE over Arrow columns: texts are split into pieces, pieces are merged, and what came of them is remembered.

Text repeats its words, so few pieces need to be merged twice: a piece of up to 15 bytes is its own exact key in a table of
pieces already merged, where no hash stands for another piece's bytes. So the ids never depend on what was met before.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import mix
from pipeline.kernels.merging import Ids, Room, Words, merge, room, signed
from pipeline.kernels.pieces import next_piece

#: Pieces that a memory holds: 2 MiB, about a processor's second cache.
_REMEMBERED = 1 << 16
#: The longest piece, in bytes, and the greatest number of ids that a memory holds: four words of 64 bits.
_KEY_BYTES = 15
_KEPT_IDS = 3
_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Merges(NamedTuple):
    """What the kernel knows of a tokenizer: `classes` of characters (see `pieces`), uint32[256] `byte_ids`, the table of merges."""

    classes: Bytes
    byte_ids: Ids
    pairs: Words


class Memory(NamedTuple):
    """What the kernel keeps from text to text, and room to merge in; one serves one thread.

    `known` uint64[rows, 4] holds pieces already merged: (bytes, bytes and length, number of ids and the first, two more).
    """

    known: Words
    room: Room


def memory(longest: int = 1 << 16) -> Memory:
    """An empty memory, with room to merge pieces of up to `longest` bytes."""
    return Memory(np.zeros((_REMEMBERED, 4), np.uint64), room(longest))


@kernel
def encode(offsets: Ints, data: Bytes, digits: int, merges: Merges, memory: Memory, ids: Ids, ends: Ints, first: int) -> int:
    """Write the ids of the texts from `first` on behind those before them, and where each text's ids end to `ends` int64[rows].

    `ids` has room for one per byte, and two more. `memory` is that of earlier calls with the same merges. Returns the number
    of texts that are done: all, or those before one that holds a longer piece than the memory has room for.
    """
    known, classes = memory.known, merges.classes
    count = ends[first - 1] if first > 0 else 0
    for text in range(first, len(offsets) - 1):
        start, end = offsets[text], offsets[text + 1]
        while start < end:
            stop = next_piece(data, start, end, classes, digits)
            if stop - start > _KEY_BYTES:
                if stop - start > len(memory.room.before):
                    return text
                count += _merge(data, start, stop, merges, memory.room, ids, count)
                start = stop
                continue
            low, high = _key(data, start, stop)
            row = _find(known, low, high)
            if known[row, 0] == low and known[row, 1] == high:
                number = signed(known[row, 2] >> _HALF)
                ids[count] = np.uint32(known[row, 2] & _LOW)
                ids[count + 1] = np.uint32(known[row, 3] & _LOW)
                ids[count + 2] = np.uint32(known[row, 3] >> _HALF)
            else:
                number = _merge(data, start, stop, merges, memory.room, ids, count)
                _remember(known, low, high, ids[count : count + number])
            count += number
            start = stop
        ends[text] = count
    return len(offsets) - 1


@kernel
def _merge(data: Bytes, start: int, end: int, merges: Merges, room: Room, ids: Ids, count: int) -> int:
    """Write the ids of a piece at `count`; returns how many."""
    piece = ids[count : count + end - start]
    for i in range(start, end):
        piece[i - start] = merges.byte_ids[data[i]]
    return merge(piece, merges.pairs, room)


@kernel
def _find(known: Words, low: np.uint64, high: np.uint64) -> np.uint64:
    """The row where a piece stands, if it stands in one: its own or the one beside it."""
    row = mix(low ^ high * _MULTIPLIER) & np.uint64(len(known) - 2)
    if known[row, 0] == low and known[row, 1] == high:
        return row
    return row | np.uint64(1)


@kernel
def _remember(known: Words, low: np.uint64, high: np.uint64, ids: Ids) -> None:
    """Put a piece into its row; what stood there moves to the row beside it, what stood there is forgotten."""
    if len(ids) > _KEPT_IDS:
        return
    row = mix(low ^ high * _MULTIPLIER) & np.uint64(len(known) - 2)
    for k in range(4):
        known[row | np.uint64(1), k] = known[row, k]
    known[row, 0], known[row, 1] = low, high
    known[row, 2] = np.uint64(len(ids)) << _HALF | np.uint64(ids[0])
    known[row, 3] = np.uint64(ids[1]) if len(ids) > 1 else np.uint64(0)
    if len(ids) > 2:
        known[row, 3] |= np.uint64(ids[2]) << _HALF


@kernel
def _key(data: Bytes, start: int, end: int) -> tuple[np.uint64, np.uint64]:
    """The bytes of a short piece and its length as two words."""
    length = end - start
    if start + 16 > len(data):
        low, high = np.uint64(0), np.uint64(0)
        for k in range(min(length, 8)):
            low |= np.uint64(data[start + k]) << np.uint64(8 * k)
        for k in range(8, length):
            high |= np.uint64(data[start + k]) << np.uint64(8 * (k - 8))
    else:
        low, high = _word(data, start), _word(data, start + 8)
        if length > 8:
            high &= _NONE >> np.uint64(128 - 8 * length)
        else:
            low &= _NONE >> np.uint64(64 - 8 * length)
            high = np.uint64(0)
    return low, high | np.uint64(length) << np.uint64(56)


@kernel
def _word(data: Bytes, start: int) -> np.uint64:
    """Eight bytes; unsigned indices let the compiler make one load of them."""
    i = np.uint64(start)
    word = np.uint64(0)
    for k in range(8):
        word |= np.uint64(data[i + np.uint64(k)]) << np.uint64(8 * k)
    return word
