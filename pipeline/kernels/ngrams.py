"""Hashes of the n-grams of normalised words, and which of them stand in a set of up to some hundred million.

A TERM is a longest run of letters, marks and numbers (Unicode's L*, M*, N*), in simple lower case; everything else only
parts terms. So punctuation, case and layout don't matter: "Don't stop!" and "don t STOP" are the same three terms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import Hashes, mix
from pipeline.kernels.unicode import TABLE_SIZE, TERM, byte_at, classes, continues, lowercase, wide_point

Points = npt.NDArray[np.int32]

_PRIME, _SEED = np.uint64(0x100000001B3), np.uint64(0xCBF29CE484222325)
_ORDER = np.uint64(0x9E3779B97F4A7C15)
_SIX, _MASK6, _ONE, _HALF = np.uint64(6), np.uint64(63), np.uint64(1), np.uint64(32)
_BITS_PER_HASH = 16


class Found(NamedTuple):
    """Hashes of n-grams, with the row that each stands in; rows ascend."""

    rows: npt.NDArray[np.int32]
    hashes: Hashes


def ngram_hashes(column: Texts, size: int) -> Found:
    """The hash of every n-gram of `size` terms, in the order of the text."""
    return _search(column, size, np.zeros(0, np.uint64))


def sketch(hashes: Hashes) -> Hashes:
    """A Bloom filter of two bits per hash: uint64[a power of two], about one false positive in sixty."""
    words = 1
    while words * 64 < _BITS_PER_HASH * len(hashes):
        words *= 2
    bits = np.zeros(words, np.uint64)
    _set_bits(hashes, bits)
    return bits


def find_ngrams(column: Texts, size: int, known: Hashes, bits: Hashes) -> Found:
    """The n-grams of `size` terms whose hashes are in `known` (sorted), of which `bits` is the sketch."""
    near = _search(column, size, bits)
    at = np.minimum(np.searchsorted(known, near.hashes), max(len(known) - 1, 0))
    hit = known[at] == near.hashes if len(known) else np.zeros(len(near.hashes), np.bool_)
    return Found(near.rows[hit], near.hashes[hit])


def _search(column: Texts, size: int, bits: Hashes) -> Found:
    """All n-grams that pass `bits` (all, when there are none); asked again with more room when they don't fit."""
    room = column.rows + 1024
    largest = int(np.diff(column.offsets).max(initial=0)) // 2 + 2
    terms = np.empty(largest, np.uint64)
    leaving = np.uint64(pow(int(_ORDER), size, 1 << 64))
    while True:
        found = Found(np.empty(room, np.int32), np.empty(room, np.uint64))
        count = int(_search_rows(column.offsets, column.data, classes(), lowercase(), size, leaving, bits, terms, found))
        if count <= room:
            return Found(found.rows[:count], found.hashes[:count])
        room = count


@kernel
def _set_bits(hashes: Hashes, bits: Hashes) -> None:
    for k in range(len(hashes)):
        for value in (hashes[k], hashes[k] >> _HALF):
            bits[_word_of(bits, value)] |= _ONE << (value & _MASK6)


@kernel
def _may_hold(bits: Hashes, value: np.uint64) -> bool:
    """Whether the two bits of `value` are set: those its lower and its upper half name."""
    other = value >> _HALF
    first, second = bits[_word_of(bits, value)] >> (value & _MASK6), bits[_word_of(bits, other)] >> (other & _MASK6)
    return bool(first & second & _ONE)


@kernel
def _word_of(bits: Hashes, value: np.uint64) -> np.int64:
    return np.int64((value >> _SIX) & np.uint64(len(bits) - 1))


@kernel
def _search_rows(
    offsets: Ints, data: Bytes, table: Bytes, lower: Points, size: int, leaving: np.uint64, bits: Hashes, terms: Hashes, found: Found
) -> int:
    """Write the n-grams that pass `bits` to `found` as long as there is room; return how many there are."""
    count = 0
    for row in range(len(offsets) - 1):
        number = _hash_terms(data, offsets[row], offsets[row + 1], table, lower, terms)
        rolling = np.uint64(0)
        for k in range(number):
            rolling = rolling * _ORDER + terms[k]
            if k >= size:
                rolling -= terms[k - size] * leaving
            if k + 1 < size:
                continue
            value = mix(rolling)
            if len(bits) == 0 or _may_hold(bits, value):
                if count < len(found.rows):
                    found.rows[count], found.hashes[count] = row, value
                count += 1
    return count


@kernel
def _hash_terms(data: Bytes, start: int, end: int, table: Bytes, lower: Points, terms: Hashes) -> int:
    """Fill `terms` with the hashes of the terms of data[start:end]; return how many there are."""
    count, state, inside = 0, _SEED, False
    for i in range(start, end):
        if continues(data, i):
            continue
        point = byte_at(data, i) if data[i] < 0x80 else wide_point(data, i, end)
        if point < TABLE_SIZE and table[point] & TERM:
            state = (state ^ np.uint64(lower[point])) * _PRIME
            inside = True
        elif inside:
            terms[count] = mix(state)
            count += 1
            state, inside = _SEED, False
    if inside:
        terms[count] = mix(state)
        count += 1
    return count
