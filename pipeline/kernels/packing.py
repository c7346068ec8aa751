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

from pipeline.kernels.compiled import kernel
from pipeline.kernels.hashing import Hashes, mix

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Tokens = npt.NDArray[np.unsignedinteger]


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


def pack(lengths: Ints, keys: Hashes, groups: Ints, seq_len: int, window: int) -> Packing:
    """Pack documents of the given lengths (tokens) into rows of `seq_len`, in windows of about `window` documents.

    `keys` are hashes of the documents, `groups` numbers of their sources. The order of rows is drawn by hashes of their
    pieces, evenly: rows in which one source prevails are spread over the window as far apart as their number allows. So
    the order shows neither lengths nor neighbours, and every run of rows holds the sources in their proportions.
    Windows keep the order of the documents, are of equal size, and are packed on their own. A document of no tokens has
    no piece.
    """
    windows = max(1, -(-len(lengths) // window))
    edges = [len(lengths) * number // windows for number in range(windows + 1)]
    parts = [_pack_window(lengths[a:b], keys[a:b], groups[a:b], seq_len, a) for a, b in pairwise(edges)]
    bases = np.cumsum([0, *(part.pieces for part in parts)])
    starts = [part.row_starts[:-1] + base for part, base in zip(parts, bases, strict=False)]
    columns = zip(*(part[1:] for part in parts), strict=True)
    return Packing(np.concatenate([*starts, bases[-1:]]), *(np.concatenate(column) for column in columns))


def _pack_window(lengths: Ints, keys: Hashes, groups: Ints, seq_len: int, first: int) -> Packing:
    document, offset, length, row = best_fit(lengths, seq_len)
    drawn = _mixed(keys[document] + _mixed(offset.astype(np.uint64)))
    place = _row_places(row, length, drawn, groups[document])
    order = np.lexsort((drawn, place[row]))
    row_starts = np.cumsum(np.bincount(place[row] + 1, minlength=1))
    return Packing(row_starts, document[order] + first, offset[order], length[order])


def _row_places(row: Ints, length: Ints, keys: Hashes, groups: Ints) -> Ints:
    """The place of each row. Row r of the n in which a group prevails, by their least keys, is drawn from [r / n, (r + 1) / n)."""
    rows, kinds = int(row.max(initial=-1)) + 1, int(groups.max(initial=0)) + 1
    least = np.full(rows, np.iinfo(np.uint64).max)
    np.minimum.at(least, row, keys)
    prevailing = np.bincount(row * kinds + groups, length, rows * kinds).reshape(rows, kinds).argmax(axis=1)
    counts = np.bincount(prevailing, minlength=kinds)
    by_group = np.lexsort((least, prevailing))
    rank = np.empty(rows, np.int64)
    rank[by_group] = np.arange(rows) - np.repeat(np.cumsum(counts) - counts, counts)
    drawn = (rank + _mixed(least) / 2.0**64) / counts[prevailing]
    place = np.empty(rows, np.int64)
    place[np.lexsort((least, drawn))] = np.arange(rows)
    return place


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
    return document, offset, length, _placed(length, len(in_full_rows), seq_len)


def _placed(length: Ints, full: int, seq_len: int) -> Ints:
    """The row of each piece; the first `full` ones fill theirs, the others stand from the longest to the shortest."""
    row = np.arange(len(length))
    used = np.zeros(2 << (seq_len - 1).bit_length(), np.bool_)
    _place(row, length, full, seq_len, used, np.full(seq_len, -1), np.empty(len(length), np.int64))
    return row


@kernel
def _place(row: Ints, length: Ints, full: int, seq_len: int, used: Flags, top: Ints, below: Ints) -> None:
    """Rows of one free space form a stack: `top` per space, `below` per row. `used` is a binary tree over the spaces, whose
    leaves are the second half: it finds the least one in use that is large enough."""
    leaves = len(used) // 2
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


@kernel
def _least(used: Flags, leaves: int, at_least: int) -> int:
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


@kernel
def _mark(used: Flags, node: int) -> None:
    while node and not used[node]:
        used[node] = True
        node >>= 1


@kernel
def _unmark(used: Flags, node: int) -> None:
    used[node] = False
    node >>= 1
    while node and not used[2 * node] and not used[2 * node + 1]:
        used[node] = False
        node >>= 1


def copy_keys(keys: Hashes, epochs: Ints) -> Hashes:
    """A hash per copy of a document, from the document's key and the epoch that the copy belongs to."""
    return _mixed(keys ^ _mixed(epochs.astype(np.uint64)))


def _mixed(keys: Hashes) -> Hashes:
    out = np.empty(len(keys), np.uint64)
    _mix_all(out, np.ascontiguousarray(keys))
    return out


@kernel
def _mix_all(out: Hashes, keys: Hashes) -> None:
    for index in range(len(keys)):
        out[index] = mix(keys[index])


def fill(rows: Tokens, packing: Packing, ids: npt.NDArray[np.uint32], starts: Ints) -> None:
    """Write the pieces of `packing` into `rows` (rows x seq_len, uint16 or uint32, whichever holds the ids).

    What was given of document d starts at `ids[starts[d]]`; what a row doesn't fill is left as it is.
    """
    _copy(rows, packing.row_starts, starts[packing.document] + packing.offset, packing.length, ids)


@kernel
def _copy(rows: Tokens, row_starts: Ints, first: Ints, length: Ints, ids: npt.NDArray[np.uint32]) -> None:
    for row in range(len(rows)):
        at = 0
        for piece in range(row_starts[row], row_starts[row + 1]):
            for index in range(length[piece]):
                rows[row, at + index] = ids[first[piece] + index]
            at += length[piece]
