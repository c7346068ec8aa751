"""Byte-level BPE over Arrow columns: pieces are merged in order of rank, and remembered by their bytes.

Merges are applied by pair, not by the bytes that a pair makes, so the ids are those of the `tokenizers` library for any
list of merges, also where two of them make one token. Text repeats its words, so few pieces are merged twice: a piece of
up to 15 bytes is its own exact key in a table of pieces already merged, where no hash stands for another's bytes.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import mix
from pipeline.kernels.pieces import next_piece

Ids = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint64]

#: Pieces that a memory holds: 2 MiB, about a processor's second cache.
_REMEMBERED = 1 << 16
#: The longest piece, in bytes, and the greatest number of ids that a memory holds: four words of 64 bits.
_KEY_BYTES = 15
_KEPT_IDS = 3
#: A piece up to this length is merged by search, a longer one by a heap.
_SHORT = 48
_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)


class Merges(NamedTuple):
    """What the kernel knows of a tokenizer.

    `classes` uint8[CLASSES_END], see `pieces`; `byte_ids` uint32[256]; `pairs` uint64[slots, 2], an open table from
    left << 32 | right to rank << 32 | merged id, all ones where a slot is empty.
    """

    classes: Bytes
    byte_ids: Ids
    pairs: Words


class Memory(NamedTuple):
    """What the kernel keeps from text to text, and what it works in; one serves one thread.

    `known` uint64[rows, 4] holds pieces already merged: (bytes, bytes and length, number of ids and the first, two more).
    The others are for the piece in hand: `found` merges that are possible, `before` and `after` a symbol's neighbours.
    """

    known: Words
    found: Words
    before: Ints
    after: Ints


def merge_table(lefts: Ids, rights: Ids, merged: Ids) -> Words:
    """The table `Merges.pairs`; a merge's rank is its place. A pair that comes twice has its last rank, as in `tokenizers`."""
    slots = 64
    while slots < 3 * len(merged):
        slots *= 2
    table = np.full((slots, 2), _NONE, np.uint64)
    _fill(table, lefts, rights, merged)
    return table


def memory(longest: int = 1 << 16) -> Memory:
    """An empty memory, with room to merge pieces of up to `longest` bytes."""
    places = np.zeros((2, longest), np.int64)
    return Memory(np.zeros((_REMEMBERED, 4), np.uint64), np.zeros(3 * longest, np.uint64), places[0], places[1])


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
                if stop - start > len(memory.before):
                    return text
                count += _merge(data, start, stop, merges, memory, ids, count)
                start = stop
                continue
            low, high = _key(data, start, stop)
            row = _find(known, low, high)
            if known[row, 0] == low and known[row, 1] == high:
                number = _signed(known[row, 2] >> _HALF)
                ids[count] = np.uint32(known[row, 2] & _LOW)
                ids[count + 1] = np.uint32(known[row, 3] & _LOW)
                ids[count + 2] = np.uint32(known[row, 3] >> _HALF)
            else:
                number = _merge(data, start, stop, merges, memory, ids, count)
                _remember(known, low, high, ids[count : count + number])
            count += number
            start = stop
        ends[text] = count
    return len(offsets) - 1


@kernel
def _signed(word: np.uint64) -> int:
    return np.int64(word)  # type: ignore[return-value]  # to Numba they are one


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


@kernel
def _fill(table: Words, lefts: Ids, rights: Ids, merged: Ids) -> None:
    for rank in range(len(merged)):
        pair = np.uint64(lefts[rank]) << _HALF | np.uint64(rights[rank])
        slot = _slot(table, pair)
        table[slot, 0] = pair
        table[slot, 1] = np.uint64(rank) << _HALF | np.uint64(merged[rank])


@kernel
def _slot(table: Words, pair: np.uint64) -> np.uint64:
    mask = np.uint64(len(table) - 1)
    slot = mix(pair) & mask
    while table[slot, 0] != pair and table[slot, 0] != _NONE:
        slot = (slot + np.uint64(1)) & mask
    return slot


@kernel
def _merge_of(table: Words, left: np.uint32, right: np.uint32) -> np.uint64:
    """rank << 32 | merged id of a pair, all ones when it has no merge."""
    return np.uint64(table[_slot(table, np.uint64(left) << _HALF | np.uint64(right)), 1])


@kernel
def _merge(data: Bytes, start: int, end: int, merges: Merges, memory: Memory, ids: Ids, count: int) -> int:
    """Write the ids of a piece at `count`, merged in order of rank and from left to right; returns how many."""
    piece = ids[count : count + end - start]
    for i in range(start, end):
        piece[i - start] = merges.byte_ids[data[i]]
    if len(piece) > _SHORT:
        return _merge_long(piece, merges.pairs, memory)
    return _merge_short(piece, merges.pairs, memory.found)


@kernel
def _merge_short(ids: Ids, pairs: Words, found: Words) -> int:
    """Merge in place: find the least rank, merge, close the gap, until no neighbours merge."""
    count = len(ids)
    for i in range(count - 1):
        found[i] = _merge_of(pairs, ids[i], ids[i + 1])
    while count > 1:
        best, least = 0, found[0]
        for i in range(1, count - 1):
            if found[i] < least:
                best, least = i, found[i]
        if least == _NONE:
            break
        count -= 1
        ids[best] = np.uint32(least & _LOW)
        for i in range(best + 1, count):
            ids[i] = ids[i + 1]
            found[i - 1] = found[i]
        if best > 0:
            found[best - 1] = _merge_of(pairs, ids[best - 1], ids[best])
        if best + 1 < count:
            found[best] = _merge_of(pairs, ids[best], ids[best + 1])
    return count


@kernel
def _merge_long(ids: Ids, pairs: Words, memory: Memory) -> int:
    """The same with a heap of rank << 32 | place: O(n log n), so that a megabyte without a space is no trap."""
    count = len(ids)
    heap, before, after = memory.found, memory.before, memory.after
    size = 0
    for i in range(count):
        before[i], after[i] = i - 1, i + 1
    for i in range(count - 1):
        size = _push(heap, size, _merge_of(pairs, ids[i], ids[i + 1]), i)
    while size > 0:
        least = heap[0]
        size = _pop(heap, size)
        i = _signed(least & _LOW)
        j = after[i]
        if j < 0 or j == count:
            continue
        merge = _merge_of(pairs, ids[i], ids[j])
        if merge >> _HALF != least >> _HALF:  # one of the two has been merged since
            continue
        ids[i] = np.uint32(merge & _LOW)
        after[i], after[j] = after[j], -1
        if after[i] < count:
            before[after[i]] = i
            size = _push(heap, size, _merge_of(pairs, ids[i], ids[after[i]]), i)
        if before[i] >= 0:
            size = _push(heap, size, _merge_of(pairs, ids[before[i]], ids[i]), before[i])
    return _close_gaps(ids, after)


@kernel
def _close_gaps(ids: Ids, after: Ints) -> int:
    i, number = 0, 0
    while i < len(ids):
        ids[number] = ids[i]
        number += 1
        i = after[i]
    return number


@kernel
def _push(heap: Words, size: int, merge: np.uint64, place: int) -> int:
    """Add a merge to the heap, if there is one; returns the heap's new size."""
    if merge == _NONE:
        return size
    value = (merge & ~_LOW) | np.uint64(place)
    i = size
    while i > 0 and heap[(i - 1) // 2] > value:
        heap[i] = heap[(i - 1) // 2]
        i = (i - 1) // 2
    heap[i] = value
    return size + 1


@kernel
def _pop(heap: Words, size: int) -> int:
    """Remove the least value, which stands first; returns the heap's new size."""
    size -= 1
    value = heap[size]
    i = 0
    while 2 * i + 1 < size:
        child = 2 * i + 1
        if child + 1 < size and heap[child + 1] < heap[child]:
            child += 1
        if value <= heap[child]:
            break
        heap[i] = heap[child]
        i = child
    heap[i] = value
    return size
