"""excerpts: which excerpts of the documents the tokenizer is made of, so that they hold the recipe's proportions in bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import pyarrow as pa
from pydantic import Field

from pipeline.contracts import Task
from pipeline.errors import SourceError
from pipeline.job import Inputs, Job, PartFile, TaskResult
from pipeline.registry import stage
from pipeline.report import Report
from pipeline.storage import Folder
from pipeline.survivors import survivors
from pipeline.writing import FileEntry
from tokenizer.excerpts import HOLD_OUT_ONE_IN, MEASURED, add_up, last_place, measure, parts_to_read, quotas, windows

#: The file that says which excerpts are drawn.
LIMITS = "excerpts.limits.json"
#: Of the text that is counted, so much is also kept, to train the reference on; of held-out text a tenth of it.
SHOWN_BYTES = 1 << 27
#: Parts whose measurements are added up at once.
_FILES = 64


def _parts(inputs: Inputs, args: Mapping[str, Any]) -> list[Task]:
    """The parts that are read."""
    sources = {file.source for file in inputs.files("filter", "docs")}
    wanted = quotas(args["shares"], sources, args["sample_bytes"])
    return [Task(file.part) for source, quota in wanted.items() for file in parts_to_read(inputs, source, quota)]


def _decide(folder: Folder, results: list[TaskResult], args: Mapping[str, Any]) -> list[FileEntry]:
    """Write up to which place the excerpts of each source are counted, shown, and held out."""
    files = [PartFile(folder, entry) for result in results for entry in result.files]
    sources = {file.source for file in files}
    measured = {source: _added_up([file for file in files if file.source == source]) for source in sorted(sources)}
    shown = min(args["sample_bytes"], SHOWN_BYTES)
    wanted = {
        "counted": (False, quotas(args["shares"], sources, args["sample_bytes"])),
        "shown": (False, quotas(args["shares"], sources, shown)),
        "held_out": (True, quotas(args["shares"], sources, shown // (HOLD_OUT_ONE_IN - 1))),
    }
    limits = {
        source: {use: last_place(rows, held_out, quota[source]) for use, (held_out, quota) in wanted.items()}
        for source, rows in measured.items()
    }
    if not any(rows.num_rows for rows in measured.values()):
        named = ", ".join(sorted(args["shares"])) or "(none named)"
        raise SourceError(f"tokenizer: none of the sources {named} has text left to train on")
    return [folder.write_json(LIMITS, limits)]


def _added_up(files: Sequence[PartFile]) -> pa.RecordBatch:
    """The bytes at each place over all parts of a source."""
    total = add_up([])
    for first in range(0, len(files), _FILES):
        total = add_up([total, *(rows for file in files[first : first + _FILES] for rows in file.batches())])
    return total


@stage("excerpts", tasks=_parts, finish=_decide, seeded=True)
def excerpts(
    job: Job,
    *,
    shares: Mapping[str, Annotated[float, Field(ge=0)]],  # noqa: ARG001 - read by _parts and _decide, as is the next
    sample_bytes: int,  # noqa: ARG001
) -> Report:
    """Measure the excerpts that the documents of a part could give; then decide which the tokenizer is made of.

    They hold `sample_bytes`, in `shares` of bytes (see tokenizer.excerpts). Writes {part}.measured, and excerpts.limits.json.
    """
    report = Report()
    measured = []
    for batch in survivors(job.inputs, job.own_part("filter", "docs"), ["id", "text"]):
        measured.append(measure(windows(batch, job.seed)))
        report.read[job.source] += batch.num_rows
        report.kept[job.source] += batch.num_rows
    with job.parquet("measured", MEASURED) as sink:
        sink.write(add_up(measured))
    return report
