"""extract: one part of input files read record by record, each record turned into text by the extractor of its format."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.contracts import Extracted, InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.job import Job
from pipeline.registry import Step, UnknownStep, did_you_mean, stage
from pipeline.report import Report
from pipeline.schema import CONVERSATION, DOC, EXCERPT_CHARS, RAW, REJECT, conform, document_id
from pipeline.writing import ParquetSink

#: A batch is closed at this many documents or bytes, whichever comes first: enough for Arrow, little for memory.
BATCH_DOCUMENTS = 512
BATCH_BYTES = 16 << 20
#: Two records of one part at one place in one file: the first is read.
REPEATED = "extract:repeated_locator"
_LOST = pa.schema([REJECT.field(name) for name in ("id", "source", "url", "step", "reason")])


@stage("extract", version=3)
def extract(job: Job, *, extractors: Sequence[Mapping[str, Any]]) -> Report:
    """Read one part's files and extract the text of every document.

    The task's payload is {"files": [InputFile as dict], "read": {"name", "args"}}. `extractors` are steps
    ({"name", "args"}), one per format: the plan lists them all, so that their versions are part of its fingerprint.
    Writes {part}.docs and {part}.rejects.
    Raises SourceError naming the file when one can't be read.
    """
    report = Report()
    table = _ExtractorTable(extractors)
    with job.parquet("docs", DOC) as docs, job.parquet("rejects", REJECT) as rejects:
        for batch in _raw_batches(job, report, rejects):
            _extract_batch(batch, table, docs, rejects, report)
    return report


class _ExtractorTable:
    """Extractors by format."""

    def __init__(self, steps: Sequence[Mapping[str, Any]]) -> None:
        self._steps = {item["name"]: Step("extractor", item["name"], item["args"]) for item in steps}

    def __call__(self, raw: pa.RecordBatch, format: str) -> Extracted:  # noqa: A002
        if format not in self._steps:
            raise UnknownStep(f"no extractor is called {format!r}{did_you_mean(format, list(self._steps))}")
        found: Extracted = self._steps[format](raw)
        if len(found.text) != raw.num_rows or len(found.reasons) != raw.num_rows:
            raise SourceError(f"extractor {format!r} returned {len(found.text)} texts for {raw.num_rows} documents")
        return found


def _raw_batches(job: Job, report: Report, rejects: ParquetSink) -> Iterator[pa.RecordBatch]:
    """RAW batches of the part's records, in the order of its files; a locator seen twice is dropped for that reason."""
    read = Step("reader", job.task.payload["read"]["name"], job.task.payload["read"]["args"])
    rows: list[dict[str, Any]] = []
    waiting = 0
    seen: set[str] = set()
    for entry in job.task.payload["files"]:
        file = InputFile(**entry)
        for document in _records(read, file):
            report.read[job.source] += 1
            report.count(job.source, "raw_bytes", len(document.content))
            row = _raw_row(job.source, file, document)
            if row["id"] in seen:
                report.drop(job.source, REPEATED)
                rejects.write(conform(pa.RecordBatch.from_pylist([{**row, "step": "extract", "reason": REPEATED}], schema=_LOST), REJECT))
                continue
            seen.add(row["id"])
            rows.append(row)
            waiting += len(document.content)
            if len(rows) >= BATCH_DOCUMENTS or waiting >= BATCH_BYTES:
                yield pa.RecordBatch.from_pylist(rows, schema=RAW)
                rows, waiting = [], 0
    if rows:
        yield pa.RecordBatch.from_pylist(rows, schema=RAW)


def _records(read: Step, file: InputFile) -> Iterator[RawDocument]:
    """The records of one file; an error of the operating system is raised again with the file's name."""
    try:
        yield from read(file)
    except OSError as error:
        raise SourceError(f"{file.name} ({file.path}) can't be read: {error.strerror or error}") from error


def _raw_row(source: str, file: InputFile, document: RawDocument) -> dict[str, Any]:
    locator = f"{file.name}/{document.locator}" if document.locator else file.name
    meta = {"file": file.name, "locator": document.locator, **(document.meta or {})}
    if file.version:
        meta["version"] = file.version
    return {
        "id": document_id(source, locator),
        "content": document.content,
        "format": document.format,
        "source": source,
        "url": document.url,
        "lang": document.lang,
        "licence": document.licence or file.licence or None,
        "date": document.date,
        "meta": json.dumps(meta, sort_keys=True, ensure_ascii=False),
    }


def _extract_batch(raw: pa.RecordBatch, table: _ExtractorTable, docs: ParquetSink, rejects: ParquetSink, report: Report) -> None:
    text, reasons, facts = _run_extractors(raw, table)
    columns = {name: facts[name] if name in facts else raw.column(name) for name in DOC.names if name != "text"}
    batch = conform(pa.RecordBatch.from_pydict({**columns, "text": text}, schema=_nullable(DOC)), _nullable(DOC))
    keep = pc.is_null(reasons)
    kept = batch.filter(keep)
    docs.write(conform(kept, DOC))
    source = raw.column("source")[0].as_py()
    report.kept[source] += kept.num_rows
    report.count(source, "text_bytes", pc.sum(pc.binary_length(kept.column("text"))).as_py() or 0)
    drop = pc.invert(keep)
    rejects.write(_rejects(batch.filter(drop), reasons.filter(drop)))
    for reason in reasons.filter(drop).to_pylist():
        report.drop(source, reason)


def _run_extractors(raw: pa.RecordBatch, table: _ExtractorTable) -> tuple[pa.Array, pa.Array, dict[str, pa.Array]]:
    """Text, reasons and facts of every row, in row order, each row done by the extractor of its format."""
    text, reasons = pa.nulls(raw.num_rows, pa.large_string()), pa.nulls(raw.num_rows, pa.string())
    facts = {name: raw.column(name) for name in ("url", "lang", "licence", "date", "meta")}
    facts |= {name: pa.nulls(raw.num_rows, DOC.field(name).type) for name in CONVERSATION}
    formats = raw.column("format")
    for name in pc.unique(formats).to_pylist():
        mask = pc.equal(formats, name)
        try:
            found = table(raw.filter(mask), name)
        except UnknownStep:
            known = f"extract:no_extractor_for_{name}"
            found = Extracted(pa.nulls(mask.true_count, pa.large_string()), pa.array([known] * mask.true_count, pa.string()))
        empty = pc.and_(pc.is_null(found.reasons), pc.equal(pc.binary_length(found.text), 0).fill_null(True))
        text = pc.replace_with_mask(text, mask, found.text.cast(pa.large_string()))
        reasons = pc.replace_with_mask(reasons, mask, pc.if_else(empty, "extract:empty", _prefixed(found.reasons)))
        for fact, values in found.facts.items():
            facts[fact] = _replaced(facts[fact], mask, _merged_fact(fact, values, facts[fact].filter(mask)))
    return text, reasons, facts


def _prefixed(reasons: pa.Array) -> pa.Array:
    """Reasons carry the name of the step that gave them."""
    bare = pc.and_(pc.is_valid(reasons), pc.invert(pc.match_substring(reasons.cast(pa.string()), ":").fill_null(False)))
    return pc.if_else(bare, pc.binary_join_element_wise("extract", reasons.cast(pa.string()), ":"), reasons.cast(pa.string()))


def _replaced(column: pa.Array, mask: pa.BooleanArray, values: pa.Array) -> pa.Array:
    """`column` with `values` where `mask` is true; lists too, which Arrow's own function doesn't take."""
    if not pa.types.is_nested(column.type):
        return pc.replace_with_mask(column, mask, values)
    chosen = np.arange(len(column))
    chosen[mask.to_numpy(zero_copy_only=False)] = len(column) + np.arange(len(values))
    return pa.concat_arrays([column, values]).take(pa.array(chosen))


def _merged_fact(name: str, found: pa.Array, known: pa.Array) -> pa.Array:
    """What extraction found replaces what the reader said, where it found something; `meta` objects are merged."""
    if name == "turns":
        return found.cast(known.type)
    if name != "meta":
        return pc.coalesce(found.cast(pa.string()), known)
    pairs = zip(known.to_pylist(), found.to_pylist(), strict=True)
    joined = [json.dumps({**json.loads(old or "{}"), **json.loads(new or "{}")}, sort_keys=True, ensure_ascii=False) for old, new in pairs]
    return pa.array(joined, pa.string())


def _rejects(dropped: pa.RecordBatch, reasons: pa.Array) -> pa.RecordBatch:
    columns = {
        "id": dropped.column("id"),
        "source": dropped.column("source"),
        "url": dropped.column("url"),
        "step": pa.array(["extract"] * dropped.num_rows, pa.string()),
        "reason": reasons,
        "excerpt": pc.utf8_slice_codeunits(dropped.column("text"), 0, EXCERPT_CHARS).cast(pa.string()),
    }
    return conform(pa.RecordBatch.from_pydict(columns), REJECT)


def _nullable(schema: pa.Schema) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in schema])
