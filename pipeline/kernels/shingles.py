"""Shingles: the runs of words by which two texts are compared, as 64-bit hashes.

NORMALISATION. A text is cut into words at white space (`str.split()`); letters become lower case (one character for one);
punctuation, format and control characters are left out, but for the signs # % & * + - / @ \\ that carry meaning in code and
mathematics; words of which nothing is left vanish. Digits, accents and symbols stay. Han ideographs and kana, which are
written without spaces, are words of their own. So re-set quotes, dashes and capitals don't tell two texts apart, while
"a + b" and "a - b" stay two texts.

A shingle is `width` words in a row; a text of fewer words has one shingle, of all of them. Word shingles, because with
shingles of 5 characters unrelated books were measured alike to .36, with shingles of 5 words to .0004.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from numba import njit

from pipeline.kernels.arrow import Bytes, Ints, Texts, texts
from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import Hashes, mix
from pipeline.kernels.unicode import TABLE_SIZE, continues, lowercase, wide_point

#: Punctuation that is kept, since it tells code and formulas apart; and symbols that are dropped, since they are quotes.
KEPT_SIGNS = "#%&*+-/@\\"
DROPPED_SIGNS = "`´"
#: Categories of the Unicode database that are left out.
DROPPED_CATEGORIES = ("Pc", "Pd", "Ps", "Pe", "Pi", "Pf", "Po", "Cc", "Cf")
#: First and last code points of characters that are words of their own: kana and Han ideographs.
ALONE_RANGES = ((0x3041, 0x30FF), (0x31F0, 0x31FF), (0x3400, 0x4DBF), (0x4E00, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x323AF))

#: Texts are hashed this many bytes at a time (or one by one, when longer): what is between the passes stays in the cache.
SLICE_BYTES = 1 << 20

#: Bits that sets of shingles do without, so that an index of them is smaller. The 48 that are left give two texts of a
#: thousand shingles one in common by chance once in 300 million pairs.
SHINGLE_SHIFT = np.uint64(16)

#: What the folding table says of a code point beside what it becomes.
SPACE, DROP = -1, 0
_ALONE = 1 << 30

_SEED_1, _SEED_2 = np.uint64(0xCBF29CE484222325), np.uint64(0x9AE16A3B2F90404F)
_STEP_1, _STEP_2 = np.uint64(0x00000100000001B3), np.uint64(0xC3A5C85C97CB3127)
_FOLD_1, _FOLD_2 = np.uint64(0x9DDFEA08EB382D69), np.uint64(0xB492B66FBE98F273)
_LEFT, _RIGHT = np.uint64(23), np.uint64(41)


class Words(NamedTuple):
    """The words of a column of texts: row i has first[offsets[i]:offsets[i + 1]]; `first`, `second`: two hashes of each word."""

    offsets: Ints
    first: Hashes
    second: Hashes


class Shingles(NamedTuple):
    """The shingles of a column of texts: row i has hashes[offsets[i]:offsets[i + 1]], at least one."""

    offsets: Ints
    hashes: Hashes


def shingle_sets(column: pa.Array, width: int) -> Shingles:
    """Each text's shingles of `width` words as a set: sorted, each once, their hashes without the SHINGLE_SHIFT lowest bits.

    Memory: eight bytes for each, and a slice's work.
    """
    parts = [as_sets(_shorter(shingle_hashes(word_hashes(part), width))) for part in slices(texts(column))]
    counts = [np.diff(offsets) for offsets, _ in parts]
    offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *counts]))
    return Shingles(offsets, np.concatenate([np.zeros(0, np.uint64), *(hashes for _, hashes in parts)]))


def slices(column: Texts) -> Iterator[Texts]:
    """The texts in runs of at most SLICE_BYTES, or of a single longer one."""
    start = 0
    while start < column.rows:
        stop = int(np.searchsorted(column.offsets, column.offsets[start] + SLICE_BYTES, side="right")) - 1
        stop = max(stop, start + 1)
        yield Texts(column.offsets[start : stop + 1], column.data)
        start = stop


@lru_cache(maxsize=1)
def folding() -> npt.NDArray[np.int32]:
    """int32[TABLE_SIZE]: what each code point becomes; SPACE parts words, DROP is left out, bit 30 makes a word of its own."""
    lower = lowercase()
    table = np.fromiter((_fold(chr(point), int(lower[point])) for point in range(TABLE_SIZE)), np.int32, TABLE_SIZE)
    for first, last in ALONE_RANGES:
        kept = table[first : last + 1]
        kept[kept > 0] |= _ALONE
    table.flags.writeable = False
    return table


def _fold(char: str, lower: int) -> int:
    if char.isspace():
        return SPACE
    if char in DROPPED_SIGNS or (unicodedata.category(char) in DROPPED_CATEGORIES and char not in KEPT_SIGNS):
        return DROP
    return lower


def word_hashes(column: Texts) -> Words:
    """The normalised words of each text, in order, as two 64-bit hashes each."""
    offsets = np.zeros(column.rows + 1, np.int64)
    most = int(column.offsets[-1] - column.offsets[0]) // 2 + column.rows  # a word takes a byte at least, and one to part it
    first, second = np.empty(most, np.uint64), np.empty(most, np.uint64)
    count = _hash_words(column.offsets, column.data, folding(), offsets, first, second)
    return Words(offsets, first[:count], second[:count])


@kernel
def _hash_words(starts: Ints, data: Bytes, table: npt.NDArray[np.int32], offsets: Ints, first: Hashes, second: Hashes) -> int:
    count = 0
    for row in range(len(starts) - 1):
        end = starts[row + 1]
        one, two, is_open = _SEED_1, _SEED_2, False
        for i in range(starts[row], end):
            if data[i] < 0x80:
                folded = np.int64(table[data[i]])
            elif continues(data, i):
                continue
            else:
                point = wide_point(data, i, end)
                folded = np.int64(table[point]) if point < TABLE_SIZE else np.int64(point)
            if 0 < folded < _ALONE:
                one = (one ^ np.uint64(folded)) * _STEP_1
                two = (two ^ np.uint64(folded)) * _STEP_2
                is_open = True
            elif folded != DROP:
                if is_open:
                    first[count], second[count] = mix(one), mix(two)
                    count += 1
                    one, two, is_open = _SEED_1, _SEED_2, False
                if folded > 0:
                    alone = np.uint64(folded - _ALONE)
                    first[count], second[count] = mix((_SEED_1 ^ alone) * _STEP_1), mix((_SEED_2 ^ alone) * _STEP_2)
                    count += 1
        if is_open:
            first[count], second[count] = mix(one), mix(two)
            count += 1
        offsets[row + 1] = count
    return count


def fingerprints(words: Words) -> Hashes:
    """uint64[rows, 2]: 128 bits over the words of each text; equal for equal words in equal order."""
    out = np.empty((len(words.offsets) - 1, 2), np.uint64)
    _fingerprint(words.offsets, words.first, words.second, out)
    return out


@kernel
def _fingerprint(offsets: Ints, first: Hashes, second: Hashes, out: Hashes) -> None:
    for row in range(len(out)):
        one, two = np.uint64(offsets[row + 1] - offsets[row]), np.uint64(0)
        for i in range(offsets[row], offsets[row + 1]):
            one = _joined(one, first[i])
            two = _joined(two, second[i])
        out[row, 0], out[row, 1] = mix(one), mix(two)


@kernel
def _joined(state: np.uint64, word: np.uint64) -> np.uint64:
    return ((state << _LEFT | state >> _RIGHT) ^ word) * _FOLD_1 + _FOLD_2


def shingle_hashes(words: Words, width: int) -> Shingles:
    """The hashes of each text's shingles of `width` words, in order, repeated ones included."""
    counts = np.maximum(np.diff(words.offsets) - (width - 1), 1)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    hashes = np.empty(offsets[-1], np.uint64)
    _hash_shingles(words.offsets, words.first, width, offsets, hashes)
    return Shingles(offsets, hashes)


@kernel
def _hash_shingles(words: Ints, first: Hashes, width: int, offsets: Ints, out: Hashes) -> None:
    for row in range(len(words) - 1):
        taken = min(width, words[row + 1] - words[row])
        for k in range(offsets[row + 1] - offsets[row]):
            state = np.uint64(0)
            for i in range(words[row] + k, words[row] + k + taken):
                state = _joined(state, first[i])
            out[offsets[row] + k] = mix(state)


def _shorter(shingles: Shingles) -> Shingles:
    np.right_shift(shingles.hashes, SHINGLE_SHIFT, out=shingles.hashes)
    return shingles


def as_sets(shingles: Shingles) -> Shingles:
    """Each row's shingles sorted, each once; the arrays given are overwritten."""
    bounds = np.zeros_like(shingles.offsets)
    count = _sort_rows(shingles.offsets, shingles.hashes, bounds)
    return Shingles(bounds, shingles.hashes[:count].copy())


@njit(cache=True, nogil=True)  # no @kernel: Numba's sort allocates
def _sort_rows(offsets: Ints, hashes: Hashes, bounds: Ints) -> int:
    count = 0
    for row in range(len(offsets) - 1):
        hashes[offsets[row] : offsets[row + 1]].sort()
        for i in range(offsets[row], offsets[row + 1]):
            if i == offsets[row] or hashes[i] != hashes[count - 1]:
                hashes[count] = hashes[i]
                count += 1
        bounds[row + 1] = count
    return count
