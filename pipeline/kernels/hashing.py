"""Hashes and hash tables for kernels: 64 bits everywhere, the same on every machine.

Two pieces of text count as equal when their 64-bit hashes are. Within one document of a million n-grams the chance of a
single false pair is 3e-8.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import load8

Hashes = npt.NDArray[np.uint64]
Slots = npt.NDArray[np.int32]

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_MIX_1, _MIX_2 = np.uint64(0xFF51AFD7ED558CCD), np.uint64(0xC4CEB9FE1A85EC53)
_SEED, _STEP = np.uint64(0xCBF29CE484222325), np.uint64(0x00000100000001B3)
_HALF, _BYTE, _ONE = np.uint64(33), np.uint64(8), np.uint64(1)


@kernel
def mix(value: np.uint64) -> np.uint64:
    """Spread the bits of `value` over all 64 (the finaliser of MurmurHash3, a bijection)."""
    value = (value ^ (value >> _HALF)) * _MIX_1
    value = (value ^ (value >> _HALF)) * _MIX_2
    return value ^ (value >> _HALF)


@kernel
def stir(state: np.uint64, value: np.uint64) -> np.uint64:
    """The state of a hash after eight more bytes."""
    state = (state ^ value) * _MIX_1
    return state ^ (state >> _HALF)


@kernel
def hash_bytes(data: Bytes, start: int, end: int) -> np.uint64:
    """A hash of data[start:end], eight bytes at a time."""
    state = np.uint64(end - start) * _MULTIPLIER
    if end - start < 8:
        for i in range(start, end):
            state = state << _BYTE ^ np.uint64(data[i])
        return mix(state * _MULTIPLIER)
    for i in range(start, end - 8, 8):
        state = stir(state, load8(data, i))
    return mix((state ^ load8(data, end - 8)) * _MULTIPLIER)


@kernel
def hash_rows(offsets: Ints, data: Bytes, out: Hashes) -> None:
    """out[i]: 128 bits of data[offsets[i]:offsets[i + 1]], in two halves that are made in different ways; for short rows."""
    for row in range(len(out)):
        state = _SEED
        for i in range(offsets[row], offsets[row + 1]):
            state = (state ^ np.uint64(data[i])) * _STEP
        out[row, 0], out[row, 1] = hash_bytes(data, offsets[row], offsets[row + 1]), mix(state)


@kernel
def hash_padded(data: Bytes, start: int, end: int) -> np.uint64:
    """A hash of data[start:end] for short pieces of a buffer that goes on for at least eight bytes after each."""
    length = end - start
    if length > 8:
        return hash_bytes(data, start, end)
    unwanted = np.uint64(8 * (8 - length))
    value = load8(data, start) << unwanted if length else np.uint64(0)
    return mix(value ^ np.uint64(length) * _MULTIPLIER)


@kernel
def slot_mask(items: int) -> int:
    """The mask of the smallest table of a power of two with at least two slots per item."""
    size = 16
    while size < 2 * items:
        size *= 2
    return size - 1


@kernel
def find_or_add(keys: Hashes, item: int, slots: Slots, mask: int, base: int) -> int:
    """The first item whose key equals keys[item], which is `item` itself when it is new, and is then added.

    `slots` is used up to `mask`; entries below `base` (> 0) are leftovers of earlier tables, so that starting the next
    table costs nothing: raise `base` by the number of items of the last one.
    """
    key, last = keys[item], np.uint64(mask)
    slot = key & last  # unsigned, as every index here that could be: see `load8`
    while True:
        known = np.int64(slots[slot]) - base
        if known < 0:
            slots[slot] = base + item
            return item
        if keys[np.uint64(known)] == key:
            return int(known)
        slot = (slot + _ONE) & last


@kernel
def next_base(slots: Slots, base: int, items: int) -> int:
    """The base of the table that follows one of `items` items; `slots` is cleared before its numbers run out."""
    if base + items < 1 << 30:
        return base + items
    slots[:] = 0
    return 1
