"""index: what later runs need of the documents that this one kept, so that they are told from them without their texts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import PositiveInt

from pipeline.dedupe.compared import Of, columns, compared
from pipeline.dedupe.duplicates import BANDS, keys_by_row, url_keys
from pipeline.dedupe.indexes import ENCODINGS, INDEXED
from pipeline.dedupe.keyed import sorted_file, write_sorted
from pipeline.dedupe.scores import scores
from pipeline.job import Job
from pipeline.kernels.shingles import shingle_sets
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.survivors import keep_mask


@stage("index", each="filter", uses=("unicode",))
def index(
    job: Job,
    *,
    signed_by: Mapping[str, Any],  # noqa: ARG001
    shingle_words: PositiveInt = 5,
    prefer: str | None = None,
    of: Of = "text",
) -> Report:
    """Leave an index of the documents that dedupe kept, for `dedupe: {against: ...}` of later runs.

    A recipe asks for it by `index: {}`; the plan fills in all arguments, as `signatures` and `dedupe` have them. `signed_by`
    says how the documents were signed. Writes {part}.documents, {part}.bands and {part}.urls (see pipeline.dedupe.indexes).
    """
    docs = job.own_part("filter", "docs")
    keep = keep_mask(job.inputs, docs)
    every = job.own_part("signatures", "signatures").table()
    keys = keys_by_row(job.own_part("signatures", "bands").table())
    facts = every.append_column("score", scores(job, prefer)).append_column("keys", keys).filter(keep)
    facts = facts.add_column(0, "row", pa.array(np.arange(len(facts)))).combine_chunks()
    start = done = 0
    with sorted_file(job, "documents", INDEXED, encodings=ENCODINGS) as sink:
        for batch in docs.batches(columns(of)):
            texts = compared(batch, of).filter(keep.slice(start, batch.num_rows))
            start += batch.num_rows
            sink.write(_with_shingles(facts.slice(done, len(texts)), texts, shingle_words))
            done += len(texts)
    write_sorted(job, "bands", _bands(facts))
    write_sorted(job, "urls", url_keys(facts.column("url_hash")))
    return _report(job.source, len(facts))


def _with_shingles(facts: pa.Table, texts: pa.Array, shingle_words: int) -> pa.Table:
    sets = shingle_sets(texts, shingle_words)
    shingles = pa.LargeListArray.from_arrays(pa.array(sets.offsets), pa.array(sets.hashes))
    return facts.append_column("shingles", shingles).select(INDEXED.names).cast(INDEXED)


def _bands(facts: pa.Table) -> pa.Table:
    keys = facts.column("keys").combine_chunks()
    rows = np.repeat(np.arange(len(facts)), pc.list_value_length(keys).to_numpy())
    return pa.table({"key": keys.flatten(), "row": rows}, schema=BANDS)


def _report(source: str, documents: int) -> Report:
    report = Report()
    report.read[source] = report.kept[source] = documents
    return report
