"""How often the words and phrases of a list occur in texts, in lower case, where they stand alone.

A word stands alone where no letter, mark or number is beside it; beside letters of scripts that write no spaces (Chinese,
Japanese, Thai, Lao, Khmer, Burmese) every word does. It is looked up, by its first two characters, where one can start: bits of 64
bytes at a time say where letters and digits don't go on.
Lower case is Unicode's simple one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.kernels.arrow import Bytes, Ints, Texts
from pipeline.kernels.blocks import BLOCK
from pipeline.kernels.bytesets import ALNUMS
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import digits, first_bit, gathered, letters, load8
from pipeline.kernels.unicode import TABLE_SIZE, TERM, byte_at, class_at, classes, continues, lowercase, wide_point

Points = npt.NDArray[np.int32]

_NONE, _ONE, _LAST = np.uint64(0), np.uint64(1), np.uint64(BLOCK - 1)

#: First and last code points of scripts that write no spaces between words.
_UNSPACED = ((0xE00, 0xEFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x3040, 0x30FF), (0x3400, 0x9FFF), (0xF900, 0xFAFF), (0x20000, 0x32FFF))


class Listed(NamedTuple):
    """Words as code points in lower case, sorted by the key of their first two characters, the longest first."""

    offsets: Ints
    points: Points
    buckets: Points  # words of key k stand from buckets[k] to buckets[k + 1]
    first: Bytes  # uint8[1 << 16]: 1 for the first characters of words, modulo 1 << 16; 2 where one has no other character
    pairs: Bytes  # uint8[1 << 14]: 1 for the ASCII characters a, b (a << 7 | b), of either case, that words start with


def listed(words: Iterable[str]) -> Listed:
    """The words for `occurrences`, each once; a word without any character is a ValueError."""
    lower = lowercase()
    spelt = {tuple(int(lower[p]) if p < TABLE_SIZE else p for p in map(ord, word)) for word in words}
    if () in spelt:
        raise ValueError("a word to look for needs a character")
    ordered = sorted(spelt, key=lambda word: (_key(word[0], word[1] if len(word) > 1 else 0), -len(word), word))
    keys = [_key(word[0], word[1] if len(word) > 1 else 0) for word in ordered]
    first = np.zeros(1 << 16, np.uint8)
    for word in ordered:
        first[word[0] & 0xFFFF] |= 1 if len(word) > 1 else 2
    offsets = np.cumsum([0, *map(len, ordered)]).astype(np.int64)
    points = np.array([point for word in ordered for point in word], np.int32)
    return Listed(offsets, points, np.searchsorted(keys, np.arange((1 << 16) + 1)).astype(np.int32), first, _pairs(ordered))


def _pairs(words: Iterable[tuple[int, ...]]) -> Bytes:
    """The table of `pairs`: a word of one character starts with any second one."""
    lower = lowercase()[:128]
    pairs = np.zeros((128, 128), np.uint8)
    for first, *others in words:
        pairs[np.ix_(lower == first, lower == others[0] if others else lower >= 0)] = 1
    return pairs.ravel()


def _key(first: int, second: int) -> int:
    return (first * 31 + second * 1021) & 0xFFFF


def occurrences(column: Texts, words: Listed) -> Ints:
    """int64[rows]: how many words of the list each text has; none overlaps another, and the longest goes first."""
    counts = np.zeros(column.rows, np.int64)
    _occurrences(column.offsets, column.data, classes(), lowercase(), _joining(), words, counts)
    return counts


def _joining() -> Points:
    """int32[14]: the bounds of the scripts that write no spaces, in order."""
    return np.array(_UNSPACED, np.int32).ravel()


@kernel
def _occurrences(offsets: Ints, data: Bytes, table: Bytes, lower: Points, unspaced: Points, words: Listed, counts: Ints) -> None:
    for row in range(len(counts)):
        start, end = offsets[row], offsets[row + 1]
        following, before = start, _NONE
        for block in range(start, end, BLOCK):
            alnums = _alnum_bits(data, block, end)
            starts = ~(alnums << _ONE | before)  # elsewhere a byte is in the middle of a word, as most are
            before = alnums >> _LAST
            while starts:
                i = block + first_bit(starts)
                starts &= starts - _ONE
                if i < following or i >= end or not _may_start(data, i, end, lower, words):
                    continue
                if i == start or data[i - 1] < 0x80 or not _joins(data, _before(data, i), end, table, unspaced):
                    stop = _word_end(data, i, end, table, lower, unspaced, words)
                    counts[row] += stop > 0
                    following = max(following, stop)


@kernel
def _alnum_bits(data: Bytes, start: int, end: int) -> np.uint64:
    """Bit k: the byte start + k is an ASCII letter or digit; bits from `end` on are set."""
    if start + BLOCK > end:
        bits = ~_NONE << np.uint64(end - start)
        for i in range(start, end):
            bits |= np.uint64(ALNUMS[data[np.uint64(i)]]) << np.uint64(i - start)
        return bits
    bits = _NONE
    for k in range(8):
        eight = load8(data, start + 8 * k)
        bits |= gathered(letters(eight) | digits(eight)) << np.uint64(8 * k)
    return bits


@kernel
def _may_start(data: Bytes, i: int, end: int, lower: Points, words: Listed) -> bool:
    """Whether a word of the list may start at `i`; of two ASCII characters there it is known which words start with both."""
    if i + 1 < end and (data[i] | data[np.uint64(i + 1)]) < 0x80:
        return bool(words.pairs[byte_at(data, i) << 7 | byte_at(data, i + 1)])
    return not continues(data, i) and words.first[_lower_at(data, i, end, lower) & 0xFFFF] != 0


@kernel
def _before(data: Bytes, i: int) -> int:
    """Where the character before `i` starts."""
    i -= 1
    while continues(data, i):
        i -= 1
    return i


@kernel
def _word_end(data: Bytes, i: int, end: int, table: Bytes, lower: Points, unspaced: Points, words: Listed) -> int:
    """The end of the longest word of the list that stands alone at `i`, or 0."""
    first = _lower_at(data, i, end, lower)
    after = _after(data, i, end)
    if words.first[first & 0xFFFF] & 1 and after < end:
        stop = _in_bucket(data, i, end, table, lower, unspaced, words, first, _lower_at(data, after, end, lower))
        if stop:
            return stop
    return _in_bucket(data, i, end, table, lower, unspaced, words, first, 0) if words.first[first & 0xFFFF] & 2 else 0


@kernel
def _in_bucket(data: Bytes, i: int, end: int, table: Bytes, lower: Points, unspaced: Points, words: Listed, first: int, second: int) -> int:
    key = (first * 31 + second * 1021) & 0xFFFF
    for word in range(words.buckets[key], words.buckets[key + 1]):
        at, k = i, words.offsets[word]
        while k < words.offsets[word + 1] and at < end and _lower_at(data, at, end, lower) == words.points[k]:
            at, k = _after(data, at, end), k + 1
        if k == words.offsets[word + 1] and (at == end or not _joins(data, at, end, table, unspaced)):
            return at
    return 0


@kernel
def _lower_at(data: Bytes, i: int, end: int, lower: Points) -> int:
    """The code point, in lower case, of the character at `i`."""
    point = byte_at(data, i)
    if point < 0x80:
        return point + 32 if 65 <= point <= 90 else point
    point = wide_point(data, i, end)
    return np.int64(lower[point]) if point < TABLE_SIZE else point  # type: ignore[return-value]


@kernel
def _after(data: Bytes, i: int, end: int) -> int:
    """Where the character after the one at `i` starts, or `end`."""
    i += 1
    while i < end and continues(data, i):
        i += 1
    return i


@kernel
def _joins(data: Bytes, i: int, end: int, table: Bytes, unspaced: Points) -> bool:
    """Whether the character at `i` makes one word with what stands beside it."""
    if not class_at(table, data, i, end) & TERM:
        return False
    if data[i] < 0xE0:
        return True
    point = wide_point(data, i, end)
    block = 0
    while block < len(unspaced) and not unspaced[block] <= point <= unspaced[block + 1]:
        block += 2
    return block == len(unspaced)
