"""Hashes of the n-grams of normalised words, and which of them stand in a set of up to some hundred million.

A TERM is a longest run of letters, marks and numbers (Unicode's L*, M*, N*), in simple lower case; everything else only
parts terms. So punctuation, case and layout don't matter: "Don't stop!" and "don t STOP" are the same three terms.
Chinese and Japanese put no space between words: each of their letters (`stands_alone`) is a term of its own. A phrase of
Thai, Lao, Khmer or Burmese, which don't either, is one term.
"""

from __future__ import annotations

from collections.abc import Sequence
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
#: No letter below stands alone.
_FIRST_ALONE = 0x3005


class Found(NamedTuple):
    """Hashes of n-grams, with the row that each stands in and the number of its first term there; rows ascend."""

    rows: npt.NDArray[np.int32]
    hashes: Hashes
    terms: npt.NDArray[np.int32]


class Terms(NamedTuple):
    """All terms of a column: those of row i are offsets[i] to offsets[i + 1]; term k is the bytes starts[k] to ends[k]."""

    offsets: Ints
    hashes: Hashes
    starts: Ints
    ends: Ints


def terms_of(column: Texts) -> Terms:
    """The hash and the place of every term, in the order of the text."""
    room = int(column.offsets[-1] - column.offsets[0]) // 2 + column.rows
    found = Terms(np.zeros(column.rows + 1, np.int64), np.empty(room, np.uint64), np.empty(room, np.int64), np.empty(room, np.int64))
    _locate_rows(column.offsets, column.data, classes(), lowercase(), found)
    count = int(found.offsets[-1])
    return Terms(found.offsets, found.hashes[:count], found.starts[:count], found.ends[:count])


def joined(hashes: Hashes, size: int) -> Hashes:
    """The hash of every n-gram of `size` terms in a run of term hashes: what `ngram_hashes` gives for a text of them."""
    out = np.empty(max(len(hashes) - size + 1, 0), np.uint64)
    _join(hashes, size, out)
    return out


def ngram_hashes(column: Texts, size: int) -> Found:
    """The hash of every n-gram of `size` terms, in the order of the text."""
    return _search(column, (size,), np.zeros(0, np.uint64))


def sketch(hashes: Hashes) -> Hashes:
    """A Bloom filter of two bits per hash: uint64[a power of two], about one false positive in sixty."""
    words = 1
    while words * 64 < _BITS_PER_HASH * len(hashes):
        words *= 2
    bits = np.zeros(words, np.uint64)
    _set_bits(hashes, bits)
    return bits


def find_ngrams(column: Texts, sizes: Sequence[int], known: Hashes, bits: Hashes) -> Found:
    """The n-grams of so many terms whose hashes are in `known` (sorted), of which `bits` is the sketch."""
    near = _search(column, sizes, bits)
    at = np.minimum(np.searchsorted(known, near.hashes), max(len(known) - 1, 0))
    hit = known[at] == near.hashes if len(known) else np.zeros(len(near.hashes), np.bool_)
    return Found(near.rows[hit], near.hashes[hit], near.terms[hit])


def _search(column: Texts, sizes: Sequence[int], bits: Hashes) -> Found:
    """All n-grams that pass `bits` (all, when there are none); asked again with more room when they don't fit."""
    room = column.rows + 1024 + int(column.offsets[-1] - column.offsets[0]) // 64  # several times what passes a sketch by chance
    largest = int(np.diff(column.offsets).max(initial=0)) // 2 + 2
    terms = Terms(np.zeros(0, np.int64), np.empty(largest, np.uint64), np.empty(largest, np.int64), np.empty(largest, np.int64))
    lengths = np.array(sizes, np.int64)
    leaving = np.array([pow(int(_ORDER), size, 1 << 64) for size in sizes], np.uint64)
    while True:
        found = Found(np.empty(room, np.int32), np.empty(room, np.uint64), np.empty(room, np.int32))
        count = int(_search_rows(column.offsets, column.data, classes(), lowercase(), lengths, leaving, bits, terms, found))
        if count <= room:
            return Found(found.rows[:count], found.hashes[:count], found.terms[:count])
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
def stands_alone(point: int) -> bool:
    """Whether a letter is a term by itself: kana and Han, from Unicode's blocks of them."""
    return (
        0x3005 <= point <= 0x3007
        or 0x3041 <= point <= 0x30FF
        or 0x31F0 <= point <= 0x31FF
        or 0x3400 <= point <= 0x4DBF
        or 0x4E00 <= point <= 0x9FFF
        or 0xF900 <= point <= 0xFAFF
        or 0xFF66 <= point <= 0xFF9F
        or 0x1AFF0 <= point <= 0x1B16F
        or 0x20000 <= point < TABLE_SIZE
    )


@kernel
def _search_rows(
    offsets: Ints, data: Bytes, table: Bytes, lower: Points, sizes: Ints, leaving: Hashes, bits: Hashes, terms: Terms, found: Found
) -> int:
    """Write the n-grams that pass `bits` to `found` as long as there is room; return how many there are."""
    count = 0
    for row in range(len(offsets) - 1):
        number = _hash_terms(data, offsets[row], offsets[row + 1], table, lower, terms.hashes, terms.starts, terms.ends)
        for s in range(len(sizes)):
            size, rolling = sizes[s], np.uint64(0)
            for k in range(number):
                rolling = rolling * _ORDER + terms.hashes[k]
                if k >= size:
                    rolling -= terms.hashes[k - size] * leaving[s]
                if k + 1 < size:
                    continue
                value = mix(rolling)
                if len(bits) == 0 or _may_hold(bits, value):
                    if count < len(found.rows):
                        found.rows[count], found.hashes[count], found.terms[count] = row, value, k + 1 - size
                    count += 1
    return count


@kernel
def _join(hashes: Hashes, size: int, out: Hashes) -> None:
    for k in range(len(out)):
        state = np.uint64(0)
        for j in range(k, k + size):
            state = state * _ORDER + hashes[j]
        out[k] = mix(state)


@kernel
def _locate_rows(offsets: Ints, data: Bytes, table: Bytes, lower: Points, found: Terms) -> None:
    """Fill `found`, whose arrays have room for all terms."""
    count = 0
    for row in range(len(offsets) - 1):
        first, last = offsets[row], offsets[row + 1]
        count += _hash_terms(data, first, last, table, lower, found.hashes[count:], found.starts[count:], found.ends[count:])
        found.offsets[row + 1] = count


@kernel
def _hash_terms(data: Bytes, start: int, end: int, table: Bytes, lower: Points, terms: Hashes, starts: Ints, ends: Ints) -> int:
    """Fill `terms` with the hashes of the terms of data[start:end], and where they start and end; return how many there are."""
    count, state, first, alone = 0, _SEED, -1, False
    for i in range(start, end):
        if continues(data, i):
            continue
        point = byte_at(data, i) if data[i] < 0x80 else wide_point(data, i, end)
        inside = point < TABLE_SIZE and (table[point] & TERM) != 0
        parted = alone or not inside
        alone = inside and point >= _FIRST_ALONE and stands_alone(point)
        if first >= 0 and (parted or alone):
            terms[count], starts[count], ends[count] = mix(state), first, i
            count += 1
            state, first = _SEED, -1
        if inside:
            state = (state ^ np.uint64(lower[point])) * _PRIME
            first = i if first < 0 else first
    if first >= 0:
        terms[count], starts[count], ends[count] = mix(state), first, end
        count += 1
    return count
