"""Files sorted by a number, of which a task reads a range: how rows go from parts to ranges of keys, and back.

The number is the first column. Row groups hold GROUP_BYTES or so and the footer tells the least and greatest number of each,
so a range costs little more than its rows. Keys that are spread evenly over 64 bits make tasks of equal size; how many
tasks there are follows from the data, never from the machines.
"""

from __future__ import annotations

from collections.abc import Iterator

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


def key_ranges(stage: str, amount: int, per_task: int) -> list[Task]:
    """Tasks that divide all 64-bit keys evenly, as many as `amount` needs at `per_task` each; at least one.

    The payload of a task is the first and the last key that are its own.
    """
    count = max(1, -(-amount // per_task))
    edges = [(LAST_KEY + 1) * number // count for number in range(count + 1)]
    return [Task(f"{stage}-{n:05d}", {"first": edges[n], "last": edges[n + 1] - 1}) for n in range(count)]


def write_sorted(job: Job, kind: str, table: pa.Table) -> None:
    """Write a table as the task's file of a kind, sorted by its first column, ties in the order given."""
    table = table.combine_chunks()
    order = np.argsort(table.column(0).to_numpy(), kind="stable")
    step = _group_rows(table)
    name = job.name(kind)
    with job.folder.create(name) as file:
        with pq.ParquetWriter(file, table.schema, compression="zstd", compression_level=1) as writer:
            for start in range(0, len(order), step):
                taken = table.take(pa.array(order[start : start + step]))
                writer.write_table(taken, row_group_size=step)
        job.written.append(file.entry(name, table.num_rows))


def _group_rows(table: pa.Table) -> int:
    """Rows of a row group: about GROUP_BYTES, and no fewer than 16."""
    return max(16, GROUP_BYTES * table.num_rows // max(table.nbytes, 1)) if table.num_rows else 16


def read_range(file: PartFile, first: int, last: int) -> pa.Table:
    """The rows with first <= number <= last, in the file's order; StorageError names a damaged file."""
    with file.folder.open(file.entry.name) as opened:
        try:
            parquet = pq.ParquetFile(opened)
            groups = list(_groups(parquet.metadata, first, last))
            found = parquet.read_row_groups(groups)
        except (pa.ArrowInvalid, OSError) as error:
            raise StorageError(f"{file.folder.path(file.entry.name)} is damaged ({error}): remove it and run again") from error
    numbers = found.column(0).to_numpy()
    start = int(np.searchsorted(numbers, numbers.dtype.type(first), side="left"))
    return found.slice(start, int(np.searchsorted(numbers, numbers.dtype.type(last), side="right")) - start)


def _groups(metadata: pq.FileMetaData, first: int, last: int) -> Iterator[int]:
    for group in range(metadata.num_row_groups):
        bounds = metadata.row_group(group).column(0).statistics
        if bounds.min <= last and bounds.max >= first:
            yield group
