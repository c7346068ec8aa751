"""Texts with passages cut from them: what a stage writes of a part that cuts, which `pipeline.survivors` reads, and its guard."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts import Bound
from pipeline.dedupe import guard
from pipeline.job import Job, PartFile, TaskResult
from pipeline.kernels.arrow import texts
from pipeline.kernels.estimated import estimated_tokens
from pipeline.kernels.passages import without
from pipeline.kernels.urls import pieces
from pipeline.report import Report, merged
from pipeline.schema import DECISION, decided_by
from pipeline.storage import Folder
from pipeline.survivors import all_rows
from pipeline.writing import FileEntry

#: What is to be cut from the texts of a part, sorted: the bytes [start, stop) of the text of a row, apart from each other, and
#: the document that keeps their beginning, which may be the same.
SPANS = pa.schema([pa.field(name, pa.int64(), nullable=False) for name in ("row", "start", "stop")] + [pa.field("twin", pa.string())])
#: The same, with the document, and how what is cut begins.
CUTS = pa.schema(
    [*SPANS, *(pa.field(name, kind, nullable=False) for name, kind in
               {"id": pa.string(), "characters": pa.int64(), "excerpt": pa.string()}.items())]
)  # fmt: skip

#: The rule that drops what is left too short.
SHORT = "short"
#: Characters shown of a passage, and passages shown when the guard trips.
EXCERPT, SHOWN = 80, 5

Ints = np.ndarray


def cut(job: Job, step: str, spans: pa.Table, min_left: int) -> Report:
    """Write {part}.cuts, and {part}.decisions: who is dropped, because fewer than `min_left` characters are left of its text."""
    report = Report()
    rows, starts, stops = (spans.column(name).to_numpy() for name in ("row", "start", "stop"))
    with job.parquet("cuts", CUTS) as cuts, job.parquet("decisions", decided_by(Bound(SHORT, "value", ">=", min_left))) as decisions:
        for first, batch, keep in all_rows(job.inputs, job.own_part("filter", "docs"), ["id", "text"]):
            mine = slice(*np.searchsorted(rows, [first, first + batch.num_rows]))
            touched, which = np.unique(rows[mine], return_inverse=True)
            whole = batch.take(pa.array(touched - first))
            left = without(texts(whole.column("text")), which, starts[mine], stops[mine])
            lengths = pc.utf8_length(pc.utf8_trim_whitespace(left)).cast(pa.int64())
            short = pc.less(lengths, min_left)
            found = _cuts(spans.slice(mine.start, mine.stop - mine.start), whole, which)
            cuts.write(found)
            decisions.write(_decisions(batch.column("id"), touched - first, lengths, short, f"{step}:{SHORT}"))
            _count(report, job.source, batch.filter(keep), found, (whole.column("text"), left, short))
            report.drop(job.source, f"{step}:{SHORT}", pc.sum(short).as_py() or 0)
            report.count(job.source, "documents cut", len(touched))
    return report


def _cuts(spans: pa.Table, whole: pa.RecordBatch, which: Ints) -> pa.RecordBatch:
    """CUTS rows of spans, given the documents that they are cut from, and which of them each."""
    offsets, data = texts(whole.column("text"))
    starts, stops = (offsets[which] + spans.column(name).to_numpy() for name in ("start", "stop"))
    passages = pieces(data, starts, stops)
    columns = {
        **{name: spans.column(name).combine_chunks() for name in SPANS.names},
        "id": whole.column("id").take(pa.array(which)),
        "characters": pc.utf8_length(passages).cast(pa.int64()),
        "excerpt": pc.utf8_slice_codeunits(passages, 0, EXCERPT).cast(pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns, schema=CUTS)


def _decisions(ids: pa.Array, touched: Ints, lengths: pa.Array, short: pa.BooleanArray, reason: str) -> pa.RecordBatch:
    """DECISION rows; those where something was cut have the length of what is left."""
    rows = np.full(len(ids), -1)
    rows[touched] = np.arange(len(touched))
    places = pa.array(rows, mask=rows < 0)
    reasons = pc.if_else(short, reason, pa.scalar(None, pa.string()))
    columns = {"id": ids, "reason": reasons.take(places), "value": lengths.cast(pa.float64()).take(places)}
    return pa.RecordBatch.from_pydict({**columns, "twin": pa.nulls(len(ids), pa.string())}, schema=DECISION)


def _count(report: Report, source: str, kept: pa.RecordBatch, found: pa.RecordBatch, cut: tuple[pa.Array, pa.Array, pa.Array]) -> None:
    """Documents, passages, characters and tokens; `cut`: texts before, after, and whether what is left of them is dropped too."""
    whole, left, short = cut
    report.read[source] += kept.num_rows
    report.kept[source] += kept.num_rows - (pc.sum(short).as_py() or 0)
    report.count(source, "passages cut", found.num_rows)
    stays = left.filter(pc.invert(short))
    for name, total in (("characters", _characters), ("tokens_estimated", _tokens)):
        report.count(source, name, total(kept.column("text")))
        report.count(source, f"{name}_removed", total(whole) - total(stays))


def _characters(column: pa.Array) -> int:
    return int(pc.sum(pc.utf8_length(column)).as_py() or 0)


def _tokens(column: pa.Array) -> int:
    return int(estimated_tokens(column).sum())


def guarded(step: str) -> Callable[[Folder, list[TaskResult], Mapping[str, Any]], list[FileEntry]]:
    """What finishes a stage that cuts: GuardTripped, before it counts as done, when a source has lost too much."""

    def finish(folder: Folder, results: list[TaskResult], args: Mapping[str, Any]) -> list[FileEntry]:
        if not args["override_guard"]:
            _check(step, folder, results, args["max_removed"])
        return []

    return finish


def _check(step: str, folder: Folder, results: Sequence[TaskResult], max_removed: float | Mapping[str, float]) -> None:
    """Raise GuardTripped when `cut` takes more than a share of a source's documents, characters or tokens; shows the longest."""
    report = merged(result.report for result in results)
    losses = list(guard.losses_of(report, report, max_removed))
    guard.stop(step, losses, lambda tripped: _longest(folder, results, tripped))


def _longest(folder: Folder, results: Sequence[TaskResult], sources: Sequence[str]) -> list[str]:
    files = [PartFile(folder, entry) for result in results for entry in result.files if entry.kind == "cuts"]
    order = [("characters", "descending"), ("id", "ascending"), ("start", "ascending")]
    lines = ["longest passages of these sources:"]
    for source in sources:
        found = CUTS.empty_table()
        for file in files:
            if file.source == source:
                found = pa.concat_tables([found, file.table()]).sort_by(order).slice(0, SHOWN)
        lines += [_line(row, source) for row in found.to_pylist()]
    return lines


def _line(row: Mapping[str, object], source: str) -> str:
    also = f", also in {row['twin']}" if row["twin"] else ""
    return f"  {row['characters']:,} characters of {row['id']} of {source}{also}: {row['excerpt']!r}"
