"""candidates: which documents share a key, found for one range of keys at a time."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from pipeline.contracts import Task
from pipeline.dedupe.duplicates import LINKS, Numbering
from pipeline.dedupe.keyed import key_ranges, read_range, write_sorted
from pipeline.job import Inputs, Job
from pipeline.kernels.unionfind import flatten, link
from pipeline.registry import stage
from pipeline.report import Report

#: Keys that a task looks at; their number changes nothing but memory.
KEYS_PER_TASK = 1 << 24

Ints = np.ndarray


def _ranges(inputs: Inputs, _: Mapping[str, Any]) -> list[Task]:
    keys = sum(file.entry.rows for file in inputs.files("signatures", "bands"))
    return key_ranges("candidates", keys, KEYS_PER_TASK)


@stage("candidates", tasks=_ranges)
def candidates(job: Job) -> Report:
    """Link the documents that share a band's key: each to the smallest one under it, so a bucket of n makes n - 1 links.

    A range of keys is reduced to a forest, at most one link to a document, before it is written. A task's memory is about
    50 bytes for each of KEYS_PER_TASK. Writes {task}.links.
    """
    keys, documents = _keys(job)
    order = np.argsort(keys, kind="stable")
    keys, documents = keys[order], documents[order]
    starts = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, np.int64)
    hubs = np.repeat(documents[starts], np.diff(np.append(starts, len(keys))))
    shared = hubs != documents
    write_sorted(job, "links", _forest(documents[shared], hubs[shared]))
    return Report()


def _keys(job: Job) -> tuple[Ints, Ints]:
    """The keys of this range and the documents that have them, part by part."""
    numbering = Numbering.of(job.inputs)
    first, last = job.task.payload["first"], job.task.payload["last"]
    keys, documents = [np.empty(0, np.uint64)], [np.empty(0, np.int64)]
    for file in job.inputs.files("signatures", "bands"):
        found = read_range(file, first, last)
        keys.append(found.column("key").to_numpy())
        documents.append(found.column("row").to_numpy() + numbering.starts[file.part])
    return np.concatenate(keys), np.concatenate(documents)


def _forest(documents: Ints, hubs: Ints) -> pa.Table:
    """The same components with one link to each document but the smallest."""
    met, places = np.unique(np.concatenate([documents, hubs]), return_inverse=True)
    parents = np.arange(len(met))
    link(parents, places[: len(documents)], places[len(documents) :])
    flatten(parents)
    children = np.flatnonzero(parents != np.arange(len(met)))
    return pa.table({"document": met[children], "hub": met[parents[children]]}, schema=LINKS)
