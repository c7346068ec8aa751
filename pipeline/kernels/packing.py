"""Best-fit decreasing packing of documents into rows of fixed length, with split (arXiv 2404.10830).

A document longer than a row becomes full rows and a remainder; every other document is one piece. Pieces are placed from
the longest to the shortest, each into the row with the least space that still holds it, or into a new one: O(N log L).
A document that fits into a row is never cut, and no token is dropped.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Keys = npt.NDArray[np.uint64]


class Packing(NamedTuple):
    """Where every token goes: row r holds the pieces `row_starts[r]` to `row_starts[r + 1]`, one after the other.

    Per piece: the index of its document, the offset of its first token in what was given of that document, its length.
    """

    row_starts: Ints
    document: Ints
    offset: Ints
    length: Ints

    @property
    def rows(self) -> int:
        return len(self.row_starts) - 1

    @property
    def pieces(self) -> int:
        return len(self.document)


def pack(lengths: Ints, keys: Keys, seq_len: int, window: int) -> Packing:
    """Pack documents of the given lengths (tokens, int64) into rows of `seq_len`, in windows of about `window` documents.

    `keys` are hashes of the documents: rows and the pieces in a row stand in the order of hashes of their pieces, so the
    order shows neither lengths nor neighbours. Windows keep the order of the documents, are of equal size, and are
    packed on their own. Documents of no tokens have no piece.
    """
    windows = max(1, -(-len(lengths) // window))
    edges = [len(lengths) * number // windows for number in range(windows + 1)]
    parts = [_pack_window(lengths[a:b], keys[a:b], seq_len, a) for a, b in pairwise(edges)]
    bases = np.cumsum([0, *(part.pieces for part in parts)])
    starts = [part.row_starts[:-1] + base for part, base in zip(parts, bases, strict=False)]
    columns = zip(*(part[1:] for part in parts), strict=True)
    return Packing(np.concatenate([*starts, bases[-1:]]), *(np.concatenate(column) for column in columns))


def _pack_window(lengths: Ints, keys: Keys, seq_len: int, first: int) -> Packing:
    document, offset, length, row = best_fit(np.ascontiguousarray(lengths, dtype=np.int64), seq_len)
    order, row_starts = _shuffled(row, _piece_keys(keys, document, offset))
    return Packing(row_starts, document[order] + first, offset[order], length[order])


def _shuffled(row: Ints, keys: Keys) -> tuple[Ints, Ints]:
    """The order of pieces in which each row's are sorted by key and rows by their least key; and where rows start in it."""
    grouped = np.lexsort((keys, row))
    counts = np.bincount(row)
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]) if len(counts) else np.zeros(0, np.int64)
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(keys[grouped[starts]], kind="stable")] = np.arange(len(counts))
    order = np.lexsort((keys, rank[row]))
    return order, np.concatenate([[0], np.cumsum(np.bincount(rank[row]))]).astype(np.int64)


def best_fit(lengths: Ints, seq_len: int) -> tuple[Ints, Ints, Ints, Ints]:
    """(document, offset, length, row) of every piece, in the order placed: full rows first, then remainders by length.

    Among pieces of one length the order of documents decides, among rows of one space the one that came to it last.
    """
    full, rests = np.divmod(lengths, seq_len)
    in_full_rows = np.repeat(np.arange(len(lengths)), full)
    number = np.arange(len(in_full_rows)) - np.repeat(np.cumsum(full) - full, full)
    ending = np.flatnonzero(rests)
    ending = ending[np.argsort(seq_len - rests[ending], kind="stable")]
    document = np.concatenate([in_full_rows, ending])
    offset = np.concatenate([number * seq_len, full[ending] * seq_len])
    length = np.concatenate([np.full(len(in_full_rows), seq_len), rests[ending]])
    return document, offset, length, _place(length, len(in_full_rows), seq_len)


@njit(cache=True, nogil=True)
def _place(length: Ints, full: int, seq_len: int) -> Ints:
    """The row of each piece; the first `full` ones fill theirs, the others stand from the longest to the shortest.

    Rows of one free space form a stack; a binary tree over the spaces finds the least one in use that is large enough.
    """
    leaves = 1
    while leaves < seq_len:
        leaves *= 2
    used = np.zeros(2 * leaves, np.bool_)
    top = np.full(seq_len, -1, np.int64)
    below = np.empty(len(length), np.int64)
    row = np.arange(len(length))
    rows = full
    for piece in range(full, len(length)):
        space = _least(used, leaves, length[piece])
        if space < 0:
            row[piece] = rows
            rows += 1
            space = seq_len
        else:
            row[piece] = top[space]
            top[space] = below[row[piece]]
            if top[space] < 0:
                _unmark(used, leaves + space)
        left = space - length[piece]
        if left:
            below[row[piece]] = top[left]
            top[left] = row[piece]
            _mark(used, leaves + left)
    return row


@njit(cache=True, nogil=True)
def _least(used: npt.NDArray[np.bool_], leaves: int, at_least: int) -> int:
    """The least space in use that is no less than `at_least`, or -1."""
    node = leaves + at_least
    if not used[node]:
        while node > 1 and (node & 1 or not used[node + 1]):
            node >>= 1
        if node == 1:
            return -1
        node += 1
    while node < leaves:
        node *= 2
        if not used[node]:
            node += 1
    return node - leaves


@njit(cache=True, nogil=True)
def _mark(used: npt.NDArray[np.bool_], node: int) -> None:
    while node and not used[node]:
        used[node] = True
        node >>= 1


@njit(cache=True, nogil=True)
def _unmark(used: npt.NDArray[np.bool_], node: int) -> None:
    used[node] = False
    node >>= 1
    while node and not used[2 * node] and not used[2 * node + 1]:
        used[node] = False
        node >>= 1


@njit(cache=True, nogil=True)
def _piece_keys(keys: Keys, document: Ints, offset: Ints) -> Keys:
    out = np.empty(len(document), np.uint64)
    for piece in range(len(document)):
        out[piece] = mixed(keys[document[piece]] + mixed(np.uint64(offset[piece])))
    return out


@njit(cache=True, nogil=True)
def mixed(value: np.uint64) -> np.uint64:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014): a bijection of 64 bits in which every bit counts."""
    value += np.uint64(0x9E3779B97F4A7C15)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return value ^ (value >> np.uint64(31))


@njit(cache=True, nogil=True)
def copy_keys(keys: Keys, epochs: Ints) -> Keys:
    """A hash per copy of a document, from the document's key and the epoch the copy belongs to."""
    out = np.empty(len(keys), np.uint64)
    for index in range(len(keys)):
        out[index] = mixed(keys[index] ^ mixed(np.uint64(epochs[index])))
    return out


@njit(cache=True, nogil=True)
def fill(rows: npt.NDArray[np.integer], packing: Packing, ids: npt.NDArray[np.uint32], starts: Ints) -> None:
    """Write the pieces of `packing` into `rows` (rows x seq_len, any unsigned type that holds the ids).

    What was given of document d starts at `ids[starts[d]]`; what a row doesn't fill is left as it is.
    """
    for row in range(len(rows)):
        at = 0
        for piece in range(packing.row_starts[row], packing.row_starts[row + 1]):
            first = starts[packing.document[piece]] + packing.offset[piece]
            for index in range(packing.length[piece]):
                rows[row, at + index] = ids[first + index]
            at += packing.length[piece]
