"""The merges of byte-level BPE: the ids of a piece's bytes become those of its tokens.

Merges are applied by pair, not by the bytes that a pair makes, so the outcome is that of the `tokenizers` library for any
list of merges, also where two of them make one token or some can never be reached.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import mix

Ids = npt.NDArray[np.uint32]
Words = npt.NDArray[np.uint64]

#: A piece up to this length is merged by search, a longer one by a heap.
_SHORT = 48
_NONE = np.uint64(0xFFFFFFFFFFFFFFFF)
_LOW = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)


class Room(NamedTuple):
    """What merging one piece works in: the merges `found` to be possible, and each symbol's neighbours."""

    found: Words
    before: Ints
    after: Ints


def room(longest: int) -> Room:
    """Room for pieces of up to `longest` bytes."""
    places = np.zeros((2, longest), np.int64)
    return Room(np.zeros(3 * longest, np.uint64), places[0], places[1])


def merge_table(lefts: Ids, rights: Ids, merged: Ids) -> Words:
    """Merges in order of rank as an open table, uint64[slots, 2]: left << 32 | right, and rank << 32 | merged id; all ones where empty.

    A pair that comes twice has its last rank, as in `tokenizers`.
    """
    slots = 64
    while slots < 3 * len(merged):
        slots *= 2
    table = np.full((slots, 2), _NONE, np.uint64)
    _fill(table, lefts, rights, merged)
    return table


@kernel
def signed(word: np.uint64) -> int:
    """A word as a number that can be computed with."""
    return np.int64(word)  # type: ignore[return-value]  # to Numba they are one


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
def merge(ids: Ids, pairs: Words, room: Room) -> int:
    """Merge the ids of a piece in place, in order of rank and from left to right; returns how many are left."""
    if len(ids) > _SHORT:
        return _merge_long(ids, pairs, room)
    return _merge_short(ids, pairs, room.found)


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
def _merge_long(ids: Ids, pairs: Words, room: Room) -> int:
    """The same with a heap of rank << 32 | place: O(n log n), so that a megabyte without a space is no trap."""
    count = len(ids)
    heap, before, after = room.found, room.before, room.after
    size = 0
    for i in range(count):
        before[i], after[i] = i - 1, i + 1
    for i in range(count - 1):
        size = _push(heap, size, _merge_of(pairs, ids[i], ids[i + 1]), i)
    while size > 0:
        least = heap[0]
        size = _pop(heap, size)
        i = signed(least & _LOW)
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
