"""A run as its files tell it: run.json lists the stage folders that make up the last one that finished.

A run that stopped leaves stopped.json instead, with the stages it came through; the next run that finishes removes it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipeline.errors import StorageError
from pipeline.job import MANIFEST, Committed, PartFile
from pipeline.storage import Folder

RUN_FILE, STOPPED_FILE = "run.json", "stopped.json"
#: The stage that leaves an index for later runs to dedupe against.
INDEX = "index"


class RunFiles:
    """The committed stages of a run, as run.json (or the file named) lists them."""

    def __init__(self, folder: Folder, file: str = RUN_FILE) -> None:
        if not folder.exists(file):
            raise StorageError(f"{folder.url}: no run there (no {file}): run the recipe first, or give --out")
        self.folder = folder
        self.facts: dict[str, Any] = folder.read_json(file)
        self._open: dict[str, Committed] = {}

    @property
    def stopped(self) -> str:
        """Why the run stopped; empty for one that finished."""
        return str(self.facts.get("stopped", ""))

    def stages(self, name: str | None = None) -> Iterator[Committed]:
        """Committed stages in their order; only those of one step when `name` is given."""
        for entry in self.facts["stages"]:
            if name in (None, entry["stage"]):
                yield self._stage(entry["folder"])

    def _stage(self, name: str) -> Committed:
        if name not in self._open:
            folder = self.folder.sub(name)
            self._open[name] = Committed(folder, folder.read_json(MANIFEST))
        return self._open[name]

    def files(self, name: str, kind: str) -> Iterator[PartFile]:
        for stage in self.stages(name):
            for entry in stage.files(kind):
                yield PartFile(stage.folder, entry)


def last_run(folder: Folder) -> RunFiles:
    """The run that was last at work: one that stopped, where it came after the last that finished."""
    return RunFiles(folder, STOPPED_FILE if folder.exists(STOPPED_FILE) else RUN_FILE)


def tokenizer_of(folder: Folder) -> list[str]:
    """The paths of a run's tokenizer.json and tokenizer_config.json; StorageError when the folder holds no finished run."""
    if not folder.exists(RUN_FILE):
        raise StorageError(f"{folder.url}: no finished run there whose tokenizer could be taken: run that recipe first, in the same folder")
    (stage,) = RunFiles(folder).stages("tokenizer")
    return [stage.folder.path(name) for name in ("tokenizer.json", "tokenizer_config.json")]


def index_of(folder: Folder) -> Folder:
    """The folder of an index, given as itself or as the folder of the run that left it; StorageError when there is none."""
    if folder.exists(MANIFEST) and folder.read_json(MANIFEST)["stage"] == INDEX:
        return folder
    found = next(RunFiles(folder).stages(INDEX), None) if folder.exists(RUN_FILE) else None
    if found is None:
        raise StorageError(f"{folder.url}: no index there: a run leaves one when its recipe, or --set, says `index: {{}}`")
    return found.folder
