"""Stages that go in rounds by parts and by ranges of keys in turn: which tasks the next round has, and what they write.

Each step reads what the one before has written: a step over parts its rows by document, one over ranges of keys its rows by
key. Where the tasks of a step would open too many files, a round before it merges them (see `merging`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from pipeline.contracts import Task
from pipeline.dedupe.keyed import key_ranges, write_sorted
from pipeline.dedupe.merging import merge, merges
from pipeline.job import ROUND, Inputs, Job, PartFile
from pipeline.kernels.arrow import Texts, texts
from pipeline.kernels.shingles import slices
from pipeline.survivors import all_rows


class Step(NamedTuple):
    """One step: what its tasks and files are called, the schema of its files, and whether it is over parts or ranges of keys."""

    name: str
    schema: pa.Schema
    by_part: bool


@dataclass(frozen=True)
class Steps:
    """The steps of a stage before its own tasks, which are one for each part. Keys that differ in `whole_bits` stay together."""

    steps: tuple[Step, ...]
    whole_bits: int = 0

    def next_round(self, inputs: Inputs, parts: Sequence[str], rows_per_task: int) -> list[Task]:
        """The tasks of the round that is due; none when the stage's own are."""
        made, is_merged = _made(inputs)
        names = [step.name for step in self.steps]
        due = self.steps[names.index(made) + 1 :] if made else self.steps
        following = self._tasks(inputs, due[0], made, parts, rows_per_task) if due else []
        merging = merges(made, inputs.files(ROUND, made), len(following) if due else len(parts)) if made and not is_merged else []
        return merging or following

    def _tasks(self, inputs: Inputs, step: Step, made: str, parts: Sequence[str], rows_per_task: int) -> list[Task]:
        if step.by_part:
            return [Task(f"{step.name}-{n:05d}", {"part": part}) for n, part in enumerate(parts)]
        return key_ranges(step.name, sum(file.entry.rows for file in inputs.files(ROUND, made)), rows_per_task, self.whole_bits)

    def merged(self, job: Job) -> bool:
        """Whether the task is one that merges files: then it has done so."""
        if "merge" in job.task.payload:
            made, _ = _made(job.inputs)
            merge(job, job.inputs.files(ROUND, made), made, self._of(made).schema)
        return "merge" in job.task.payload

    def write(self, job: Job, tables: Iterator[pa.Table], most: int) -> None:
        """What a round's task has found, in sorted files of so many rows or a few more."""
        step = self._of(step_of(job))
        waiting, rows, number = [step.schema.empty_table()], 0, 0
        for table in tables:
            waiting.append(table)
            rows += len(table)
            if rows >= most:
                write_sorted(job, step.name, pa.concat_tables(waiting), number)
                waiting, rows, number = [step.schema.empty_table()], 0, number + 1
        if rows or not number:
            write_sorted(job, step.name, pa.concat_tables(waiting), number)

    def _of(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)


def _made(inputs: Inputs) -> tuple[str, bool]:
    """What the round before has made, "" at the beginning; and whether it has merged files."""
    name = inputs.roles[ROUND][0].results[0].task if ROUND in inputs.roles else ""
    return name.partition("-")[0], "-merge-" in name


def step_of(job: Job) -> str:
    """The step that a round's task belongs to; "" for the stage's own tasks."""
    return job.task.name.partition("-")[0] if job.task.payload else ""


def docs_of(job: Job) -> PartFile:
    """The part that a task over parts is about."""
    part = job.task.payload.get("part", job.task.name)
    return next(file for file in job.inputs.files("filter", "docs") if file.part == part)


def kept_texts(inputs: Inputs, docs: PartFile, among: np.ndarray | None = None) -> Iterator[tuple[np.ndarray, Texts]]:
    """The kept texts of a part (with `among`, those of these rows alone), some at a time, with their rows."""
    for start, batch, keep in all_rows(inputs, docs, ["text"]):
        rows = start + np.flatnonzero(keep.to_numpy(zero_copy_only=False))
        rows = rows if among is None else rows[np.isin(rows, among)]
        place = 0
        for some in slices(texts(batch.column("text").take(pa.array(rows - start)))):
            yield rows[place : place + some.rows], some
            place += some.rows
