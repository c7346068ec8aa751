"""A set of byte strings, numbered in the order in which they were added: what pieces are counted by, and tokens found by.

Strings are equal when their bytes are: hashes only say where to look. Kernels never allocate: one that finds no room says
so, and its caller calls again with what `roomier` makes of the set.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pipeline.kernels.arrow import Bytes, Ints
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import load8
from pipeline.kernels.hashing import Hashes, hash_bytes

#: What `add` returns instead of a number.
NO_ROOM = -1
_EMPTY = -1
_ONE = np.uint64(1)


class Strings(NamedTuple):
    """String n is data[bounds[n]:bounds[n + 1]], and there are size[0] of them.

    `slots` is an open table of their numbers, at most half full; `hashes` has the hash of each.
    """

    slots: Ints
    hashes: Hashes
    bounds: Ints
    data: Bytes
    size: Ints


def no_strings(room: int = 1 << 12) -> Strings:
    """An empty set with room for `room` strings (a power of two) of 16 bytes each."""
    slots, bounds, size = np.full(2 * room, _EMPTY, np.int64), np.zeros(room + 1, np.int64), np.zeros(1, np.int64)
    return Strings(slots, np.empty(room, np.uint64), bounds, np.empty(16 * room, np.uint8), size)


def roomier(found: Strings, more_bytes: int) -> Strings:
    """The same set with room for one more string of `more_bytes` at least: what is full is doubled."""
    size, room, filled = int(found.size[0]), len(found.hashes), int(found.bounds[found.size[0]])
    slots, hashes, bounds, data = found.slots, found.hashes, found.bounds, found.data
    if size == room:
        slots, hashes = np.full(4 * room, _EMPTY, np.int64), _longer(hashes, 2 * room)
        bounds = _longer(bounds, 2 * room + 1)
        _place(slots, hashes, size)
    if filled + more_bytes > len(data):
        data = _longer(data, max(2 * len(data), filled + more_bytes))
    return Strings(slots, hashes, bounds, data, found.size)


def gathered(every: Iterable[bytes]) -> Strings:
    """The set of some strings."""
    found = no_strings()
    for one in every:
        data = np.frombuffer(one, np.uint8)
        while add(found, data, 0, len(data)) == NO_ROOM:
            found = roomier(found, len(data))
    return found


def listed(found: Strings) -> list[bytes]:
    """The strings in the order of their numbers."""
    bounds = found.bounds[: int(found.size[0]) + 1].tolist()
    data = found.data[: bounds[-1]].tobytes()
    return [data[start:end] for start, end in pairwise(bounds)]


def _longer(array: np.ndarray, length: int) -> np.ndarray:
    out = np.empty(length, array.dtype)
    out[: len(array)] = array
    return out


@kernel
def _place(slots: Ints, hashes: Hashes, size: int) -> None:
    mask = np.uint64(len(slots) - 1)
    for number in range(size):
        slot = hashes[number] & mask
        while slots[slot] != _EMPTY:
            slot = (slot + _ONE) & mask
        slots[slot] = number


@kernel
def add(strings: Strings, data: Bytes, start: int, end: int) -> int:
    """The number of the string data[start:end], which is added when it is new; NO_ROOM when it can't be."""
    key, mask = hash_bytes(data, start, end), np.uint64(len(strings.slots) - 1)
    slot = key & mask
    while strings.slots[slot] != _EMPTY:
        number = strings.slots[slot]
        if strings.hashes[number] == key and _is(strings, number, data, start, end):
            return number  # type: ignore[no-any-return]
        slot = (slot + _ONE) & mask
    number = strings.size[0]
    filled = strings.bounds[number]
    if number == len(strings.hashes) or filled + end - start > len(strings.data):
        return NO_ROOM
    for i in range(start, end):
        strings.data[filled + i - start] = data[i]
    strings.slots[slot], strings.hashes[number] = number, key
    strings.bounds[number + 1] = filled + end - start
    strings.size[0] = number + 1
    return number  # type: ignore[no-any-return]


@kernel
def _is(strings: Strings, number: int, data: Bytes, start: int, end: int) -> bool:
    """Whether a string is data[start:end]."""
    first, length = strings.bounds[number], end - start
    if strings.bounds[number + 1] - first != length:
        return False
    i = 0
    while i + 8 <= length:
        if load8(strings.data, first + i) != load8(data, start + i):
            return False
        i += 8
    while i < length:
        if strings.data[first + i] != data[start + i]:
            return False
        i += 1
    return True
