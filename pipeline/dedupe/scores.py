"""The scores by which a recipe prefers documents: a signal that a filter of it has measured."""

from __future__ import annotations

import pyarrow as pa

from pipeline.errors import StorageError
from pipeline.job import Job, PartFile
from pipeline.schema import DOC


def scores(job: Job, signal: str | None) -> pa.ChunkedArray:
    """float64[rows]: the signal ("fineweb_edu.score") of each row of the task's part; null where its source does not measure it.

    Raises StorageError when no source does, or when it isn't a number.
    """
    docs = job.own_part("filter", "docs")
    if signal is None or signal not in docs.schema().names:
        if signal is not None:
            _expect(signal, job.inputs.files("filter", "docs"))
        return pa.chunked_array([pa.nulls(docs.entry.rows, pa.float64())])
    try:
        return docs.table([signal]).column(signal).cast(pa.float64())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise StorageError(f"dedupe prefers {signal}, which is not a number ({error})") from error


def _expect(signal: str, docs: list[PartFile]) -> None:
    """Raise StorageError unless the filters of some source measure the signal."""
    first = {file.source: file for file in reversed(docs)}
    measured = {name for file in first.values() for name in file.schema().names if name not in DOC.names}
    if signal not in measured:
        raise StorageError(f"dedupe prefers {signal}, and no filter measures it; there are {', '.join(sorted(measured)) or 'no signals'}")
