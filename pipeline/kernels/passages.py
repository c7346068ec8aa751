"""Passages: runs of words that stand in several places, by hashes; and texts with some of their bytes left out.

Here a word is what `str.split()` gives, to the letter; Han ideographs and kana, which are written without spaces, are words of
their own. So two runs of words are the same when only the white space between their words differs.

Every run of `least` words holds an anchor: of the hashes of the runs of `gram_words(least)` words in it, the smallest (the
last of equal ones). Which one that is follows from the run alone, so where a run stands twice, its anchors have the same
hash: what has an anchor of its own needs no second look. This is winnowing (Schleimer, Wilkerson and Aiken, "Winnowing: Local
Algorithms for Document Fingerprinting", SIGMOD 2003): about two anchors for each `least / 2` words.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.kernels.arrow import Bytes, Ints, Texts, large_strings
from pipeline.kernels.blocks import find_words, most_pieces
from pipeline.kernels.compiled import kernel
from pipeline.kernels.eights import before, load8, load_some
from pipeline.kernels.hashing import Hashes, hash_bytes, mix
from pipeline.kernels.shingles import ALONE_RANGES
from pipeline.kernels.unicode import classes, continues, copy_bytes, wide_point

_LENGTH = np.uint64(0x9E3779B97F4A7C15)
#: Two ways to join the hashes of two runs of words: 128 bits in all.
JOIN_1, JOIN_2 = np.uint64(0x9DDFEA08EB382D69), np.uint64(0xD6E8FEB86659FD93)
#: The lowest byte that starts a character which is a word of its own.
_FIRST_ALONE = 0xE3


class Words(NamedTuple):
    """The words of a column of texts: row i has hashes[offsets[i]:offsets[i + 1]]; `starts`: bytes of its text before each."""

    offsets: Ints
    hashes: Hashes
    starts: Ints


class Windows(NamedTuple):
    """Runs of words: the row of each, its hash twice, and the bytes [start, stop) of its text: up to the word after it."""

    rows: Ints
    first: Hashes
    second: Hashes
    starts: Ints
    stops: Ints


def gram_words(least: int) -> int:
    """The words of a run that an anchor is the hash of."""
    return (least + 1) // 2


def exact_words(column: Texts) -> Words:
    """The words of each text, in order. Memory: 12 bytes for each byte of the texts."""
    size = int(column.offsets[-1] - column.offsets[0])
    begins, ends = np.empty((2, most_pieces(column.offsets, column.data)), np.int64)
    offsets = np.zeros(column.rows + 1, np.int64)
    hashes, starts = np.empty(size // 2 + column.rows, np.uint64), np.empty(size // 2 + column.rows, np.int64)
    count = _hash_words(column.offsets, column.data, classes(), begins, ends, offsets, hashes, starts)
    return Words(offsets, hashes[:count], starts[:count])


def anchors(words: Words, least: int) -> tuple[Ints, Ints, Hashes]:
    """The anchors of every run of `least` words: the row of each, the words of its text before it, and its hash."""
    width = gram_words(least)
    hashes = _joined(words, width, JOIN_1)
    rows, places = np.empty((2, len(hashes)), np.int64)
    count = _winnow(words.offsets, hashes, width, least, rows, places)
    return rows[:count], places[:count], hashes[words.offsets[rows[:count]] + places[:count]]


def windows(words: Words, sizes: Ints, rows: Ints, places: Ints, least: int) -> Windows:
    """Each run of `least` words that holds one of the given anchors (sorted by row and place), once; `sizes`: bytes of each text."""
    which, heads = np.empty((2, len(words.hashes)), np.int64)
    count = _around(words.offsets, rows, places, gram_words(least), least, which, heads)
    which, heads = which[:count], heads[:count]
    behind = heads + least
    inside = behind < words.offsets[which + 1]
    stops = sizes[which]
    stops[inside] = words.starts[behind[inside]]
    return Windows(which, _joined(words, least, JOIN_1)[heads], _joined(words, least, JOIN_2)[heads], words.starts[heads], stops)


def first_copies(keys: Hashes, checks: Hashes, ranks: Hashes) -> Ints:
    """int64[rows]: of rows with the same key (which stand together) that of least rank; -1 for it, and where the check differs.

    `ranks`: uint64[rows, n], compared from left to right.
    """
    leaders = np.empty(len(keys), np.int64)
    _first_copies(keys, checks, ranks, leaders)
    return leaders


def without(column: Texts, rows: Ints, starts: Ints, stops: Ints) -> pa.LargeStringArray:
    """The texts without the bytes [start, stop) of some rows, sorted and apart from each other."""
    removed = np.bincount(rows, stops - starts, column.rows).astype(np.int64)
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.diff(column.offsets) - removed)])
    data = np.empty(offsets[-1], np.uint8)
    _copy_without(column.offsets, column.data, rows, starts, stops, offsets, data)
    return large_strings(offsets, data)


@kernel
def _hash_words(texts: Ints, data: Bytes, table: Bytes, begins: Ints, ends: Ints, offsets: Ints, hashes: Hashes, starts: Ints) -> int:
    count = 0
    for row in range(len(offsets) - 1):
        for word in range(find_words(data, texts[row], texts[row + 1], table, begins, ends)):
            wide = False
            for i in range(np.uint64(begins[word]), np.uint64(ends[word])):
                wide |= data[i] >= _FIRST_ALONE
            if wide:
                count = _hash_parts(data, begins[word], ends[word], hashes, starts, count)
            else:
                hashes[count], starts[count] = _hash_word(data, begins[word], ends[word]), begins[word]
                count += 1
        for word in range(offsets[row], count):
            starts[word] -= texts[row]
        offsets[row + 1] = count
    return count


@kernel
def _hash_parts(data: Bytes, start: int, end: int, hashes: Hashes, starts: Ints, count: int) -> int:
    """What stands between white space, with each character that is a word of its own apart."""
    begin, i = start, start
    while i < end:
        stop = i + 1
        while stop < end and continues(data, stop):
            stop += 1
        if data[np.uint64(i)] >= _FIRST_ALONE and _is_alone(wide_point(data, i, end)):
            if begin < i:
                hashes[count], starts[count] = _hash_word(data, begin, i), begin
                count += 1
            hashes[count], starts[count] = _hash_word(data, i, stop), i
            count += 1
            begin = stop
        i = stop
    if begin < end:
        hashes[count], starts[count] = _hash_word(data, begin, end), begin
        count += 1
    return count


@kernel
def _is_alone(point: int) -> bool:
    alone = False
    for first, last in ALONE_RANGES:
        alone |= first <= point <= last
    return alone


@kernel
def _hash_word(data: Bytes, start: int, end: int) -> np.uint64:
    length = end - start
    if length > 8:
        return hash_bytes(data, start, end)
    eight = load8(data, start) & before(length) if start + 8 <= len(data) else load_some(data, start, end)
    return mix(eight ^ np.uint64(length) * _LENGTH)


def _joined(words: Words, width: int, how: np.uint64) -> Hashes:
    """The hash of the `width` words from each word on; of the last words of a row, which aren't followed by as many, nothing."""
    hashes = words.hashes.copy()
    _join(words.offsets, hashes, width, how)
    return hashes


@kernel
def _join(offsets: Ints, hashes: Hashes, width: int, how: np.uint64) -> None:
    """Runs of 2, 4, 8 ... words from two of half the length each; then runs of `width` words from two that overlap."""
    for row in range(len(offsets) - 1):
        span = 1
        while 2 * span <= width:
            for i in range(offsets[row], offsets[row + 1] - 2 * span + 1):
                hashes[i] = mix(hashes[i] * how + hashes[i + span])
            span *= 2
        if span < width:
            for i in range(offsets[row], offsets[row + 1] - width + 1):
                hashes[i] = mix(hashes[i] * how + hashes[i + width - span])


@kernel
def _winnow(offsets: Ints, hashes: Hashes, width: int, least: int, rows: Ints, places: Ints) -> int:
    count = 0
    for row in range(len(offsets) - 1):
        chosen = -1
        for start in range(offsets[row], offsets[row + 1] - least + 1):
            last = start + least - width
            known = chosen
            if chosen < start:
                chosen = start
                for i in range(start + 1, last + 1):
                    chosen = i if hashes[i] <= hashes[chosen] else chosen
            elif hashes[last] <= hashes[chosen]:
                chosen = last
            if chosen != known:
                rows[count], places[count] = row, chosen - offsets[row]
                count += 1
    return count


@kernel
def _around(offsets: Ints, rows: Ints, places: Ints, width: int, least: int, which: Ints, heads: Ints) -> int:
    count, row, following = 0, -1, 0
    for anchor in range(len(rows)):
        if rows[anchor] != row:
            row = rows[anchor]
            following = offsets[row]
        place = offsets[row] + places[anchor]
        last = min(place, offsets[row + 1] - least)
        for head in range(max(following, place + width - least), last + 1):
            which[count], heads[count] = row, head
            count += 1
        following = max(following, last + 1)
    return count


@kernel
def _first_copies(keys: Hashes, checks: Hashes, ranks: Hashes, leaders: Ints) -> None:
    start = 0
    while start < len(keys):
        stop, leader = start, start
        while stop < len(keys) and keys[stop] == keys[start]:
            leader = stop if _compare(ranks, stop, leader) < 0 else leader
            stop += 1
        for row in range(start, stop):
            leaders[row] = leader if checks[row] == checks[leader] and _compare(ranks, row, leader) else -1
        start = stop


@kernel
def _compare(ranks: Hashes, one: int, other: int) -> int:
    """-1, 0 or 1: whether the rank of a row is less than that of the other, the same, or greater."""
    for column in range(ranks.shape[1]):
        if ranks[one, column] != ranks[other, column]:
            return -1 if ranks[one, column] < ranks[other, column] else 1
    return 0


@kernel
def _copy_without(offsets: Ints, data: Bytes, rows: Ints, starts: Ints, stops: Ints, out_offsets: Ints, out: Bytes) -> None:
    span = 0
    for row in range(len(out_offsets) - 1):
        place, size = offsets[row], out_offsets[row]
        while span < len(rows) and rows[span] == row:
            copy_bytes(data, place, offsets[row] + starts[span], out, size)
            size += offsets[row] + starts[span] - place
            place = offsets[row] + stops[span]
            span += 1
        copy_bytes(data, place, offsets[row + 1], out, size)
