"""The run that a packed dataset is of: what exports read that shards alone don't hold."""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.errors import ShardError
from pipeline.job import Inputs, PartFile
from pipeline.runfiles import RUN_FILE, RunFiles
from pipeline.shards.read import Dataset
from pipeline.storage import Folder
from pipeline.survivors import DECIDERS, survivors


def run_of(dataset: Dataset) -> RunFiles:
    """The run in whose folder a dataset lies; ShardError when it lies elsewhere, or the run has packed something else since."""
    above = dataset.folder.url.rstrip("/").rpartition("/")[0].rpartition("/")[0]
    folder = Folder(above or ".")
    if not folder.exists(RUN_FILE):
        raise ShardError(f"{dataset.folder.url} lies in no run's folder (there is no {RUN_FILE}): this export reads the run too")
    run = RunFiles(folder)
    known = [stage.folder.sub(dataset.manifest.split).read_json("manifest.json")["digest"] for stage in run.stages() if _packs(stage.name)]
    if dataset.manifest.digest not in known:
        raise ShardError(f"{dataset.folder.url} isn't of the run that {folder.path(RUN_FILE)} tells of: run the recipe again")
    return run


def _packs(stage: str) -> bool:
    return stage.partition("-")[0] == "pack"


def packed_documents(dataset: Dataset, run: RunFiles, columns: list[str]) -> Iterator[pa.RecordBatch]:
    """The documents of a split as they were before they were encoded, each once, in the order of the run's parts."""
    wanted = pc.unique(pa.chunked_array([shard.docs.column("id").combine_chunks() for shard in dataset.shards], pa.string()))
    inputs = Inputs({role: tuple(run.stages(role)) for role in ("filter", *DECIDERS)})
    for file in inputs.files("filter", "docs"):
        yield from (batch.filter(pc.is_in(batch.column("id"), wanted)) for batch in _kept(inputs, file, columns))


def _kept(inputs: Inputs, file: PartFile, columns: list[str]) -> Iterator[pa.RecordBatch]:
    return survivors(inputs, file, list(dict.fromkeys(["id", *columns])))
