"""Files sorted by a number, read by ranges of it: how rows go from parts to ranges of keys, and back.

The number is the first column. Row groups hold GROUP_BYTES or so and the footer tells the least and greatest number of each,
so a range costs little more than its rows. Keys that are spread evenly over 64 bits make tasks of equal size; how many
tasks there are follows from the data, never from the machines. However many rows a range has, they can be read in
portions of a stated size. Each page has a checksum, which is asked as it is read: an index lies around for longer than a run.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from types import TracebackType
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contracts import Task
from pipeline.errors import StorageError
from pipeline.job import Job, PartFile

#: Bytes of rows, before compression, after which a row group ends.
GROUP_BYTES = 1 << 20
#: The greatest key.
LAST_KEY = (1 << 64) - 1

#: What a file's rows are turned into as they are read.
Shape = Callable[[PartFile, pa.Table], pa.Table]


def key_ranges(stage: str, amount: int, per_task: int, whole_bits: int = 0) -> list[Task]:
    """Tasks that divide all 64-bit keys evenly, as many as `amount` needs at `per_task` each; at least one.

    The payload of a task is the first and the last key that are its own. Keys that differ in the last `whole_bits` bits
    alone stay together.
    """
    count = max(1, -(-amount // per_task))
    spread = (LAST_KEY + 1) >> whole_bits
    edges = [spread * number // count << whole_bits for number in range(count + 1)]
    return [Task(f"{stage}-{n:05d}", {"first": edges[n], "last": edges[n + 1] - 1}) for n in range(count)]


@dataclass(frozen=True)
class Spans:
    """The numbers from 0 to `total` - 1 in `count` spans of equal length, each a task that writes one file."""

    total: int
    count: int

    @cached_property
    def _edges(self) -> list[int]:
        return [self.total * number // self.count for number in range(self.count + 1)]

    def tasks(self, stage: str) -> list[Task]:
        """The payload of a task is the first and the last number of its span; the last is smaller when it is empty."""
        return [Task(f"{stage}-{n:05d}", {"first": self._edges[n], "last": self._edges[n + 1] - 1}) for n in range(self.count)]

    def touched(self, first: int, last: int) -> slice:
        """Which spans, in order, hold the numbers from first to last."""
        if last < first:
            return slice(0, 0)
        return slice(bisect_right(self._edges, first) - 1, bisect_right(self._edges, last))


def write_sorted(job: Job, kind: str, table: pa.Table, number: int | None = None) -> None:
    """Write a table as the task's file of a kind (of several its `number`), sorted by its first column, ties in the order given."""
    with sorted_file(job, kind, table.schema, number) as sink:
        sink.write(table)


@contextmanager
def sorted_file(
    job: Job, kind: str, schema: pa.Schema, number: int | None = None, encodings: Mapping[str, str] | None = None
) -> Iterator[SortedSink]:
    """The task's file of a kind, to be written table by table, the numbers of each above those of the one before.

    `encodings` of columns take the place of a dictionary.
    """
    name = job.name(kind) if number is None else f"{job.task.name}-{number:05d}.{kind}.parquet"
    with job.folder.create(name) as file:
        settings = {"compression": "zstd", "compression_level": 1, "write_page_checksum": True, **_encoded(encodings)}
        with pq.ParquetWriter(file, schema, **settings) as writer:
            sink = SortedSink(writer)
            yield sink
        job.written.append(file.entry(name, sink.rows))


def _encoded(encodings: Mapping[str, str] | None) -> dict[str, Any]:
    return {"use_dictionary": False, "column_encoding": dict(encodings)} if encodings else {}


class SortedSink:
    """Sorts tables by their first column, each on its own, and writes them in small row groups."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self._writer = writer
        self.rows = 0

    def write(self, table: pa.Table) -> None:
        table = table.combine_chunks()
        order = np.argsort(table.column(0).to_numpy(), kind="stable")
        step = _group_rows(table)
        for start in range(0, len(order), step):
            self._writer.write_table(table.take(pa.array(order[start : start + step])), row_group_size=step)
        self.rows += len(order)


def _group_rows(table: pa.Table) -> int:
    """Rows of a row group: about GROUP_BYTES, and no fewer than 16."""
    return max(16, GROUP_BYTES * table.num_rows // max(table.nbytes, 1)) if table.num_rows else 16


def read_range(files: Sequence[PartFile], schema: pa.Schema, first: int, last: int) -> pa.Table:
    """The rows of some files with first <= number <= last, file after file."""
    with SortedFiles(files) as opened:
        return opened.read(first, last) if files else schema.empty_table()


class SortedFiles:
    """Sorted files read as one, each opened once; use it as a context. StorageError names a damaged file.

    Memory: the footers (about a hundred bytes for each column of a row group), and what is read.
    """

    def __init__(self, files: Sequence[PartFile], shape: Shape | None = None) -> None:
        self._given = files
        self._shape = shape
        self._files: list[_Sorted] = []

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            for file in self._given:
                self._files.append(stack.enter_context(_opened(file)))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stack.close()

    @property
    def rows(self) -> int:
        rows: int = sum(file.rows for file in self._files)
        return rows

    @property
    def row_bytes(self) -> int:
        """Bytes of a row before compression, on the average; at least one."""
        every: int = sum(file.bytes for file in self._files)
        return max(1, every // max(self.rows, 1))

    def bounds(self) -> tuple[int, int]:
        """The least and the greatest number; (0, -1) when there are no rows."""
        filled = [file for file in self._files if file.rows]
        return min((int(file.least[0]) for file in filled), default=0), max((int(file.greatest[-1]) for file in filled), default=-1)

    def count(self, first: int, last: int) -> int:
        """How many rows a range has, exactly."""
        return sum(stop - start for start, stop in (file.between(first, last) for file in self._files))

    def read(self, first: int, last: int, columns: list[str] | None = None) -> pa.Table:
        """The rows of a range, file after file; there must be a file."""
        return pa.concat_tables([self._shaped(file, file.take(*file.between(first, last), columns)) for file in self._files])

    def pieces(self, first: int, last: int, most: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """The rows of a range, file after file, at most so many at a time."""
        for file in self._files:
            start, stop = file.between(first, last)
            for place in range(start, stop, most):
                yield self._shaped(file, file.take(place, min(place + most, stop), columns))

    def portions(self, first: int, last: int, most: int) -> Iterator[pa.Table]:
        """The rows of a range, a smaller range at a time: so many at most, numbers ascending from portion to portion.

        The rows of one number come in several portions only when they alone are more.
        """
        for low, high in self.ranges(first, last, most):
            if self.count(low, high) <= most:
                yield self.read(low, high)
            else:
                yield from self.pieces(low, high, most)

    def ranges(self, first: int, last: int, most: int) -> Iterator[tuple[int, int]]:
        """A range in smaller ones that have rows, ascending: so many at most, or those of one number."""
        count = self.count(first, last)
        if count and (count <= most or first == last):
            yield first, last
        elif count:
            middle = (first + last + 1) // 2
            yield from self.ranges(first, middle - 1, most)
            yield from self.ranges(middle, last, most)

    def pick(self, numbers: np.ndarray) -> Iterator[pa.Table]:
        """The rows of some numbers, of which no file has one twice; only the row groups that have any are read, one at a time."""
        for file in self._files:
            for found in file.touched(numbers):
                yield self._shaped(file, found.filter(np.isin(found.column(0).to_numpy(), numbers)))

    def _shaped(self, file: _Sorted, table: pa.Table) -> pa.Table:
        return self._shape(file.file, table) if self._shape else table


class _Sorted:
    """One open file: `least`, `greatest` number of each row group, and `starts`: the rows before each, then all."""

    def __init__(self, file: PartFile, parquet: pq.ParquetFile) -> None:
        self.file = file
        self._parquet = parquet
        groups = [parquet.metadata.row_group(group) for group in range(parquet.num_row_groups)]
        numbers = [group.column(0).statistics for group in groups]
        kind = parquet.schema_arrow.field(0).type.to_pandas_dtype()
        self.least = np.array([found.min for found in numbers], kind)
        self.greatest = np.array([found.max for found in numbers], kind)
        self.starts = np.cumsum([0, *(group.num_rows for group in groups)])
        self.bytes = sum(group.total_byte_size for group in groups)
        self.rows = int(self.starts[-1])
        self._numbers = lru_cache(maxsize=2)(self._read_numbers)

    def between(self, first: int, last: int) -> tuple[int, int]:
        """The places of the rows with first <= number <= last: from, and up to but without."""
        if last < first:
            return 0, 0
        start = self._place(first, "left")
        return start, max(start, self._place(last, "right"))

    def _place(self, number: int, side: str) -> int:
        """How many rows have a smaller number (left), or none greater (right)."""
        wanted = self.least.dtype.type(number)
        group = int(np.searchsorted(self.greatest, wanted, side))  # type: ignore[call-overload]
        if group == len(self.greatest) or wanted < self.least[group]:
            return int(self.starts[group])
        return int(self.starts[group]) + int(np.searchsorted(self._numbers(group), wanted, side))  # type: ignore[call-overload]

    def _read_numbers(self, group: int) -> np.ndarray:
        with _naming(self.file):
            found = self._parquet.read_row_group(group, columns=self._parquet.schema_arrow.names[:1], use_threads=False)
        numbers: np.ndarray = found.column(0).to_numpy()
        return numbers

    def touched(self, numbers: np.ndarray) -> Iterator[pa.Table]:
        """The row groups that may have one of some numbers, each of which is in one of them at most."""
        groups = np.unique(np.searchsorted(self.greatest, numbers))
        for group in groups[groups < len(self.greatest)].tolist():
            yield self.take(int(self.starts[group]), int(self.starts[group + 1]), None)

    def take(self, start: int, stop: int, columns: list[str] | None) -> pa.Table:
        """The rows from place `start` to `stop`."""
        first = int(np.searchsorted(self.starts, start, "right")) - 1
        after = int(np.searchsorted(self.starts, stop, "left"))
        groups = range(first, after) if start < stop else range(0)
        with _naming(self.file):
            found = self._parquet.read_row_groups(list(groups), columns=columns, use_threads=False)
        if not groups or len(found) == stop - start:
            return found
        rows = np.arange(start, stop) - int(self.starts[first])
        return found.take(pa.array(rows))  # a slice would hold on to the row groups that it is cut from


@contextmanager
def _opened(file: PartFile) -> Iterator[_Sorted]:
    with file.folder.open(file.entry.name) as opened:
        with _naming(file):
            found = _Sorted(file, pq.ParquetFile(opened, page_checksum_verification=True))
        yield found


@contextmanager
def _naming(file: PartFile) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        raise StorageError(f"{file.folder.path(file.entry.name)} is damaged ({error}): remove it and run again what wrote it") from error
