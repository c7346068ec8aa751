"""dedupe: the decisions on duplicates, row by row of every part, once no source would lose more than its guard allows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import isqrt
from typing import Annotated, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.contracts import Bound, Task
from pipeline.dedupe import guard
from pipeline.dedupe.clusters import merge as merge_clusters
from pipeline.dedupe.duplicates import CLUSTERS, NEAR, REMOVALS, Numbering
from pipeline.dedupe.keyed import Spans, read_range, write_sorted
from pipeline.dedupe.merging import merge, merges, too_many
from pipeline.errors import StorageError
from pipeline.job import ROUND, Inputs, Job, PartFile
from pipeline.registry import NotIdentity, Paths, stage
from pipeline.report import Report
from pipeline.schema import DECISION, decided_by

#: The task that writes the clusters; every other one writes the decisions of the part it is named after.
CLUSTERS_TASK = "dedupe"
#: What the payload of a round's task has and no other.
ROUND_WORK = {"merge", "first"}


def _removal_files(inputs: Inputs) -> list[PartFile]:
    return inputs.files(ROUND if ROUND in inputs.roles else "verify", "removals")


def _rounds(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """Where parts and removals are many, removals are merged first, then sorted into spans of documents; the guard comes before."""
    parts = inputs.files("signatures", "signatures")
    files = _removal_files(inputs)
    if _sorted_out(inputs) or not too_many(files, len(parts)):
        return []
    _guarded(inputs, args)
    spans = Spans(Numbering.of(inputs).total, isqrt(len(parts) - 1) + 1).tasks("span")
    return ([] if ROUND in inputs.roles else merges("dedupe", files, len(spans))) or spans


def _sorted_out(inputs: Inputs) -> bool:
    """Whether the removals that are to be read are one file for each of some spans of documents."""
    return ROUND in inputs.roles and inputs.roles[ROUND][0].results[0].task.startswith("span-")


def _guarded(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """A task for each part and one for the clusters; GuardTripped before any of them has started."""
    if not inputs.roles.get("verify"):
        raise StorageError("dedupe reads the role 'verify', and the plan gives it none: it would remove nothing")
    if not args["override_guard"]:
        guard.check(inputs, args["max_removed"])
    return [*(Task(file.part) for file in inputs.files("signatures", "signatures")), Task(CLUSTERS_TASK)]


@stage("dedupe", version=4, tasks=_guarded, rounds=_rounds)
def dedupe(
    job: Job,
    *,
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8,
    priority: Sequence[str] = (),  # noqa: ARG001 - read by the stages before, which are given it by the plan, as are the next three
    prefer: str | None = None,  # noqa: ARG001
    same_url: bool | Sequence[str] = False,  # noqa: ARG001
    against: Paths = (),  # noqa: ARG001
    max_removed: Annotated[guard.Shares, NotIdentity] = guard.MAX_REMOVED,  # noqa: ARG001 - read by _guarded, as is the next
    override_guard: Annotated[bool, NotIdentity] = False,  # noqa: ARG001
) -> Report:
    """Keep one of each set of like documents; remove the others, each for a kept one at least `threshold` like it.

    Likeness is the Jaccard index of the shingles of words (`signatures.shingle_words`), counted, not estimated. Who is
    kept: the source that stands first in `priority` (those it leaves out stand together, last), then the highest score
    (`prefer` names a signal of the filters, "fineweb_edu.score"), then the newest date, the longest text, the smallest id.
    With `same_url`, true or the names of sources, one document of each URL is kept, whatever its words (see `kernels.urls`
    for what a URL has to have in common); off by default, as it removes texts that are like no other. `against`: indexes
    of earlier runs, or the folders of these runs; their documents stay. The run stops with GuardTripped when a source would
    lose more than `max_removed` of its documents, of its characters or of its tokens, estimated from the bytes of its texts (one
    share, or shares by source; .5 for a source not named), unless `override_guard`. Writes {part}.decisions
    of every part, with the threshold in the metadata of `value`, and dedupe.clusters: the largest clusters.
    """
    if ROUND_WORK & job.task.payload.keys():
        return _sort_removals(job)
    if job.task.name == CLUSTERS_TASK:
        return _write_clusters(job)
    removals = _removals(job, threshold)
    report = Report()
    start = Numbering.of(job.inputs).starts[job.task.name]
    with job.parquet("decisions", decided_by(Bound(NEAR, "value", "<", threshold))) as sink:
        for batch in job.own_part("signatures", "signatures").batches(["id"]):
            decided = _decide(batch.column("id"), start, removals)
            sink.write(decided)
            _count(report, job.source, decided)
            start += batch.num_rows
    return report


def _removals(job: Job, threshold: float) -> pa.Table:
    """What `verify` removes of this part, by document."""
    numbering = Numbering.of(job.inputs)
    first, last = numbering.span(job.task.name)
    files = _removal_files(job.inputs)
    if _sorted_out(job.inputs):
        files = files[Spans(numbering.total, len(files)).touched(first, last)]
    table = read_range(files, REMOVALS, first, last).sort_by("document").combine_chunks()
    least = pc.min(table.column("jaccard")).as_py()
    if least is not None and least < threshold:
        raise StorageError(f"{job.task.name}: removals were verified at a threshold below {threshold}: run the stage `verify` again")
    return table


def _sort_removals(job: Job) -> Report:
    """A round's task: a run of files as one, or the removals of a span of documents."""
    files = _removal_files(job.inputs)
    if "merge" in job.task.payload:
        merge(job, files, "removals", REMOVALS)
    else:
        write_sorted(job, "removals", read_range(files, REMOVALS, job.task.payload["first"], job.task.payload["last"]))
    return Report()


def _decide(ids: pa.Array, start: int, removals: pa.Table) -> pa.RecordBatch:
    """DECISION rows of the documents numbered from `start`."""
    documents = removals.column("document").to_numpy()
    numbers = np.arange(start, start + len(ids))
    places = np.searchsorted(documents, numbers)
    found = np.append(documents, -1)[places] == numbers
    rows = removals.take(pa.array(places, mask=~found)).combine_chunks()
    columns = [ids, *(rows.column(name).combine_chunks() for name in ("reason", "twin", "jaccard"))]
    return pa.RecordBatch.from_arrays(columns, schema=DECISION)


def _count(report: Report, source: str, decided: pa.RecordBatch) -> None:
    report.read[source] += decided.num_rows
    report.kept[source] += decided.column("reason").null_count
    for counted in decided.column("reason").drop_null().value_counts().to_pylist():
        report.drop(source, counted["values"], counted["counts"])


def _write_clusters(job: Job) -> Report:
    """The largest clusters that the tasks of `verify` have described."""
    with job.parquet("clusters", CLUSTERS) as sink:
        for batch in merge_clusters(file.table() for file in job.inputs.files("verify", "clusters")).to_batches():
            sink.write(batch)
    return Report()
