"""pieces: what the drawn excerpts of a part are made of, counted; the tokenizer is trained on the counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field

from pipeline.contracts import Task
from pipeline.job import Inputs, Job
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.survivors import survivors
from tokenizer import counts
from tokenizer.counts import PIECES, PieceCounter
from tokenizer.excerpts import Windows, windows
from tokenizer.splits import MAX_DIGITS, Split

#: Excerpts as they stand in the text, to train the reference on and to evaluate; `place` and `id` order them.
SHOWN = pa.schema(
    [
        pa.field("held_out", pa.bool_(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("place", pa.int64(), nullable=False),
        pa.field("id", pa.string(), nullable=False),
        pa.field("lang", pa.string()),
        pa.field("text", pa.large_string(), nullable=False),
    ]
)


def _parts(inputs: Inputs, _: Mapping[str, Any]) -> list[Task]:
    return [Task(file.part) for file in inputs.files("excerpts", "measured")]


@stage("pieces", tasks=_parts, seeded=True, uses=("tokenizers",))
def pieces(job: Job, *, split: Split, digits: Annotated[int, Field(ge=1, le=MAX_DIGITS)], count: bool = True) -> Report:
    """Count the pieces that `split` and `digits` make of the drawn excerpts of a part, and keep some of these as they are.

    Memory: one row group of the part and COUNTED_AT_ONCE different pieces, whatever the size of the part. Without `count`
    excerpts are only kept. Writes {part}.pieces and {part}.shown.
    """
    (file,) = job.inputs.files("excerpts", "limits")
    limits = file.folder.read_json(file.entry.name)[job.source]
    report, counter = Report(), PieceCounter(split, digits)
    with job.parquet("pieces", PIECES) as counted, job.parquet("shown", SHOWN) as shown:
        for batch in survivors(job.inputs, job.own_part("filter", "docs"), ["id", "lang", "text"]):
            found = windows(batch, job.seed)
            training = found.only(~found.held_out & (found.places <= limits["counted"]))
            held_out = found.only(found.held_out & (found.places <= limits["held_out"]))
            if count:
                counter.add_texts(training.data, training.starts, training.ends)
            if len(counter) > counts.COUNTED_AT_ONCE:
                counted.write(counter.rows())
                counter = PieceCounter(split, digits)
            for some in (training.only(training.places <= limits["shown"]), held_out):
                shown.write(_shown(job.source, batch, some))
            _count(report, job.source, batch.num_rows, training, held_out)
        counted.write(counter.rows())
    return report


def _shown(source: str, batch: pa.RecordBatch, some: Windows) -> pa.RecordBatch:
    rows = pa.array(some.rows)
    texts = [some.data[start:end].tobytes().decode() for start, end in zip(some.starts, some.ends, strict=True)]
    columns = {
        "held_out": pa.array(some.held_out),
        "source": pa.array([source] * len(texts), pa.string()),
        "place": pa.array(some.places),
        "id": batch.column("id").take(rows),
        "lang": batch.column("lang").take(rows),
        "text": pa.array(texts, pa.large_string()),
    }
    return pa.RecordBatch.from_pydict(columns, schema=SHOWN)


def _count(report: Report, source: str, documents: int, training: Windows, held_out: Windows) -> None:
    report.read[source] += documents
    report.kept[source] += documents
    report.count(source, "bytes to train on", training.bytes)
    report.count(source, "bytes held out", held_out.bytes)
