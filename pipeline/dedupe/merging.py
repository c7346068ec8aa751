"""Many sorted files made few, so that tasks needn't open them all.

F files that T tasks read are F x T opens. When these are more than MOST_OPENS, a round before merges runs of about sqrt(F)
files into one each, and there are F + T x sqrt(F).
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isqrt

import pyarrow as pa

from pipeline.contracts import Task
from pipeline.dedupe.keyed import Shape, SortedFiles, sorted_file
from pipeline.job import Job, PartFile

#: Opens beyond which files are merged first.
MOST_OPENS = 1 << 14
#: Files that a task merges at once: each takes about a megabyte.
MOST_MERGED = 512
#: Bytes of rows, before compression, that a merging task sorts at a time.
MERGED_BYTES = 64 << 20


def too_many(files: Sequence[PartFile], tasks: int) -> bool:
    """Whether these are too many files for each of some tasks to open."""
    return len(files) * tasks > MOST_OPENS


def merges(stage: str, files: Sequence[PartFile], tasks: int) -> list[Task]:
    """The tasks that merge `files`, when `tasks` tasks that open all of them are too many opens; else none."""
    if not too_many(files, tasks) or len(files) < 4:
        return []
    run = min(MOST_MERGED, isqrt(len(files) - 1) + 1)
    starts = range(0, len(files), run)
    return [Task(f"{stage}-merge-{n:05d}", {"merge": [start, min(start + run, len(files))]}) for n, start in enumerate(starts)]


def merge(job: Job, files: Sequence[PartFile], kind: str, schema: pa.Schema, shape: Shape | None = None) -> None:
    """Write the task's run of `files` as one file of a kind; rows of one number stay in the order of the files."""
    start, stop = job.task.payload["merge"]
    with SortedFiles(files[start:stop], shape) as run, sorted_file(job, kind, schema) as sink:
        for portion in run.portions(*run.bounds(), max(1, MERGED_BYTES // run.row_bytes)):
            sink.write(portion)
