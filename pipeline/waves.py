"""Stages run and committed, wave after wave: which tasks are left, what they read, what happens when some fail."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from pipeline import cluster
from pipeline.cluster import Runner
from pipeline.contracts import Task
from pipeline.download import Lock
from pipeline.errors import PartsFailed
from pipeline.job import MANIFEST, Committed, Inputs, TaskResult
from pipeline.plan import Plan, Stage
from pipeline.progress import Watch
from pipeline.registry import fingerprint
from pipeline.storage import Folder
from pipeline.worker import (
    Failed,
    Outcome,
    TaskSpec,
    commit,
    commit_round,
    finished_tasks,
    is_committed,
    open_committed,
    remove_rounds,
    round_folder,
    round_tasks,
    task_list,
)

#: Wall seconds of a stage's wave and seconds of its tasks, beside its manifest and never part of it.
TIMES = "times.json"


@dataclass
class StageRun:
    """One stage of a run, and whether it ran now."""

    stage: Stage
    committed: Committed
    ran: bool


@dataclass
class Run:
    """A finished (or interrupted) run."""

    plan: Plan
    folder: Folder
    lock: Lock
    started: str
    stages: dict[str, StageRun] = field(default_factory=dict)
    #: The last round of each stage that is at work and goes in rounds.
    rounds: dict[str, Committed] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def out(self) -> str:
        """The folder or URL that was given as `out`."""
        return self.folder.url.rpartition("/")[0]

    @property
    def ran(self) -> list[str]:
        """Keys of the stages that were not done before."""
        return [key for key, run in self.stages.items() if run.ran]

    @property
    def dataset(self) -> Folder:
        """The folder of packed shards."""
        return self.stages["pack"].committed.folder

    @property
    def digest(self) -> str:
        """The one hash of the packed corpus: over its training and validation shards."""
        splits = {split: self.dataset.sub(split).read_json(MANIFEST)["digest"] for split in ("train", "validation")}
        return fingerprint(splits)


class Workers:
    """Starts workers when the first task needs them: a run with nothing to do starts none."""

    def __init__(self, number: int | None, local: bool) -> None:
        self._context = cluster.runner(number, local)
        self._runner: Runner | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *error: object) -> None:
        if self._runner:
            self._context.__exit__(None, None, None)

    def get(self) -> Runner:
        self._runner = self._runner or self._context.__enter__()
        return self._runner


def run_wave(state: Run, wave: list[Stage], workers: Workers, watch: Watch) -> None:
    """Run the tasks of stages that don't depend on each other, and commit each stage; PartsFailed once the others are done."""
    begin = time.monotonic()
    todo = [stage for stage in wave if not is_committed(state.folder.sub(stage.folder))]
    busy = {stage.key: _run_rounds(state, stage, workers, watch) for stage in todo}
    tasks = {stage.key: _tasks(state, stage) for stage in todo}
    done = {stage.key: finished_tasks(state.folder.sub(stage.folder)) for stage in todo}
    missing = [(stage, task) for stage in todo for task in tasks[stage.key] if task.name not in done[stage.key]]
    specs = [_spec(state, stage, task, state.folder.sub(stage.folder)) for stage, task in missing]
    finished = sum(len(results) for results in done.values())
    watch.begin(wave[0].step.name, len(specs) + finished, finished)

    def on_outcome(spec: TaskSpec, outcome: Outcome) -> None:
        done[spec.stage][spec.task.name] = outcome.result
        busy[spec.stage] += outcome.seconds
        watch.task(outcome.result.report, outcome.seconds)

    failures = workers.get().map(_largest_first(specs), on_outcome) if specs else []
    failed = {failure.task for failure in failures}
    for stage in wave:
        names = [task.name for task in tasks.get(stage.key, [])]
        if not failed.intersection(names):
            state.stages[stage.key] = _commit(state, stage, [done[stage.key][name] for name in names] if stage in todo else None)
            if stage in todo:
                times = {"seconds": round(time.monotonic() - begin, 3), "task_seconds": round(busy[stage.key], 3)}
                state.folder.sub(stage.folder).write_json(TIMES, times)
    _stop_on(failures, state, wave[0].step.name, sum(len(results) for results in done.values()))
    watch.end([stage.key for stage in todo], [stage.key for stage in wave if stage not in todo])


def _run_rounds(state: Run, stage: Stage, workers: Workers, watch: Watch) -> float:
    """Run what has to come before the stage's own tasks, round after round; rounds that an earlier run committed are done.

    Returns the seconds that the tasks took.
    """
    number, busy = 0, 0.0
    while tasks := round_tasks(stage.step, _inputs(state, stage)):
        number += 1
        folder = round_folder(state.folder.sub(stage.folder), number)
        if not is_committed(folder):
            busy += _run_round(state, stage, tasks, folder, workers, watch)
        state.rounds[stage.key] = open_committed(folder.url)
    return busy


def _run_round(state: Run, stage: Stage, tasks: list[Task], folder: Folder, workers: Workers, watch: Watch) -> float:
    done, busy = finished_tasks(folder), []
    specs = [_spec(state, stage, task, folder) for task in tasks if task.name not in done]
    name = f"{stage.step.name} {folder.url.rpartition('/')[2]}"
    watch.begin(name, len(tasks), len(tasks) - len(specs))

    def on_outcome(spec: TaskSpec, outcome: Outcome) -> None:
        done[spec.task.name] = outcome.result
        busy.append(outcome.seconds)
        watch.task(outcome.result.report, outcome.seconds)

    failures = workers.get().map(specs, on_outcome) if specs else []
    _stop_on(failures, state, stage.step.name, len(done))
    commit_round(folder, stage.key, stage.fingerprint, [done[task.name] for task in tasks])
    watch.end([name], [])
    return sum(busy)


def _stop_on(failures: list[Failed], state: Run, step: str, done: int) -> None:
    """Raise PartsFailed when there are failures, naming each."""
    if failures:
        _keep_tracebacks(state.folder, step, failures)
        raise PartsFailed(step, [(failure.task, failure.cause) for failure in failures], done)


def _keep_tracebacks(folder: Folder, step: str, failures: list[Failed]) -> None:
    """Tracebacks of unexpected errors go to a file: the message stays readable, the evidence stays."""
    texts = [f"{failure.task}\n{failure.traceback}" for failure in failures if failure.traceback]
    if texts:
        folder.write(f"failed-{step}.txt", "\n".join(texts).encode())


def _commit(state: Run, stage: Stage, results: list[TaskResult] | None) -> StageRun:
    """Commit a stage whose tasks are done; None means that it was committed by an earlier run."""
    folder = state.folder.sub(stage.folder)
    if results is None:
        remove_rounds(folder, stage.step)
        return StageRun(stage, open_committed(folder.url), ran=False)
    return StageRun(stage, commit(folder, stage.key, stage.fingerprint, stage.step, _inputs(state, stage), results), ran=True)


def _inputs(state: Run, stage: Stage) -> Inputs:
    inputs = Inputs({role: tuple(state.stages[key].committed for key in keys) for role, keys in stage.inputs.items()})
    return inputs.after(state.rounds[stage.key]) if stage.key in state.rounds else inputs


def _tasks(state: Run, stage: Stage) -> list[Task]:
    return list(stage.tasks) if stage.tasks is not None else task_list(stage.step, stage.key, _inputs(state, stage))


def _spec(state: Run, stage: Stage, task: Task, folder: Folder) -> TaskSpec:
    inputs = {role: tuple(given.folder.url for given in stages) for role, stages in _inputs(state, stage).roles.items()}
    return TaskSpec(stage.key, stage.step, task, folder.url, inputs, state.plan.recipe.seed)


def _largest_first(specs: list[TaskSpec]) -> list[TaskSpec]:
    """Tasks whose size is known start with the largest, so that the last one to finish is small."""
    return sorted(specs, key=lambda spec: -sum(file["size"] for file in spec.task.payload.get("files", ())))
