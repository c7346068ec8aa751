"""The driver: fetch, plan, run wave after wave, commit. It keeps no state of its own: what is done is what is on disk."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pipeline.download import Lock, fetch, publish
from pipeline.errors import StorageError, TokenmillError
from pipeline.fetching.tally import Tally
from pipeline.gates import check_before_going_on
from pipeline.plan import Plan, make_plan
from pipeline.progress import Watch
from pipeline.recipe import Recipe
from pipeline.runfiles import RUN_FILE, STOPPED_FILE, tokenizer_of
from pipeline.storage import Folder
from pipeline.waves import TIMES, Run, StageRun, Workers, run_wave


@dataclass(frozen=True)
class Options:
    """Where and how a run works; none of it may change a byte of what is written."""

    out: str = "out"
    cache: str = ""
    workers: int | None = None
    local: bool = False
    update: bool = False

    @property
    def cache_path(self) -> Path:
        return Path(self.cache or (self.out if "://" not in self.out else "out")) / ("" if self.cache else "cache")


def run_folder(recipe: Recipe, out: str) -> Folder:
    """The folder of a recipe's runs."""
    return Folder(out).sub(recipe.name)


def fetch_and_plan(recipe: Recipe, options: Options, tally: Tally | None = None) -> tuple[Lock, Plan]:
    """Fetch the inputs (a second time nothing is fetched), write the lock file, and plan on it."""
    folder = run_folder(recipe, options.out)
    if recipe.tokenizer_from:
        recipe = recipe.with_tokenizer_of(tokenizer_of(Folder(options.out).sub(recipe.tokenizer_from)))
    lock = fetch(recipe, options.cache_path, update=options.update, tally=tally)
    folder.write_json(f"{recipe.profile or 'inputs'}.lock.json", lock.to_json())
    return lock, make_plan(recipe, publish(lock, folder.sub("inputs")))


def run(recipe: Recipe, options: Options, watch: Watch) -> Run:
    """Run a recipe to packed shards.

    Raises TokenmillError; what was committed stays, stopped.json says how far it came, and running again goes on from it.
    """
    start = time.monotonic()
    lock, plan = fetch_and_plan(recipe, options, watch.downloads())
    for text in (*(f"missing: {text}" for text in lock.missing), *(f"left out: {text}" for text in plan.left_out)):
        watch.say(text)
    watch.say(f"download: {len(lock.inputs)} input files, {sum(item.file.size for item in lock.inputs) / 1e6:,.1f} MB, locked")
    state = Run(plan, run_folder(recipe, options.out), lock, datetime.now(UTC).isoformat(timespec="seconds"))
    try:
        _run_waves(state, options, watch)
    except TokenmillError as error:
        state.seconds = time.monotonic() - start
        state.folder.write_json(STOPPED_FILE, {**run_facts(state, options), "stopped": str(error).partition("\n")[0]})
        raise
    state.seconds = time.monotonic() - start
    state.folder.write_json(RUN_FILE, run_facts(state, options))
    state.folder.sub(STOPPED_FILE).remove()
    _link_results(state)
    return state


def _run_waves(state: Run, options: Options, watch: Watch) -> None:
    with Workers(options.workers, options.local) as workers:
        for wave in state.plan.waves():
            run_wave(state, wave, workers, watch)
            check_before_going_on(state, wave[0].step.name)
            if wave[0].step.name == "mix":
                watch.say(_mix_in_words(state))


def _mix_in_words(state: Run) -> str:
    """What the mix takes, and what allows no more."""
    pool = json.loads(state.stages["mix"].committed.folder.read("mix.plan.json"))["pools"]["train"]
    taken = (f"{stream['source']} {stream['quota']:,} ({stream['epochs']:.2f} passes)" for stream in pool["sources"] if stream["quota"])
    return f"mix: {pool['tokens']:,} tokens, bound by {pool['bound_by']}: {', '.join(taken)}"


def _link_results(state: Run) -> None:
    """On a disk, `dataset` and `tokenizer` always lead to what the last run made; elsewhere run.json says where it is."""
    if state.folder.is_local:
        others = {f"dataset{key.removeprefix('pack')}": key for key in state.stages if key.startswith("pack-")}
        for name, key in {"dataset": "pack", **others, "tokenizer": "tokenizer"}.items():
            link = Path(state.folder.path(name))
            if link.is_dir() and not link.is_symlink():
                raise StorageError(f"{link} is a folder, where a link to the last run's {name} belongs: move it away and run again")
            aside = link.with_name(f".{name}-{os.getpid()}")
            aside.symlink_to(state.stages[key].stage.folder, target_is_directory=True)
            aside.replace(link)


def run_facts(state: Run, options: Options) -> dict[str, Any]:
    """What run.json holds: which folders make up the run, and what the manifests don't say (times, labels, inputs)."""
    recipe = state.plan.recipe
    return {
        "recipe": recipe.name,
        "profile": recipe.profile,
        "about": recipe.about,
        "seed": recipe.seed,
        "stages": [_stage_facts(run) for run in state.stages.values()],
        "sources": {s.name: {"share": s.share, "about": s.about, "max_epochs": s.max_epochs} for s in recipe.sources},
        "lock": state.lock.to_json()["inputs"],
        "missing": list(state.lock.missing),
        "digest": state.digest if "pack" in state.stages else "",
        "started": state.started,
        "seconds": round(state.seconds, 3),
        "workers": options.workers,
        "version": version("tokenmill"),
    }


def _stage_facts(run: StageRun) -> dict[str, Any]:
    return {
        "key": run.stage.key,
        "stage": run.stage.step.name,
        "source": run.stage.source,
        "folder": run.stage.folder,
        "fingerprint": run.stage.fingerprint,
        "ran": run.ran,
        **_times(run.committed.folder),
    }


def _times(folder: Folder) -> dict[str, float]:
    """What a stage took when it ran: it may have been in an earlier run, which may have failed later."""
    return folder.read_json(TIMES) if folder.exists(TIMES) else {"seconds": 0.0, "task_seconds": 0.0}
