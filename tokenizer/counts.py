"""Pieces of text and how often each occurs: all that the training of a BPE needs to know of a corpus.

Counts add up: they are made part by part, and put together range by range of a hash of the piece. Memory follows from the
number of different pieces, not from the size of the corpus, and has a bound: `COUNTED_AT_ONCE` pieces while a part is counted,
`ROWS_AT_ONCE` while parts are put together, and what the caller of `put_together` gives for the result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.errors import StorageError
from pipeline.job import PartFile
from pipeline.kernels.arrow import Bytes, Ints, texts
from pipeline.kernels.counting import add_counts, count_pieces
from pipeline.kernels.strings import no_strings, roomier
from tokenizer.splits import Split, character_classes, scanned

#: Pieces of a part, in runs sorted by `key`, a hash of the piece; a piece that is in several runs is counted in each.
PIECES = pa.schema(
    [
        pa.field("key", pa.uint64(), nullable=False),
        pa.field("piece", pa.large_binary(), nullable=False),
        pa.field("count", pa.int64(), nullable=False),
    ]
)
#: Different pieces after which a run is written: 0.4 GB while it is sorted.
COUNTED_AT_ONCE = 1 << 21
#: Rows of all parts that are put together at once: 1 GB when all of them are different.
ROWS_AT_ONCE = 1 << 23


class Counted(NamedTuple):
    """Different pieces: piece i is data[bounds[i]:bounds[i + 1]], and occurs counts[i] times."""

    data: Bytes
    bounds: Ints
    counts: Ints

    def at_least(self, count: int) -> Counted:
        """The pieces that occur so often."""
        kept, lengths = self.counts >= count, np.diff(self.bounds)
        return Counted(self.data[np.repeat(kept, lengths)], _bounds(lengths[kept]), self.counts[kept])


class PieceCounter:
    """Counts pieces; equal ones are told by their bytes."""

    def __init__(self, split: Split = "gpt4", digits: int = 2) -> None:
        self._digits = scanned(split, digits)
        self._pieces = no_strings()
        self._counts = np.zeros(len(self._pieces.hashes), np.int64)

    def __len__(self) -> int:
        return int(self._pieces.size[0])

    def add_texts(self, data: Bytes, starts: Ints, ends: Ints) -> None:
        """Count the pieces of the texts data[starts[i]:ends[i]]."""
        place = np.zeros(2, np.int64)
        while lacking := count_pieces(data, starts, ends, character_classes(), self._digits, self._pieces, self._counts, place):
            self._grow(lacking)

    def add_rows(self, rows: pa.RecordBatch) -> None:
        """Add rows of PIECES."""
        column = rows.column("piece")
        _, offsets, data = column.buffers()
        bounds = np.frombuffer(offsets, np.int64)[column.offset : column.offset + len(column) + 1]
        content, place = np.frombuffer(data, np.uint8), np.zeros(1, np.int64)
        while lacking := add_counts(bounds, content, rows.column("count").to_numpy(), self._pieces, self._counts, place):
            self._grow(lacking)

    def _grow(self, lacking: int) -> None:
        self._pieces = roomier(self._pieces, lacking)
        counts = np.zeros(len(self._pieces.hashes), np.int64)
        counts[: len(self)] = self._counts[: len(self)]
        self._counts = counts

    def counted(self) -> Counted:
        """What was counted so far, in the order in which pieces were met."""
        size = len(self)
        bounds = self._pieces.bounds[: size + 1]
        return Counted(self._pieces.data[: bounds[-1]], bounds, self._counts[:size])

    def rows(self) -> pa.RecordBatch:
        """The same as PIECES, sorted by key."""
        data, bounds, counts = self.counted()
        pieces = pa.Array.from_buffers(pa.large_binary(), len(self), [None, pa.py_buffer(bounds), pa.py_buffer(data)])
        keys = self._pieces.hashes[: len(self)]
        order = np.argsort(keys, kind="stable")
        columns = [pa.array(keys[order]), pieces.take(pa.array(order)), pa.array(counts[order])]
        return pa.RecordBatch.from_arrays(columns, schema=PIECES)


def count(documents: Iterable[str], split: Split = "gpt4", digits: int = 2) -> Counted:
    """Count the pieces of texts in memory."""
    counter = PieceCounter(split, digits)
    for document in documents:
        views = texts(pa.array([document], pa.large_string()))
        counter.add_texts(views.data, views.offsets[:-1].copy(), views.offsets[1:].copy())
    return counter.counted()


def put_together(files: Sequence[PartFile], at_most: int) -> tuple[Counted, int]:
    """The counts of all parts, and the least count that a piece was kept for.

    Where there are more than `at_most` different pieces the rarest go, all of a count or none, so that `at_most` are left or fewer.
    Which these are depends on the counts alone.
    """
    kept, least = [Counted(np.zeros(0, np.uint8), np.zeros(1, np.int64), np.zeros(0, np.int64))], 1
    for first, last in _ranges(sum(file.entry.rows for file in files)):
        counter = PieceCounter()
        for file in files:
            for rows in _rows(file, first, last):
                counter.add_rows(rows)
        kept.append(counter.counted().at_least(least))
        needed = _least(np.concatenate([found.counts for found in kept]), at_most)
        if needed > least:
            kept, least = [found.at_least(needed) for found in kept], needed
    return _joined(kept), least


def _ranges(rows: int) -> Iterator[tuple[int, int]]:
    """All keys, divided so that each range has about ROWS_AT_ONCE rows."""
    number = -(-rows // ROWS_AT_ONCE) or 1
    edges = [(i << 64) // number for i in range(number + 1)]
    return ((first, last - 1) for first, last in pairwise(edges))


def _rows(file: PartFile, first: int, last: int) -> Iterator[pa.RecordBatch]:
    """The rows of a "pieces" file with first <= key <= last; StorageError names a damaged file."""
    with file.folder.open(file.entry.name) as opened:
        try:
            parquet = pq.ParquetFile(opened)
            for group in range(parquet.num_row_groups):
                bounds = parquet.metadata.row_group(group).column(0).statistics
                if bounds.min <= last and bounds.max >= first:
                    found = parquet.read_row_group(group).combine_chunks().to_batches()
                    yield from (_between(rows, first, last) for rows in found)
        except (pa.ArrowInvalid, OSError) as error:
            raise StorageError(f"{file.folder.path(file.entry.name)} is damaged ({error}): remove it and run again") from error


def _between(rows: pa.RecordBatch, first: int, last: int) -> pa.RecordBatch:
    keys = rows.column("key").to_numpy()
    return rows.filter(pa.array((keys >= np.uint64(first)) & (keys <= np.uint64(last))))


def _least(counts: npt.NDArray[np.int64], at_most: int) -> int:
    """The least count that is had by no more than `at_most` pieces together with all greater ones."""
    if len(counts) <= at_most:
        return 1
    return int(np.partition(counts, len(counts) - at_most - 1)[len(counts) - at_most - 1]) + 1


def _joined(found: Sequence[Counted]) -> Counted:
    lengths = np.concatenate([np.diff(one.bounds) for one in found])
    return Counted(np.concatenate([one.data for one in found]), _bounds(lengths), np.concatenate([one.counts for one in found]))


def _bounds(lengths: npt.NDArray[np.int64]) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)])
