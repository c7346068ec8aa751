"""quality: the score of each kept document of a source, and the lowest of them dropped."""

from __future__ import annotations

import json
from typing import Annotated

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from pipeline.classifying import excerpts, lines, scores
from pipeline.contracts import Bound
from pipeline.errors import SourceError, StorageError
from pipeline.job import Job, PartFile
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.schema import DECISION, decided_by
from pipeline.scoring.classifier import open_model
from pipeline.survivors import all_rows

LOW = "quality:low"
Share = Annotated[float, Field(ge=0, le=1)]


@stage("quality", version=2, each="filter", uses=("fasttext-community", "unicode"))
def quality(job: Job, *, drop_lowest: Share = 0.1, threshold: Share | None = None) -> Report:
    """Score documents by the probability that the quality model gives its positive label, and drop those below a cut.

    The cut is `threshold` where given; otherwise the score below which a share `drop_lowest` of the source lies, by the
    percentiles that the model's card holds of a sample, so that no part waits for another. Writes {part}.decisions for
    every row, with the cut in the metadata of `value`; documents that were dropped before have neither score nor reason, and
    aren't counted.
    """
    model, card_file = _model_files(job)
    classifier, card = open_model(model), json.loads(card_file.read())
    cut = threshold if threshold is not None else _cut(card, job.source, drop_lowest)
    docs = job.own_part("filter", "docs")
    report = Report()
    with job.parquet("decisions", decided_by(Bound("low", "value", ">=", cut))) as sink:
        for _, batch, here in all_rows(job.inputs, docs, ["id", "text"]):
            read = excerpts(batch.column("text").filter(here), card["settings"]["excerpt_chars"])
            found = scores(classifier, lines(read))
            sink.write(_decisions(batch.column("id"), here, found, cut))
            _count(report, job.source, found, cut)
    return report


def _model_files(job: Job) -> tuple[PartFile, PartFile]:
    files = [*job.inputs.files("quality_model", "model"), *job.inputs.files("quality_model", "card")]
    if len(files) != 2:
        raise StorageError("quality needs the model and the card of one quality_model stage: run that stage again")
    return files[0], files[1]


def _cut(card: dict, source: str, share: float) -> float:
    """The score below which a share of the source lies, between its percentiles."""
    if share == 0:
        return 0.0
    if source not in card["percentiles"]:
        known = ", ".join(sorted(card["percentiles"]))
        raise SourceError(f"quality: the model has ranked no documents of {source} (only of {known}): give it a `threshold`")
    return float(np.interp(share, np.linspace(0, 1, 101), card["percentiles"][source]))


def _decisions(ids: pa.Array, keep: pa.BooleanArray, found: np.ndarray, cut: float) -> pa.RecordBatch:
    """DECISION rows; the scores belong to the rows that `keep` marks."""
    low = pc.if_else(pa.array(found < cut), LOW, pa.scalar(None, pa.string()))
    columns = {
        "id": ids,
        "reason": pc.replace_with_mask(pa.nulls(len(ids), pa.string()), keep, low),
        "twin": pa.nulls(len(ids), pa.string()),
        "value": pc.replace_with_mask(pa.nulls(len(ids), pa.float64()), keep, pa.array(found, pa.float64())),
    }
    return pa.RecordBatch.from_pydict(columns, schema=DECISION)


def _count(report: Report, source: str, found: np.ndarray, cut: float) -> None:
    low = int((found < cut).sum())
    report.read[source] += len(found)
    report.kept[source] += len(found) - low
    report.drop(source, LOW, low)
