"""gather: the suspects of a part with their texts, laid out so that a task of `verify` finds whole components."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from pipeline.dedupe.duplicates import COMPONENTS, TEXTS, Numbering
from pipeline.dedupe.keyed import Spans, read_range, write_sorted
from pipeline.dedupe.lots import places
from pipeline.dedupe.preference import originals, preferred_first
from pipeline.job import Job, PartFile
from pipeline.registry import stage
from pipeline.report import Report


@stage("gather", version=2, each="filter")
def gather(job: Job) -> Report:
    """Write {part}.texts: the documents of a part that hang together with others, sorted by component.

    Of documents with the same words only the most preferred carries its text: the others need no second look.
    Memory: the texts of one part that are written.
    """
    members = _members(job)
    rows = members.column("document").to_numpy() - Numbering.of(job.inputs).starts[job.task.name]
    facts = job.own_part("signatures", "signatures").table().take(pa.array(rows))
    order = preferred_first(facts)
    carries = np.empty(len(rows), np.bool_)
    carries[order] = originals(facts.column("text_hash").take(pa.array(order))) == np.arange(len(order))
    columns = {
        "place": places(members.column("component").to_numpy(), facts.column("least").to_numpy(), facts.column("id").combine_chunks()),
        "document": members.column("document"),
        **{name: facts.column(name) for name in ("id", "text_hash", "characters", "date")},
        "part": pa.repeat(pa.scalar(job.task.name), len(rows)),
        "keys": _keys(job.own_part("signatures", "bands"), rows),
        "text": _texts(job.own_part("filter", "docs"), rows, carries),
    }
    write_sorted(job, "texts", pa.table(columns, schema=TEXTS))
    return Report()


def _members(job: Job) -> pa.Table:
    """The part's documents that are in a component, ascending."""
    numbering = Numbering.of(job.inputs)
    first, last = numbering.span(job.task.name)
    files = job.inputs.files("components", "components")
    return read_range(files[Spans(numbering.total, len(files)).touched(first, last)], COMPONENTS, first, last)


def _keys(bands: PartFile, rows: np.ndarray) -> pa.ListArray:
    """The band keys of some rows of a part; every row has the same number of them."""
    table = bands.table()
    order = np.argsort(table.column("row").to_numpy(), kind="stable")
    width = int(np.count_nonzero(table.column("row").to_numpy() == 0))
    keys = table.column("key").to_numpy()[order].reshape(-1, max(width, 1))[rows]
    return pa.ListArray.from_arrays(pa.array(np.arange(len(rows) + 1, dtype=np.int32) * width), pa.array(keys.ravel()))


def _texts(docs: PartFile, rows: np.ndarray, carries: np.ndarray) -> pa.ChunkedArray:
    """The texts of some rows of a part (ascending), null where they are not to be carried."""
    chunks = []
    start = 0
    for batch in docs.batches(["text"]):
        first, last = np.searchsorted(rows, [start, start + batch.num_rows])
        chunks.append(batch.column("text").take(pa.array(rows[first:last] - start, mask=~carries[first:last])))
        start += batch.num_rows
    return pa.chunked_array(chunks, pa.large_string())
