"""signatures: what each document of a part is compared by, made in one pass over its texts."""

from __future__ import annotations

from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.dedupe.compared import Of, columns, compared
from pipeline.dedupe.duplicates import BANDS, SIGNATURES, url_keys
from pipeline.dedupe.keyed import write_sorted
from pipeline.job import Job
from pipeline.kernels.estimated import estimated_tokens
from pipeline.kernels.minhash import Sketches, sketch
from pipeline.kernels.urls import key_hashes
from pipeline.registry import stage
from pipeline.report import Report

#: Beyond this the table of permutations, or a shingle, is larger than any document.
Few = Annotated[int, Field(ge=1, le=1024)]


@stage("signatures", version=4, each="filter", uses=("unicode",))
def signatures(job: Job, *, shingle_words: Few = 5, bands: Few = 14, rows: Few = 8, of: Of = "text") -> Report:
    """Hash each text whole, and sketch it by MinHash over shingles of `shingle_words` words, in `bands` of `rows`.

    The defaults are FineWeb's: two documents share a band with a probability of 92 % at a Jaccard index of .8, 57 % at
    .7, 5 % at .5. What a word is: see pipeline.kernels.shingles.

    `of` says what is compared of conversations: the whole text, its `prompts` (all but the assistant's messages), or the
    `first_prompt` of the user; then one conversation stays of those that ask the same, whatever the answers. Other documents,
    and conversations that ask nothing, are compared by their text. Writes {part}.signatures, {part}.bands and {part}.urls.
    """
    report = Report()
    keys: list[np.ndarray] = []
    urls: list[pa.Array] = []
    docs = job.own_part("filter", "docs")
    with job.parquet("signatures", SIGNATURES) as sink:
        for batch in docs.batches(["id", *columns(of), "date", "url"]):
            found = sketch(compared(batch, of), shingle_words, bands, rows)
            signed = _signed(batch, found)
            sink.write(signed)
            keys.append(found.keys)
            urls.append(signed.column("url_hash"))
            _count(report, job.source, signed)
    write_sorted(job, "bands", _by_key(keys, bands))
    write_sorted(job, "urls", url_keys(pa.chunked_array(urls, pa.binary(16))))
    return report


def _signed(batch: pa.RecordBatch, found: Sketches) -> pa.RecordBatch:
    hashes = pa.FixedSizeBinaryArray.from_buffers(
        pa.binary(16), batch.num_rows, [None, pa.py_buffer(np.ascontiguousarray(found.fingerprints))]
    )
    columns = {
        "id": batch.column("id"),
        "text_hash": hashes,
        "words": pa.array(found.words),
        "characters": pc.utf8_length(batch.column("text")).cast(pa.int64()),
        "tokens": pa.array(estimated_tokens(batch.column("text"))),
        "date": batch.column("date"),
        "least": pa.array(found.least),
        "url_hash": key_hashes(batch.column("url")),
    }
    return pa.RecordBatch.from_pydict(columns, schema=SIGNATURES)


def _by_key(keys: list[np.ndarray], bands: int) -> pa.Table:
    every = np.concatenate([np.empty((0, bands), np.uint64), *keys])
    return pa.table({"key": every.ravel(), "row": np.repeat(np.arange(len(every)), bands)}, schema=BANDS)


def _count(report: Report, source: str, signed: pa.RecordBatch) -> None:
    report.read[source] += signed.num_rows
    report.kept[source] += signed.num_rows
    for counted, name in (("words", "words"), ("characters", "characters"), ("tokens_estimated", "tokens")):
        report.count(source, counted, pc.sum(signed.column(name)).as_py() or 0)
