"""Is a run what it says it is? Every file hashed again, every document accounted for, every duplicate gone for one that stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.dedupe.duplicates import SAME_URL
from pipeline.dedupe.indexes import index_files
from pipeline.errors import StorageError
from pipeline.job import Committed, PartFile
from pipeline.report import Report
from pipeline.runfiles import RunFiles
from pipeline.storage import Folder, measured
from pipeline.writing import FileEntry

#: The stages that every document passes, in order (lines and passages where the recipe asks for them, quality where its source
#: does): the accounts must join.
#: The mix drops what is beyond the quotas, by its plan; pack counts each document in the shards once, whatever was planned.
WAY = ("extract", "filter", "dedupe", "lines", "passages", "quality", "tokenize", "mix", "pack")


#: In these a source that isn't named has no documents; elsewhere it may not pass at all.
_FOR_ALL = ("tokenize", "mix", "pack")


@dataclass(frozen=True)
class Check:
    """One thing that was checked; `problem` is empty when it holds."""

    name: str
    problem: str = ""

    @property
    def holds(self) -> bool:
        return not self.problem


def verify_files(folder: Folder) -> Iterator[Check]:
    """One check per stage: the size and SHA-256 of all its files."""
    for stage in RunFiles(folder).stages():
        problems = [problem for entry in stage.files() if (problem := _damage(stage, entry))]
        yield Check(f"files of {stage.name}", "; ".join(problems))


def verify_accounts(folder: Folder) -> Iterator[Check]:
    """One check per stage that its documents add up, and one per step of the way that none was lost before it."""
    way: dict[str, Report] = {step: Report() for step in WAY}
    for stage in RunFiles(folder).stages():
        yield Check(f"documents of {stage.name}", _unbalanced(stage))
        if not stage.name.startswith("pack-"):  # other row lengths hold the same documents
            way.setdefault(stage.name.partition("-")[0], Report()).merge(stage.report)
    sources = sorted(way["extract"].read)
    arriving = Counter({source: way["extract"].kept[source] for source in sources})
    for step in WAY[1:]:
        passing = [source for source in sources if source in way[step].read or step in _FOR_ALL]
        lost = {source: arriving[source] - way[step].read[source] for source in passing if arriving[source] != way[step].read[source]}
        yield Check(f"documents on the way to {step}", f"lost, by source: {lost}" if lost else "")
        arriving.update({source: way[step].kept[source] - arriving[source] for source in passing})


def verify_duplicates(folder: Folder) -> Iterator[Check]:
    """One check: each document that dedupe removed names one that it keeps, or one of an index, at least as like it as asked.

    Memory: the names of the documents that others went for, 100 bytes each.
    """
    for stage in RunFiles(folder).stages("dedupe"):
        try:
            problem = _unfounded(stage)
        except StorageError as error:
            problem = str(error)
        yield Check("what dedupe removed is like something it keeps", problem)


def _unfounded(stage: Committed) -> str:
    args = stage.manifest["args"]
    decisions = [PartFile(stage.folder, entry) for entry in stage.files("decisions")]
    named = pa.array([], pa.string())
    for file in decisions:
        table = file.table(["reason", "twin", "value"])
        removed = table.filter(pc.is_valid(table.column("reason")))
        alike = pc.fill_null(pc.greater_equal(removed.column("value"), args["threshold"]), False)
        unlike = pc.sum(pc.invert(pc.or_(alike, pc.equal(removed.column("reason"), SAME_URL)))).as_py()
        if unlike:
            return f"{file.part}: {unlike:,} removed documents are less than {args['threshold']} like the one they name"
        named = pa.chunked_array([named, *removed.column("twin").chunks]).unique()
    for file in decisions:
        table = file.table(["id", "reason"])
        named = _others(named, table.filter(pc.is_null(table.column("reason"))).column("id"))
    for file in index_files(args["against"], "documents") if len(named) else ():
        named = _others(named, file.table(["id"]).column("id"))
    return f"{len(named):,} documents that others were removed for are not kept, as {named[0].as_py()}" if len(named) else ""


def _others(named: pa.Array, ids: pa.ChunkedArray) -> pa.Array:
    """Those named that aren't among some ids."""
    return named.filter(pc.invert(pc.is_in(named, ids.combine_chunks())))


def _unbalanced(stage: Committed) -> str:
    try:
        stage.report.check()
    except StorageError as error:
        return str(error)
    return ""


def _damage(stage: Committed, entry: FileEntry) -> str:
    try:
        with stage.folder.open(entry.name) as file:
            size, digest = measured(file)
    except StorageError as error:
        return str(error)
    if size != entry.bytes:
        return f"{stage.folder.path(entry.name)}: {size:,} bytes, its manifest says {entry.bytes:,}"
    return "" if digest == entry.sha256 else f"{stage.folder.path(entry.name)}: its content is not what its manifest says"
