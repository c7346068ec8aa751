"""components: which documents hang together over all ranges of keys, so that one task can judge each lot.

Links that fit into one task are joined by union-find. More of them go in rounds, each over spans of documents that know
nothing of each other, after Kiveris, Lattanzi, Mirrokni, Rastogi and Vassilvitskii, "Connected Components in MapReduce
and Beyond" (2014): a link is a document and a smaller one, its hub.

    small star   the links of a span's documents become a forest: whoever shares a document shares its smallest hub
    large star   the links to a span's hubs go to the smallest hub that each hub has itself, where it has one

They alternate until no link changes: then every component is a star around its smallest document. Links never get more,
and their sum of numbers falls with each change, so there is an end; the paper proves log^2 of the documents as the bound
on the rounds, and there were at most a dozen in anything measured. The result is the same either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.contracts import Task
from pipeline.dedupe.duplicates import COMPONENTS, HUBS, LINKS, Numbering
from pipeline.dedupe.forests import forest
from pipeline.dedupe.keyed import SortedFiles, Spans, write_sorted
from pipeline.dedupe.merging import merge, merges
from pipeline.job import ROUND, Inputs, Job, PartFile
from pipeline.registry import Paths, stage
from pipeline.report import Report

#: Links that a task holds, and documents of its span; their numbers change nothing but memory.
LINKS_PER_TASK = 1 << 23
DOCUMENTS_PER_TASK = 1 << 24
#: What a large star counts: links that it has changed, or that a small star would.
CHANGED = ("components", "changed")

Ints = np.ndarray


def _links(inputs: Inputs) -> list[PartFile]:
    return inputs.files(ROUND, "links") if ROUND in inputs.roles else inputs.files("candidates", "links")


def _spans(inputs: Inputs, against: Sequence[str]) -> Spans:
    """The spans of documents; a single one when it can hold all links."""
    documents = Numbering.of(inputs, against).total
    return Spans(documents, 1 if _fits(inputs) else max(1, -(-documents // DOCUMENTS_PER_TASK)))


def _fits(inputs: Inputs) -> bool:
    return sum(file.entry.rows for file in _links(inputs)) <= LINKS_PER_TASK


def _tasks(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    return _spans(inputs, args["against"]).tasks("components")


def _rounds(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """Small and large stars in turn, until one task can do the rest or nothing is left to do; many files are merged before."""
    before = inputs.roles[ROUND][0].results[0].task if ROUND in inputs.roles else ""
    settled = before.startswith("large") and not inputs.roles[ROUND][0].report.counts[CHANGED]
    if settled or _fits(inputs):
        return []
    spans = _spans(inputs, args["against"])
    merging = [] if before else merges("links", _links(inputs), spans.count)
    return merging or spans.tasks("large" if before.startswith("small") else "small")


@stage("components", version=2, tasks=_tasks, rounds=_rounds)
def components(job: Job, *, against: Paths = ()) -> Report:  # noqa: ARG001 - read by _spans
    """Join the forests of all ranges of keys: by union-find in one task, or by rounds of small and large stars.

    `against`: the manifests of the indexes whose documents are linked too. A task's memory is at most 200 bytes for each of
    LINKS_PER_TASK and 20 for each of DOCUMENTS_PER_TASK, however many documents there are and however they hang together.
    Writes {task}.components, sorted by document over all tasks.
    """
    if "merge" in job.task.payload:
        merge(job, _links(job.inputs), "links", LINKS)
        return Report()
    work = {"small": _small_star, "large": _large_star, "components": _join if _fits(job.inputs) else _collect}
    return work[job.task.name.rpartition("-")[0]](job)


def _join(job: Job) -> Report:
    """All links at once."""
    found = [file.table() for file in _links(job.inputs)]
    links = pa.concat_tables([LINKS.empty_table(), *found])
    children, roots = forest(links.column("document").to_numpy(), links.column("hub").to_numpy())
    heads = np.unique(roots)
    columns = {"document": np.concatenate([heads, children]), "component": np.concatenate([heads, roots])}
    write_sorted(job, "components", pa.table(columns, schema=COMPONENTS))
    return Report()


def _small_star(job: Job) -> Report:
    first, last = _span(job)
    with SortedFiles(_links(job.inputs)) as links:
        for n, portion in enumerate(links.portions(first, last, LINKS_PER_TASK)):
            documents, hubs = portion.column("document").to_numpy(), portion.column("hub").to_numpy()
            first_of, last_of = int(documents[0]), int(documents[-1])
            alone = first_of == last_of and links.count(first_of, last_of) > LINKS_PER_TASK
            _write(job, n, *(_around(documents, hubs, links) if alone else forest(documents, hubs)))
    return Report()


def _around(documents: Ints, hubs: Ints, links: SortedFiles) -> tuple[Ints, Ints]:
    """Some links of one document that has more than a portion holds: all its hubs go to the smallest of them, and so does it."""
    only = int(documents[0])
    smallest = min(int(piece.column("hub").to_numpy().min()) for piece in links.pieces(only, only, LINKS_PER_TASK))
    return np.where(hubs == smallest, documents, hubs), np.full(len(hubs), smallest)


def _large_star(job: Job) -> Report:
    first, last = _span(job)
    smallest = np.arange(first, last + 1)
    report = Report()
    with SortedFiles(_links(job.inputs)) as links:
        for portion in links.pieces(first, last, LINKS_PER_TASK):
            np.minimum.at(smallest, portion.column("document").to_numpy() - first, portion.column("hub").to_numpy())
        for portion in links.pieces(first, last, LINKS_PER_TASK):
            hubs = portion.column("hub").to_numpy()
            report.count(*CHANGED, int(np.count_nonzero(smallest[portion.column("document").to_numpy() - first] != hubs)))
    with SortedFiles(job.inputs.files(ROUND, "hubs")) as stars:
        for n, portion in enumerate(stars.portions(first, last, LINKS_PER_TASK)):
            hubs = portion.column("hub").to_numpy()
            nearer = smallest[hubs - first]
            report.count(*CHANGED, int(np.count_nonzero(nearer != hubs)))
            _write(job, n, portion.column("document").to_numpy(), nearer)
    return report


def _collect(job: Job) -> Report:
    """The documents of a span once every component is a star: those with a hub, and the hubs."""
    first, last = _span(job)
    component = np.full(last + 1 - first, -1)
    with SortedFiles(_links(job.inputs)) as links, SortedFiles(job.inputs.files(ROUND, "hubs")) as stars:
        for portion in stars.pieces(first, last, LINKS_PER_TASK):
            component[portion.column("hub").to_numpy() - first] = portion.column("hub").to_numpy()
        for portion in links.pieces(first, last, LINKS_PER_TASK):
            component[portion.column("document").to_numpy() - first] = portion.column("hub").to_numpy()
    found = np.flatnonzero(component >= 0)
    write_sorted(job, "components", pa.table({"document": found + first, "component": component[found]}, schema=COMPONENTS))
    return Report()


def _span(job: Job) -> tuple[int, int]:
    return job.task.payload["first"], job.task.payload["last"]


def _write(job: Job, number: int, documents: Ints, hubs: Ints) -> None:
    """Links, sorted either way."""
    write_sorted(job, "links", pa.table({"document": documents, "hub": hubs}, schema=LINKS), number)
    write_sorted(job, "hubs", pa.table({"hub": hubs, "document": documents}, schema=HUBS), number)
