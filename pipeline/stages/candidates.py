"""candidates: which documents share a key, found for one range of keys at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.contracts import Task
from pipeline.dedupe.duplicates import KEYS, LINKS, Numbering, counts_url
from pipeline.dedupe.forests import forest
from pipeline.dedupe.indexes import index_files, origin
from pipeline.dedupe.keyed import Shape, SortedFiles, key_ranges, write_sorted
from pipeline.dedupe.merging import merge, merges
from pipeline.job import ROUND, Inputs, Job, PartFile
from pipeline.registry import Paths, stage
from pipeline.report import Report

#: Keys that a task looks at, and the most that it holds; their number changes nothing but memory.
KEYS_PER_TASK = 1 << 23

Ints = np.ndarray


def _files(inputs: Inputs, same_url: bool | Sequence[str], against: Sequence[str]) -> list[PartFile]:
    """Files of keys; those of indexes come last, so that under each key this run's documents do not."""
    own = [file for kind in ("bands", "urls") for file in inputs.files("signatures", kind)]
    indexed = [file for kind in ("bands", "urls") for file in index_files(against, kind)]
    return [file for file in (*own, *indexed) if file.entry.kind == "bands" or counts_url(same_url, origin(file.part)[1])]


def _ranges(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    keys = sum(file.entry.rows for file in _files(inputs, **args))
    return key_ranges("candidates", keys, KEYS_PER_TASK)


def _rounds(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """Parts are merged first where they are many; how many shows in the number of tasks, and changes nothing else."""
    if ROUND in inputs.roles:
        return []
    return merges("candidates", _files(inputs, **args), len(_ranges(inputs, args)))


@stage("candidates", version=3, tasks=_ranges, rounds=_rounds)
def candidates(job: Job, *, same_url: bool | Sequence[str] = False, against: Paths = ()) -> Report:
    """Link the documents that share a band's key: each to the smallest one under it, so a bucket of n makes n - 1 links.

    `same_url` and `against` are those of `dedupe`, indexes given by their manifests: their documents are linked to this
    run's, not to one another. Links are reduced to forests, at most one link to a document, before they are written, one
    file for each KEYS_PER_TASK keys. A task's memory is at most 200 bytes for each of these, however many documents a bucket has.
    Writes {task}-{n}.links.
    """
    numbering = Numbering.of(job.inputs, against)
    keyed = _files(job.inputs, same_url, against)
    if "merge" in job.task.payload:
        merge(job, keyed, "keys", KEYS, _numbered(numbering))
        return Report()
    buckets = _Buckets(numbering.own)
    with SortedFiles(job.inputs.files(ROUND, "keys") or keyed, _numbered(numbering)) as files:
        for n, portion in enumerate(files.portions(job.task.payload["first"], job.task.payload["last"], KEYS_PER_TASK)):
            children, hubs = buckets.links(portion.column("key").to_numpy(), portion.column("document").to_numpy())
            write_sorted(job, "links", pa.table({"document": children, "hub": hubs}, schema=LINKS), n)
    return Report()


def _numbered(numbering: Numbering) -> Shape:
    """Band keys of a part as those of documents; a merged file has these already."""

    def shape(file: PartFile, table: pa.Table) -> pa.Table:
        if table.schema.names == KEYS.names:
            return table
        documents = table.column("row").to_numpy() + numbering.starts[file.part]
        return pa.table({"key": table.column("key"), "document": documents}, schema=KEYS)

    return shape


class _Buckets:
    """Buckets portion by portion, ascending; of the last one its smallest document is remembered, for it may go on.

    Those without any of this run's `own` documents, which have the smallest numbers, make no links.
    """

    def __init__(self, own: int) -> None:
        self._own = own
        self._open: tuple[Ints, Ints] = (np.empty(0, np.uint64), np.empty(0, np.int64))

    def links(self, keys: Ints, documents: Ints) -> tuple[Ints, Ints]:
        """The forest over the buckets of a portion, and what is left open of the one before it."""
        keys, documents = np.concatenate([self._open[0], keys]), np.concatenate([self._open[1], documents])
        order = np.argsort(keys, kind="stable")
        keys, documents = keys[order], documents[order]
        starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]]))
        smallest = np.minimum.reduceat(documents, starts)
        self._open = keys[starts[-1:]], smallest[-1:]
        hubs = np.repeat(smallest, np.diff(np.append(starts, len(keys))))
        shared = (hubs != documents) & (hubs < self._own)
        return forest(documents[shared], hubs[shared])
