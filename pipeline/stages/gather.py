"""gather: the suspects of a part with their texts, laid out so that a task of `verify` finds whole components."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.contracts import Task
from pipeline.dedupe.compared import Of, columns, compared
from pipeline.dedupe.duplicates import COMPONENTS, TEXTS, Numbering, counts_url, keys_by_row
from pipeline.dedupe.indexes import index_files, origin
from pipeline.dedupe.keyed import SortedFiles, Spans, read_range, write_sorted
from pipeline.dedupe.lots import places
from pipeline.dedupe.preference import originals, preferred_first
from pipeline.dedupe.scores import scores
from pipeline.job import Inputs, Job, PartFile
from pipeline.registry import Paths, stage
from pipeline.report import Report


def _parts(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """One task for each part, of this run or of an index."""
    indexed = index_files(args["against"], "documents")
    tasks = [Task(f"index-{file.place}-{file.entry.part}", {"indexed": n}) for n, file in enumerate(indexed)]
    return [*(Task(file.part) for file in inputs.files("filter", "docs")), *tasks]


@stage("gather", version=4, tasks=_parts)
def gather(job: Job, *, same_url: bool | Sequence[str] = False, prefer: str | None = None, against: Paths = (), of: Of = "text") -> Report:
    """Write {task}.texts: the documents of a part that hang together with others, sorted by component.

    `same_url`, `prefer` and `against` are those of `dedupe`, indexes given by their manifests, `of` that of `signatures`. Of documents with
    the same words only the most preferred carries its text: the others need no second look. Those of an index carry shingles.
    Memory: the texts or shingles of one part that are written.
    """
    numbering = Numbering.of(job.inputs, against)
    file = index_files(against, "documents")[job.task.payload["indexed"]] if job.task.payload else None
    part = file.part if file else job.task.name
    members = _members(job, numbering, part)
    rows = members.column("document").to_numpy() - numbering.starts[part]
    found = _indexed(file, rows) if file else _own(job, rows, prefer, of)
    url_hashes = found["url_hash"] if counts_url(same_url, origin(part)[1]) else pa.nulls(len(rows), pa.binary(16))
    place = places(members.column("component").to_numpy(), found["least"].to_numpy(), found["id"].combine_chunks())
    found |= {"place": place, "document": members.column("document"), "url_hash": url_hashes}
    found["part"] = pa.repeat(pa.scalar(part), len(rows))
    write_sorted(job, "texts", pa.table({name: found[name] for name in TEXTS.names}, schema=TEXTS))
    return Report()


def _members(job: Job, numbering: Numbering, part: str) -> pa.Table:
    """The part's documents that are in a component, ascending."""
    first, last = numbering.span(part)
    files = job.inputs.files("components", "components")
    return read_range(files[Spans(numbering.total, len(files)).touched(first, last)], COMPONENTS, first, last)


def _indexed(file: PartFile, rows: np.ndarray) -> dict[str, Any]:
    """Columns of some rows of an index's part: all different texts, each with its shingles."""
    with SortedFiles([file]) as files:
        found = pa.concat_tables([file.schema().empty_table(), *files.pick(rows)])
    added = {"tokens": np.zeros(len(rows), np.int64), "text": pa.nulls(len(rows), pa.large_string())}  # what stays isn't weighed
    return {**{name: found.column(name) for name in found.schema.names}, **added}


def _own(job: Job, rows: np.ndarray, prefer: str | None, of: Of) -> dict[str, Any]:
    """Columns of some rows of this run's part."""
    facts = job.own_part("signatures", "signatures").table().take(pa.array(rows))
    facts = facts.append_column("score", scores(job, prefer).take(pa.array(rows)))
    order = preferred_first(facts)
    carries = np.empty(len(rows), np.bool_)
    carries[order] = originals(facts.column("text_hash").take(pa.array(order))) == np.arange(len(order))
    return {
        **{name: facts.column(name) for name in facts.schema.names},
        "keys": keys_by_row(job.own_part("signatures", "bands").table()).take(pa.array(rows)),
        "text": _texts(job.own_part("filter", "docs"), rows, carries, of),
        "shingles": pa.nulls(len(rows), pa.large_list(pa.uint64())),
    }


def _texts(docs: PartFile, rows: np.ndarray, carries: np.ndarray, of: Of) -> pa.ChunkedArray:
    """What is compared of some rows of a part (ascending), null where they are not to be carried."""
    chunks = []
    start = 0
    for batch in docs.batches(columns(of)):
        first, last = np.searchsorted(rows, [start, start + batch.num_rows])
        chunks.append(compared(batch, of).take(pa.array(rows[first:last] - start, mask=~carries[first:last])))
        start += batch.num_rows
    return pa.chunked_array(chunks, pa.large_string())
