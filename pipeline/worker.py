"""One task of one stage, run where it is called: no Ray in sight.

A task's files are committed one by one, then its marker `_done/TASK.json`; a task with a marker is never run again, and
one without is run from its beginning, over whatever an interrupted attempt left. The same input gives the same bytes.
"""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from pipeline.contracts import Task
from pipeline.errors import TokenmillError
from pipeline.job import DONE, MANIFEST, ROUND, ROUNDS, Committed, Inputs, Job, TaskResult
from pipeline.registry import Step, bind
from pipeline.storage import Folder
from pipeline.writing import FileEntry


@dataclass(frozen=True)
class TaskSpec:
    """All that a worker needs to run a task: small, and the same wherever it runs. Folders are URLs."""

    stage: str
    step: Step
    task: Task
    folder: str
    inputs: Mapping[str, tuple[str, ...]]
    seed: int


@dataclass(frozen=True)
class Outcome:
    """A finished task, and the seconds it took (never part of what is stored under a hash)."""

    result: TaskResult
    seconds: float


def run_task(spec: TaskSpec) -> Outcome:
    """Run one task and commit its files and marker; raises what the stage raises."""
    start = time.perf_counter()
    folder = Folder(spec.folder)
    result = _run(spec.step, Job(spec.task, open_inputs(spec.inputs), folder, spec.seed))
    folder.sub(DONE).write_json(f"{spec.task.name}.json", result.to_json())
    return Outcome(result, time.perf_counter() - start)


@dataclass(frozen=True)
class Failed:
    """A task whose code raised: the cause in one line, and the whole traceback for whoever mends it."""

    task: str
    cause: str
    traceback: str = ""


def attempt(spec: TaskSpec) -> Outcome | Failed:
    """`run_task`, with what it raises as a value: the other parts of a wave finish before the run fails with all names."""
    try:
        return run_task(spec)
    except TokenmillError as error:
        return Failed(spec.task.name, str(error))
    except Exception as error:  # noqa: BLE001 - nothing is swallowed: the driver raises PartsFailed with every cause
        return Failed(spec.task.name, _describe(error), "".join(traceback.format_exception(error)))


def _describe(error: Exception) -> str:
    """One line: kind, innermost place, last line of the text."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = str(error).strip().splitlines() or ["no message"]
    return f"{type(error).__name__} at {Path(place.filename).name}:{place.lineno}: {text[-1]}"


def _run(step: Step, job: Job) -> TaskResult:
    report = step(job).check()
    return TaskResult(job.task.name, tuple(job.written), report)


def open_inputs(inputs: Mapping[str, tuple[str, ...]]) -> Inputs:
    """The committed stages at the given folder URLs, by role."""
    return Inputs({role: tuple(open_committed(url) for url in urls) for role, urls in inputs.items()})


@lru_cache(maxsize=256)
def open_committed(url: str) -> Committed:
    """A committed stage; its folder's name holds its fingerprint, so it never changes and may be remembered."""
    folder = Folder(url)
    return Committed(folder, folder.read_json(MANIFEST))


def finished_tasks(folder: Folder) -> dict[str, TaskResult]:
    """Results of the tasks that are done already and whose files are all there, by name."""
    done, sizes = folder.sub(DONE), folder.sizes()
    results = [TaskResult.from_json(done.read_json(name)) for name in done.names()]
    return {result.task: result for result in results if _are_there(result.files, sizes)}


def is_committed(folder: Folder) -> bool:
    """Whether a stage is done: its manifest is there, and every file that it lists, in its size."""
    return folder.exists(MANIFEST) and _are_there(Committed(folder, folder.read_json(MANIFEST)).files(), folder.sizes())


def _are_there(files: Iterable[FileEntry], sizes: Mapping[str, int]) -> bool:
    return all(sizes.get(entry.name) == entry.bytes for entry in files)


def task_list(step: Step, key: str, inputs: Inputs) -> list[Task]:
    """The tasks of a stage: one per part of its `each` role, what its `tasks` function says, or a single one."""
    extras = step.type.extras
    if "each" in extras:
        return [Task(file.part) for file in inputs.files(extras["each"], "docs")]
    if "tasks" in extras:
        return list(extras["tasks"](inputs, step.args))
    return [Task(key)]


def round_tasks(step: Step, inputs: Inputs) -> list[Task]:
    """The tasks of the round that has to come before the stage's own tasks; none when it needs no more rounds."""
    rounds = step.type.extras.get("rounds")
    return list(rounds(inputs, step.args)) if rounds else []


def round_folder(folder: Folder, number: int) -> Folder:
    """Where a stage's round writes, counted from 1."""
    return folder.sub(f"{ROUNDS}/{number}")


def commit_round(folder: Folder, key: str, fingerprint: str, results: list[TaskResult]) -> Committed:
    """Finish a round whose tasks are all done."""
    tasks = [result.to_json() for result in sorted(results, key=lambda result: result.task)]
    folder.write_json(MANIFEST, {"stage": key, "fingerprint": fingerprint, "tasks": tasks})
    return Committed(folder, folder.read_json(MANIFEST))


def commit(folder: Folder, key: str, fingerprint: str, step: Step, inputs: Inputs, results: list[TaskResult]) -> Committed:
    """Finish a stage whose tasks are all done: run its `finish`, then write the manifest, last."""
    results = sorted(results, key=lambda result: result.task)
    finish = step.type.extras.get("finish")
    extra = finish(folder, results, step.args) if finish else []
    manifest: dict[str, Any] = {
        "stage": key,
        "fingerprint": fingerprint,
        "args": step.args,
        "inputs": {role: [stage.manifest["fingerprint"] for stage in stages] for role, stages in inputs.roles.items() if role != ROUND},
        "tasks": [result.to_json() for result in results],
        "finished": [vars(entry) for entry in extra],
    }
    folder.write_json(MANIFEST, manifest)
    remove_rounds(folder, step)
    return Committed(folder, manifest)


def remove_rounds(folder: Folder, step: Step) -> None:
    """Remove what the rounds of a committed stage have left, if they left anything."""
    if "rounds" in step.type.extras:
        folder.sub(ROUNDS).remove()


@dataclass
class LocalStage:
    """Runs whole stages in this process: what tests and `--local` use."""

    out: Folder
    seed: int = 0
    #: The order in which tasks run, when not that of their list.
    order: Callable[[Task], Any] | None = None
    committed: dict[str, Committed] = field(default_factory=dict)
    #: How many rounds each stage took before its own tasks.
    rounds: dict[str, int] = field(default_factory=dict)

    def run(
        self, name: str, inputs: Mapping[str, Committed | list[Committed]], *, key: str = "", tasks: list[Task] | None = None, **args: Any
    ) -> Committed:
        """Bind `args` to stage `name`, run all its tasks in order and commit it in the folder `key`."""
        step, mistakes = bind("stage", name, args)
        if mistakes:
            raise ValueError(f"stage {name}: {mistakes}")
        key = key or name
        roles = Inputs({role: tuple(given) if isinstance(given, list) else (given,) for role, given in inputs.items()})
        folder = self.out.sub(key)
        self.rounds[key] = 0
        while ahead := round_tasks(step, roles):
            self.rounds[key] += 1
            aside = round_folder(folder, self.rounds[key])
            roles = roles.after(commit_round(aside, key, "local", self._each(step, ahead, roles, aside)))
        todo = tasks if tasks is not None else task_list(step, key, roles)
        self.committed[key] = commit(folder, key, "local", step, roles, self._each(step, todo, roles, folder))
        return self.committed[key]

    def _each(self, step: Step, tasks: list[Task], inputs: Inputs, folder: Folder) -> list[TaskResult]:
        ordered = sorted(tasks, key=self.order) if self.order else tasks
        return [_run(step, Job(task, inputs, folder, self.seed)) for task in ordered]
