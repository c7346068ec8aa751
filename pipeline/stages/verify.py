"""verify: the suspects of a range of components, judged by the true Jaccard index of their shingles.

Most preferred first, each document is compared with the kept ones that share a band with it, and removed for the most
similar when that reaches the threshold. Documents with the same words (128-bit hash) are judged as one: the most preferred
stands for all. So every removed document names one that stays and is as similar to it as asked; being similar to
something that was itself removed is no reason. Which range a component falls into has no part in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import PositiveInt

from pipeline.contracts import Task
from pipeline.dedupe.clusters import describe
from pipeline.dedupe.duplicates import CLUSTERS, EXACT, NEAR, REMOVALS, TEXTS
from pipeline.dedupe.keyed import key_ranges, read_range, write_sorted
from pipeline.dedupe.preference import originals, preferred_first, source_rank
from pipeline.job import Inputs, Job
from pipeline.kernels.leaders import choose
from pipeline.kernels.shingles import shingle_sets
from pipeline.registry import stage
from pipeline.report import Report

#: Compressed texts that a task judges; their number changes nothing but memory.
BYTES_PER_TASK = 64 << 20


class Verdict(NamedTuple):
    """Row by row of the suspects: the row of the kept twin or -1, their Jaccard index, and whether the words are the same."""

    twin: np.ndarray
    jaccard: np.ndarray
    same_words: np.ndarray


def _ranges(inputs: Inputs, _: Mapping[str, Any]) -> list[Task]:
    return key_ranges("verify", sum(file.entry.bytes for file in inputs.files("gather", "texts")), BYTES_PER_TASK)


@stage("verify", tasks=_ranges, uses=("unicode",))
def verify(job: Job, *, threshold: float, priority: Sequence[str], shingle_words: PositiveInt) -> Report:
    """Decide who is removed for whom. `threshold` and `priority` are those of `dedupe`, `shingle_words` that of `signatures`.

    A task's memory is about ten times BYTES_PER_TASK, or five times the texts of the largest component, which isn't
    divided. Writes {task}.removals and {task}.clusters.
    """
    suspects = _suspects(job, priority)
    verdict = judge(suspects, threshold, shingle_words)
    write_sorted(job, "removals", _removals(suspects, verdict))
    with job.parquet("clusters", CLUSTERS) as sink:
        for batch in describe(suspects, verdict.twin, verdict.jaccard).to_batches():
            sink.write(batch)
    return _report(suspects, verdict)


def _suspects(job: Job, priority: Sequence[str]) -> pa.Table:
    """The documents of this range from the most preferred to the least, with their rank, part and source."""
    tables = [_described(TEXTS.empty_table(), "-", priority)]
    for file in job.inputs.files("gather", "texts"):
        tables.append(_described(read_range(file, job.task.payload["first"], job.task.payload["last"]), file.part, priority))
    table = pa.concat_tables(tables)
    return table.take(pa.array(preferred_first(table))).combine_chunks()


def _described(table: pa.Table, part: str, priority: Sequence[str]) -> pa.Table:
    source = part.rpartition("-")[0]
    table = table.append_column("rank", pa.array(np.full(len(table), source_rank(source, priority))))
    return table.append_column("part", _repeated(part, len(table))).append_column("source", _repeated(source, len(table)))


def _repeated(value: str, times: int) -> pa.Array:
    return pa.repeat(pa.scalar(value, pa.string()), times)


def judge(suspects: pa.Table, threshold: float, shingle_words: int) -> Verdict:
    """The verdict on documents (text_hash, keys, text) in order of preference; the first of the same words has a text."""
    rows = np.arange(len(suspects))
    first = originals(suspects.column("text_hash"))
    distinct = np.flatnonzero(first == rows)
    compared = suspects.take(pa.array(distinct))
    sets = shingle_sets(compared.column("text").combine_chunks(), shingle_words)
    twins, values = choose(sets, _buckets(compared), threshold)
    place = np.searchsorted(distinct, first)
    twin = np.where(twins[place] >= 0, distinct[twins[place]], np.where(first == rows, -1, first)) if len(rows) else rows
    same_words = (first != rows) & (twin == first)
    return Verdict(twin, np.where(same_words, 1.0, values[place]), same_words)


def _buckets(compared: pa.Table) -> np.ndarray:
    """int64[rows, bands]: the band keys of each document, numbered from 0."""
    keys = compared.column("keys").combine_chunks().flatten().to_numpy()
    _, numbers = np.unique(keys, return_inverse=True)
    return numbers.reshape(len(compared), -1) if len(compared) else np.empty((0, 1), np.int64)


def _removals(suspects: pa.Table, verdict: Verdict) -> pa.Table:
    removed = np.flatnonzero(verdict.twin >= 0)
    columns = {
        "document": suspects.column("document").take(pa.array(removed)),
        "reason": pc.if_else(pa.array(verdict.same_words[removed]), EXACT, NEAR),
        "twin": suspects.column("id").take(pa.array(verdict.twin[removed])),
        "jaccard": pa.array(verdict.jaccard[removed]),
    }
    return pa.table(columns, schema=REMOVALS)


def _report(suspects: pa.Table, verdict: Verdict) -> Report:
    report = Report()
    sources = suspects.column("source").to_numpy()
    characters = suspects.column("characters").to_numpy()
    removed = verdict.twin >= 0
    for source in np.unique(sources):
        mine = sources == source
        report.read[source] = int(mine.sum())
        report.kept[source] = int((mine & ~removed).sum())
        report.drop(source, EXACT, int((mine & verdict.same_words).sum()))
        report.drop(source, NEAR, int((mine & removed & ~verdict.same_words).sum()))
        report.count(source, "characters_removed", int(characters[mine & removed].sum()))
    return report
