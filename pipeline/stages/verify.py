"""verify: the suspects of a range of components, judged by the true Jaccard index of their shingles.

Most preferred first, each document is compared with the kept ones that share a band with it, and removed for the most
similar when that reaches the threshold. Documents with the same words (128-bit hash) are judged as one: the most preferred
stands for all. So every removed document names one that stays and is as similar to it as asked; being similar to
something that was itself removed is no reason. Which range a component falls into has no part in it. A component too
large to be held is judged in lots (see pipeline.dedupe.lots): the same holds of each, and fewer are removed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import PositiveInt

from pipeline.contracts import Task
from pipeline.dedupe import lots
from pipeline.dedupe.clusters import describe
from pipeline.dedupe.clusters import merge as merge_clusters
from pipeline.dedupe.duplicates import CLUSTERS, EXACT, NEAR, REMOVALS, SAME_URL, TEXTS
from pipeline.dedupe.keyed import SortedFiles, key_ranges, write_sorted
from pipeline.dedupe.lots import COMPONENT_SHIFT, Lot
from pipeline.dedupe.merging import merge, merges
from pipeline.dedupe.preference import originals, part_rank, preferred_first
from pipeline.job import ROUND, Inputs, Job
from pipeline.kernels.leaders import KEPT, LIKE, SAME_ADDRESS, SAME_TEXT, Candidates, Choice, choose
from pipeline.kernels.shingles import Shingles, shingle_sets
from pipeline.registry import stage
from pipeline.report import Report

#: Compressed texts that a task judges; their number changes nothing.
BYTES_PER_TASK = 128 << 20
#: Removals that are held before they are written, and texts that are looked through at a time.
REMOVALS_HELD, TEXTS_READ = 1 << 21, 1 << 14


#: What a removal is called, by why the kernel chose it.
REASONS = {SAME_TEXT: EXACT, LIKE: NEAR, SAME_ADDRESS: SAME_URL}
#: What is judged of, beside the contents.
FACTS = ["document", "id", "part", "text_hash", "characters", "tokens", "date", "score", "url_hash"]
#: What is counted of those that are removed, by what the guard calls it.
WEIGHTS = {"characters_removed": "characters", "tokens_estimated_removed": "tokens"}


def _ranges(inputs: Inputs, _: Mapping[str, Any]) -> list[Task]:
    return key_ranges("verify", sum(file.entry.bytes for file in inputs.files("gather", "texts")), BYTES_PER_TASK, COMPONENT_SHIFT)


def _rounds(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """The texts of parts are merged first where parts are many."""
    if ROUND in inputs.roles:
        return []
    return merges("verify", inputs.files("gather", "texts"), len(_ranges(inputs, args)))


@stage("verify", version=4, tasks=_ranges, rounds=_rounds, uses=("unicode",))
def verify(job: Job, *, threshold: float, priority: Sequence[str], shingle_words: PositiveInt) -> Report:
    """Decide who is removed for whom. `threshold` and `priority` are those of `dedupe`, `shingle_words` that of `signatures`.

    A task's memory is that of a lot: about 1,000 bytes for each of `lots.MOST_DOCUMENTS` and 5 for each of
    `lots.MOST_CHARACTERS`, whatever the components. Writes {task}-{n}.removals and {task}.clusters.
    """
    texts = job.inputs.files("gather", "texts")
    if "merge" in job.task.payload:
        merge(job, texts, "texts", TEXTS)
        return Report()
    report = Report()
    clusters = CLUSTERS.empty_table()
    removals = _Removals(job)
    with SortedFiles(job.inputs.files(ROUND, "texts") or texts) as files:
        for lot in lots.lots(files, Lot(job.task.payload["first"], job.task.payload["last"])):
            suspects = _suspects(files, lot, priority)
            verdict = judge(suspects, threshold, shingle_words)
            removals.add(_removals(suspects, verdict))
            clusters = merge_clusters([clusters, describe(suspects, verdict.twins, verdict.values)])
            report.merge(_report(suspects, verdict, lot))
    removals.flush()
    with job.parquet("clusters", CLUSTERS) as sink:
        for batch in clusters.to_batches():
            sink.write(batch)
    return report


def _suspects(files: SortedFiles, lot: Lot, priority: Sequence[str]) -> pa.Table:
    """The documents of a lot from the most preferred to the least, with source and rank; keys and text where they are the first.

    Of the same words the first has a text, but in a lot divided by id, where texts are not compared.
    """
    table = files.read(lot.first, lot.last, FACTS)
    part = table.column("part").combine_chunks().dictionary_encode()
    sources = pa.array([name.rpartition("-")[0] for name in part.dictionary.to_pylist()], pa.string())
    ranks = pa.array([part_rank(name, priority) for name in part.dictionary.to_pylist()], pa.int64())
    table = table.append_column("source", sources.take(part.indices)).append_column("rank", ranks.take(part.indices))
    table = table.take(pa.array(preferred_first(table))).combine_chunks()
    first = originals(table.column("text_hash"))
    compared = np.zeros(0, np.int64) if lot.by_id else np.flatnonzero(first == np.arange(len(first)))
    found = pa.concat_tables(_contents(files, lot, table.column("document").to_numpy()[compared])).combine_chunks()
    rows = np.full(len(table), -1)
    rows[compared] = np.argsort(found.column("document").to_numpy())[_ranks(table.column("document").to_numpy()[compared])]
    taken = found.take(pa.array(rows, mask=rows < 0))
    for name in ("keys", "text", "shingles"):
        table = table.append_column(name, taken.column(name))
    return table


def _ranks(values: np.ndarray) -> np.ndarray:
    """The place of each value among all, when sorted."""
    ranks = np.empty(len(values), np.int64)
    ranks[np.argsort(values)] = np.arange(len(values))
    return ranks


def _contents(files: SortedFiles, lot: Lot, documents: np.ndarray) -> Iterator[pa.Table]:
    """Document, keys, and text or shingles of some documents of a lot, in no order of theirs."""
    wanted = pa.array(documents)
    for piece in files.pieces(lot.first, lot.last, TEXTS_READ, ["document", "keys", "text", "shingles"]):
        yield piece.filter(pc.is_in(piece.column("document"), value_set=wanted))


def judge(suspects: pa.Table, threshold: float, shingle_words: int) -> Choice:
    """The verdict on documents (rank, text_hash, url_hash, keys, text, shingles) in order of preference, as rows of them.

    Those without text and shingles are not compared. The value is NaN where none was asked for.
    """
    first = originals(suspects.column("text_hash"))
    distinct = np.flatnonzero(first == np.arange(len(suspects)))
    texts = suspects.take(pa.array(distinct))
    documents = Candidates(np.searchsorted(distinct, first), _numbered(suspects.column("url_hash")), _settled(suspects))
    choice = choose(_sets(texts, shingle_words), _buckets(texts), threshold, documents)
    choice.values[choice.why == SAME_ADDRESS] = np.nan
    return choice


def _settled(suspects: pa.Table) -> int:
    """How many documents are of an index: they come first."""
    return int(np.count_nonzero(suspects.column("rank").to_numpy() < 0))


def _sets(texts: pa.Table, shingle_words: int) -> Shingles:
    """The sets of shingles of distinct texts: those of an index as it has them, then the others."""
    known = texts.column("shingles").slice(0, _settled(texts)).combine_chunks()
    made = shingle_sets(texts.column("text").slice(len(known)).combine_chunks(), shingle_words)
    counts = [pc.fill_null(pc.list_value_length(known), 0).to_numpy(), np.diff(made.offsets)]
    offsets = np.cumsum(np.concatenate([np.zeros(1, np.int64), *counts]))
    return Shingles(offsets, np.concatenate([known.flatten().to_numpy(), made.hashes]))


def _buckets(texts: pa.Table) -> np.ndarray:
    """int64[texts, bands]: the band keys of each text, numbered from 0; -1 of those that are not compared."""
    keys = texts.column("keys").combine_chunks()
    there = keys.is_valid().to_numpy(zero_copy_only=False)
    _, numbers = np.unique(keys.flatten().to_numpy(), return_inverse=True)
    width = max(1, len(numbers) // max(int(there.sum()), 1))
    found = np.full((len(texts), width), -1)
    found[there] = numbers.reshape(-1, width)
    return found


def _numbered(hashes: pa.ChunkedArray) -> np.ndarray:
    """Equal hashes as equal numbers from 0, null as -1."""
    codes: np.ndarray = hashes.combine_chunks().dictionary_encode().indices.fill_null(-1).to_numpy()
    return codes.astype(np.int64)


def _removals(suspects: pa.Table, verdict: Choice) -> pa.Table:
    removed = np.flatnonzero(verdict.why != KEPT)
    columns = {
        "document": suspects.column("document").take(pa.array(removed)),
        "reason": pa.array([None, *REASONS.values()], pa.string()).take(pa.array(verdict.why[removed])),
        "twin": suspects.column("id").take(pa.array(verdict.twins[removed])),
        "jaccard": pa.array(verdict.values[removed], from_pandas=True),
    }
    return pa.table(columns, schema=REMOVALS)


class _Removals:
    """Collects the removals of lots and writes them in files of REMOVALS_HELD or so."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._waiting: list[pa.Table] = []
        self._files = 0

    def add(self, removals: pa.Table) -> None:
        self._waiting.append(removals)
        if sum(len(table) for table in self._waiting) >= REMOVALS_HELD:
            self.flush()

    def flush(self) -> None:
        if any(len(table) for table in self._waiting):
            write_sorted(self._job, "removals", pa.concat_tables(self._waiting), self._files)
            self._files += 1
        self._waiting = []


def _report(suspects: pa.Table, verdict: Choice, lot: Lot) -> Report:
    """What was judged of this run's documents; those of an index are not counted."""
    report = Report()
    settled = _settled(suspects)
    sources = suspects.column("source").to_numpy()
    weights = {counted: suspects.column(name).to_numpy() for counted, name in WEIGHTS.items()}
    removed = verdict.why != KEPT
    for source in np.unique(sources[settled:]):
        mine = sources == source
        report.read[source] = int(mine.sum())
        report.kept[source] = int((mine & ~removed).sum())
        for why, reason in REASONS.items():
            report.drop(source, reason, int((mine & (verdict.why == why)).sum()))
        report.count(source, "removed_for_an_index", int((mine & removed & (verdict.twins < settled)).sum()))
        for counted, weight in weights.items():
            report.count(source, counted, int(weight[mine & removed].sum()))
        if lot.divided:
            report.count(source, "in_divided_components", int(mine.sum()))
    return report
