"""filter: one part through the filters of its source, step after step; what is dropped leaves its reason and numbers."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts import Task, Verdicts
from pipeline.conversations import intact
from pipeline.errors import TokenmillError
from pipeline.filters import decontaminate
from pipeline.job import ROUND, Inputs, Job
from pipeline.registry import Step, bind, stage
from pipeline.report import Report
from pipeline.schema import DOC, EXCERPT_CHARS, REJECT, conform, signal_field

#: Documents go through all steps in runs of at most so many bytes of text: few calls, and memory that stays within bounds.
RUN_BYTES = 8 << 20


def _count_first(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """One round over all parts where a step ignores n-grams that many documents of the source hold."""
    asked = any(decontaminate.wants_counts(named.step) for named in _bound(args["steps"]))
    return [Task(file.part, {"count": True}) for file in inputs.files("extract", "docs")] if asked and ROUND not in inputs.roles else []


@stage("filter", version=4, each="extract", rounds=_count_first)
def filter_documents(job: Job, *, steps: Sequence[Mapping[str, Any]] = ()) -> Report:
    """Drop and edit one part's documents by `steps`, filters in order, each {"name", "args"}.

    A document that a step drops isn't shown to the next. Writes {part}.docs (DOC and a column STEP.SIGNAL for all that the
    steps measured) and {part}.rejects (the deciding step, what it and those before it measured, and an excerpt). A text edited
    to nothing is dropped as "STEP:empty", a conversation whose messages an edit joined or cut apart as "STEP:turns_lost". A step
    that occurs again is called STEP_2. Counts text_bytes_in, text_bytes (of what is kept) and STEP.EDIT of kept documents and
    those later steps dropped.
    """
    if job.task.payload.get("count"):
        return _count(job, steps)
    part = job.own_part("extract", "docs")
    chain, report = _Chain(steps, job), Report()
    with job.parquet("docs", chain.schema) as docs, job.parquet("rejects", REJECT) as rejects:
        for batch in _runs(part.batches()):
            report.read[job.source] += batch.num_rows
            report.count(job.source, "text_bytes_in", _text_bytes(batch))
            kept, dropped = chain(batch, report)
            report.kept[job.source] += kept.num_rows
            report.count(job.source, "text_bytes", _text_bytes(kept))
            docs.write(conform(kept, chain.schema))
            rejects.write(dropped)
    return report


def _count(job: Job, steps: Sequence[Mapping[str, Any]]) -> Report:
    """Write {part}.ngrams: of each n-gram of the evaluations, how many documents hold it."""
    batches = list(job.own_part("extract", "docs").batches(["text"]))
    with job.parquet("ngrams", decontaminate.COUNTS) as sink:
        for named in _bound(steps):
            if decontaminate.wants_counts(named.step):
                sink.write(decontaminate.count_ngrams(batches, named.step))
    return Report()


def _runs(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    """The rows of batches in slices of at most RUN_BYTES of text, or of a single longer one."""
    for batch in batches:
        ends = np.cumsum(pc.binary_length(batch.column("text")).to_numpy(zero_copy_only=False))
        start, done = 0, 0
        while start < batch.num_rows:
            stop = max(int(np.searchsorted(ends, done + RUN_BYTES, side="right")), start + 1)
            yield batch.slice(start, stop - start)
            start, done = stop, int(ends[stop - 1])


def _text_bytes(batch: pa.RecordBatch) -> int:
    return pc.sum(pc.binary_length(batch.column("text"))).as_py() or 0


@dataclass(frozen=True)
class _Named:
    """A bound step and what its columns are called after."""

    label: str
    step: Step


class _Chain:
    """The steps of one part, and the schema of what they leave, found by running them on no rows at all."""

    def __init__(self, steps: Sequence[Mapping[str, Any]], job: Job) -> None:
        self._part, self._source, self._row = job.task.name, job.source, 0
        counts = [file.folder.path(file.entry.name) for file in job.inputs.files(ROUND, "ngrams")]
        self._steps = [_counted(named, counts) for named in _bound(steps)]
        empty, _ = self(pa.RecordBatch.from_pylist([], schema=DOC), Report())
        self.schema: pa.Schema = empty.schema

    def __call__(self, batch: pa.RecordBatch, report: Report) -> tuple[pa.RecordBatch, pa.RecordBatch]:
        """The rows that every step keeps, with the signals, and the rejects; both in the order of the rows."""
        rows = np.arange(self._row, self._row + batch.num_rows)
        self._row += batch.num_rows
        rejects, places = [pa.RecordBatch.from_pylist([], schema=REJECT)], [rows[:0]]
        for named in self._steps:
            verdicts = self._ask(named, batch, rows)
            edited = _edited(batch, verdicts)
            reasons = _with_empty(named.label, batch, edited, verdicts)
            keep = reasons.is_null().to_numpy(zero_copy_only=False)
            rejects.append(_rejects(named.label, batch, reasons, verdicts))
            places.append(rows[~keep])
            self._count(named.label, reasons, verdicts, report)
            batch, rows = _with_signals(named.label, edited, verdicts).filter(pa.array(keep)), rows[keep]
        return batch, pa.concat_batches(rejects).take(pa.array(np.argsort(np.concatenate(places))))

    def _ask(self, named: _Named, batch: pa.RecordBatch, rows: npt.NDArray[np.int64]) -> Verdicts:
        """The verdicts of a step, or an error that says where it broke."""
        try:
            verdicts: Verdicts = named.step(batch)
        except TokenmillError:
            raise
        except Exception as error:
            where = f"part {self._part}, among rows {rows[0]} to {rows[-1]}" if len(rows) else "a batch of no rows"
            raise RuntimeError(f"filter {named.label!r} failed on {where}: {type(error).__name__}: {error}") from error
        columns = {"reasons": verdicts.reasons, "text": verdicts.text, "evidence": verdicts.evidence, **verdicts.signals, **verdicts.facts}
        wrong = {name: len(column) for name, column in columns.items() if column is not None and len(column) != batch.num_rows}
        if wrong:
            raise RuntimeError(f"filter {named.label!r} returned columns of {wrong} rows for {batch.num_rows} documents")
        return verdicts

    def _count(self, label: str, reasons: pa.Array, verdicts: Verdicts, report: Report) -> None:
        for counted in pc.value_counts(reasons.drop_null()).to_pylist():
            report.drop(self._source, counted["values"], counted["counts"])
        for kind, number in verdicts.edits.items():
            report.count(self._source, f"{label}.{kind}", number)


def _bound(steps: Sequence[Mapping[str, Any]]) -> list[_Named]:
    """The steps with their arguments checked and filled in, each under a label of its own."""
    named: list[_Named] = []
    for item in steps:
        step, mistakes = bind("filter", item["name"], item.get("args") or {})
        if mistakes:
            raise ValueError(f"filter {step.name!r}: " + "; ".join(f"{key}: {message}" for key, message in mistakes))
        times = 1 + sum(other.step.name == step.name for other in named)
        named.append(_Named(step.name if times == 1 else f"{step.name}_{times}", step))
    return named


def _counted(named: _Named, counts: list[str]) -> _Named:
    """A step that asked for counts, with the files that hold them."""
    if not decontaminate.wants_counts(named.step):
        return named
    return replace(named, step=replace(named.step, args={**named.step.args, "counts": counts}))


def _edited(batch: pa.RecordBatch, verdicts: Verdicts) -> pa.RecordBatch:
    """The batch with the texts and facts that a step put in the place of others; null leaves what was there."""
    found = {**verdicts.facts, "text": verdicts.text}
    for name, values in found.items():
        if values is not None:
            at = batch.schema.get_field_index(name)
            column = pc.coalesce(values.cast(batch.schema.field(at).type), batch.column(at))
            batch = batch.set_column(at, batch.schema.field(at), column)
    return batch


def _with_empty(label: str, before: pa.RecordBatch, after: pa.RecordBatch, verdicts: Verdicts) -> pa.Array:
    """The reasons of a step; "STEP:empty" for texts that it kept and edited to nothing, "STEP:turns_lost" for cuts across messages."""
    reasons = verdicts.reasons.cast(pa.string())
    if verdicts.text is None:
        return reasons
    emptied = pc.and_(pc.equal(pc.binary_length(after.column("text")), 0), pc.greater(pc.binary_length(before.column("text")), 0))
    reasons = pc.if_else(pc.and_(emptied, pc.is_null(reasons)), f"{label}:empty", reasons)
    lost = pc.invert(intact(after.column("text"), after.column("turns")))
    return pc.if_else(pc.and_(lost, pc.is_null(reasons)), f"{label}:turns_lost", reasons)


def _with_signals(label: str, batch: pa.RecordBatch, verdicts: Verdicts) -> pa.RecordBatch:
    for name, values in verdicts.signals.items():
        asked = [bound for bound in verdicts.bounds if bound.signal == name]
        batch = batch.append_column(signal_field(f"{label}.{name}", values.type, asked), values)
    return batch


def _rejects(label: str, batch: pa.RecordBatch, reasons: pa.Array, verdicts: Verdicts) -> pa.RecordBatch:
    """REJECT rows of the documents that a step drops: with all that was measured so far, and their text as the step saw it.

    A step may give other texts as evidence: one that takes personal data out of texts gives those without it.
    """
    drop = pc.is_valid(reasons)
    dropped = _with_signals(label, batch, verdicts).filter(drop)
    signals = dropped.select([name for name in dropped.schema.names if name not in DOC.names])
    measured = signals.to_pylist() if signals.num_columns else [{}] * dropped.num_rows
    shown = dropped.column("text") if verdicts.evidence is None else verdicts.evidence.filter(drop)
    columns = {
        "id": dropped.column("id"),
        "source": dropped.column("source"),
        "url": _edited(batch, replace(verdicts, text=None)).filter(drop).column("url"),
        "step": pa.array([label] * dropped.num_rows, pa.string()),
        "reason": reasons.drop_null(),
        "signals": pa.array([json.dumps(row, sort_keys=True, ensure_ascii=False, allow_nan=False) for row in measured], pa.string()),
        "excerpt": pc.utf8_slice_codeunits(shown, 0, EXCERPT_CHARS).cast(pa.string()),
    }
    return conform(pa.RecordBatch.from_pydict(columns), REJECT)
