"""Is a run what it says it is? Every file hashed again, every document accounted for from stage to stage."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from pipeline.errors import StorageError
from pipeline.job import Committed
from pipeline.runfiles import RunFiles
from pipeline.storage import FileEntry, Folder

#: Which stage's kept documents each stage reads: the accounts must join.
JOINS = (("extract", "filter"), ("filter", "signatures"), ("filter", "dedupe"))


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
    """One check per stage that its documents add up, and one per pair of stages that none was lost between them."""
    run = RunFiles(folder)
    kept: dict[str, Counter[str]] = {}
    read: dict[str, Counter[str]] = {}
    for stage in run.stages():
        step = stage.name.partition("-")[0]
        kept.setdefault(step, Counter()).update(stage.report.kept)
        read.setdefault(step, Counter()).update(stage.report.read)
        yield Check(f"documents of {stage.name}", _unbalanced(stage))
    for before, after in JOINS:
        if before in kept and after in read:
            lost = {source: kept[before][source] - read[after][source] for source in kept[before] | read[after]}
            wrong = {source: number for source, number in sorted(lost.items()) if number}
            yield Check(f"{before} to {after}", f"documents lost on the way, by source: {wrong}" if wrong else "")


def _unbalanced(stage: Committed) -> str:
    try:
        stage.report.check()
    except StorageError as error:
        return str(error)
    return ""


def _damage(stage: Committed, entry: FileEntry) -> str:
    try:
        size, digest = _hashed(stage.folder, entry.name)
    except StorageError as error:
        return str(error)
    if size != entry.bytes:
        return f"{stage.folder.path(entry.name)}: {size:,} bytes, its manifest says {entry.bytes:,}"
    return "" if digest == entry.sha256 else f"{stage.folder.path(entry.name)}: its content is not what its manifest says"


def _hashed(folder: Folder, name: str) -> tuple[int, str]:
    digest, size = hashlib.sha256(), 0
    with folder.open(name) as file:
        while piece := file.read(1 << 20):
            digest.update(piece)
            size += len(piece)
    return size, digest.hexdigest()
