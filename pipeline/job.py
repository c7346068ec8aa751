"""What a stage leaves, and what a task of a later stage sees of it.

A stage's folder holds one or more files per task ("web-00042.docs.parquet"), one small marker per finished task
(`_done/web-00042.json`, written after the task's files), and a manifest written last: its presence means that the
stage is done.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pyarrow as pa

from pipeline.contracts import Task
from pipeline.errors import StorageError
from pipeline.report import Report, merged
from pipeline.storage import Folder
from pipeline.writing import FileEntry, HashingFile, ParquetSink

MANIFEST = "manifest.json"
DONE = "_done"
#: The role of what the round before has written, and the folder of rounds in a stage's folder until the stage is done.
ROUND, ROUNDS = "round", "rounds"


@dataclass(frozen=True)
class TaskResult:
    """What a finished task leaves: its files, in the order written, and what it counted."""

    task: str
    files: tuple[FileEntry, ...]
    report: Report

    def to_json(self) -> dict[str, Any]:
        return {"task": self.task, "files": [vars(entry) for entry in self.files], "report": self.report.to_json()}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> TaskResult:
        files = tuple(FileEntry(**entry) for entry in data["files"])
        return cls(data["task"], files, Report.from_json(data["report"]))


@dataclass(frozen=True)
class Committed:
    """A committed stage: its folder and its manifest."""

    folder: Folder
    manifest: Mapping[str, Any]

    @property
    def name(self) -> str:
        return str(self.manifest["stage"])

    @cached_property
    def results(self) -> list[TaskResult]:
        return [TaskResult.from_json(entry) for entry in self.manifest["tasks"]]

    @cached_property
    def report(self) -> Report:
        return merged(result.report for result in self.results)

    def files(self, kind: str | None = None) -> list[FileEntry]:
        """The files of one kind (all when None), sorted by name."""
        every = [entry for result in self.results for entry in result.files]
        every += [FileEntry(**entry) for entry in self.manifest.get("finished", ())]
        return sorted(entry for entry in every if kind is None or entry.kind == kind)


@dataclass(frozen=True)
class PartFile:
    """One file of a committed stage, as a later stage reads it."""

    folder: Folder
    entry: FileEntry

    @property
    def part(self) -> str:
        return self.entry.part

    @property
    def source(self) -> str:
        """The source a part belongs to: "web" of "web-00042"."""
        return self.part.rpartition("-")[0]

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        return self.folder.batches(self.entry.name, columns)

    def table(self, columns: list[str] | None = None) -> pa.Table:
        return self.folder.table(self.entry.name, columns)

    def schema(self) -> pa.Schema:
        return self.folder.schema(self.entry.name)

    def read(self) -> bytes:
        return self.folder.read(self.entry.name)


@dataclass(frozen=True)
class Inputs:
    """The committed stages that a task may read, by role; a role may join several stages (one per source)."""

    roles: Mapping[str, tuple[Committed, ...]]

    def files(self, role: str, kind: str) -> list[PartFile]:
        """All files of a kind in a role, sorted by name; an empty list for a role that the plan left out."""
        found = [PartFile(stage.folder, entry) for stage in self.roles.get(role, ()) for entry in stage.files(kind)]
        return sorted(found, key=lambda file: file.entry.name)

    def after(self, done: Committed) -> Inputs:
        """These inputs for what follows a round of the same stage."""
        return Inputs({**self.roles, ROUND: (done,)})

    def file(self, role: str, kind: str, part: str) -> PartFile | None:
        """The file of one part, or None when the role has no such part."""
        return next((file for file in self.files(role, kind) if file.part == part), None)


@dataclass
class Job:
    """What one task of a stage sees: its name and payload, the committed stages it may read, and where to write."""

    task: Task
    inputs: Inputs
    folder: Folder
    seed: int = 0
    written: list[FileEntry] = field(default_factory=list)

    @property
    def source(self) -> str:
        """The source this task's part belongs to."""
        return self.task.name.rpartition("-")[0]

    def own_part(self, role: str, kind: str) -> PartFile:
        """The file of a kind that a role has of this task's own part; StorageError when it has none."""
        found = self.inputs.file(role, kind, self.task.name)
        if found is None:
            raise StorageError(f"{self.task.name}: the role {role!r} has no {kind!r} file of it: run the stage that writes it again")
        return found

    def name(self, kind: str, suffix: str = "parquet") -> str:
        return f"{self.task.name}.{kind}.{suffix}"

    @contextmanager
    def parquet(self, kind: str, schema: pa.Schema) -> Iterator[ParquetSink]:
        """This part's Parquet file of a kind."""
        with self.folder.parquet(self.name(kind), schema) as sink:
            yield sink
        self.written.append(sink.entry())

    @contextmanager
    def create(self, name: str) -> Iterator[HashingFile]:
        """Any other file of this task, by its full name in the stage's folder."""
        with self.folder.create(name) as file:
            yield file
        self.written.append(file.entry(name))

    def write(self, kind: str, suffix: str, data: bytes) -> None:
        """A small file of this part, whole."""
        with self.create(self.name(kind, suffix)) as file:
            file.write(data)
