"""Stages that go in rounds, run by the driver: stopped anywhere and started again they come to the same files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from dedupe_kit import Doc, committed_docs, edited, text

from pipeline.dedupe import merging
from pipeline.download import Lock
from pipeline.errors import PartsFailed
from pipeline.job import ROUNDS
from pipeline.plan import Plan, Stage
from pipeline.progress import Silent
from pipeline.recipe import Recipe
from pipeline.registry import bind
from pipeline.report import Report
from pipeline.stages import candidates, components
from pipeline.storage import Folder
from pipeline.waves import Run, StageRun, Workers, run_wave

LIKENESS = {"threshold": 0.6, "priority": []}
#: The stages of dedupe: what each reads, and its arguments.
STAGES: Mapping[str, tuple[tuple[str, ...], Mapping[str, Any]]] = {
    "signatures": (("filter",), {}),
    "candidates": (("signatures",), {}),
    "components": (("signatures", "candidates"), {}),
    "gather": (("filter", "signatures", "components"), {}),
    "verify": (("gather",), {**LIKENESS, "shingle_words": 5}),
    "dedupe": (("filter", "signatures", "verify"), {**LIKENESS, "max_removed": 1.0}),
}


class Stops(Silent):
    """Ends the run, as a killed driver does, once so many tasks are finished; None never does."""

    def __init__(self, after: int | None) -> None:
        self.after = after
        self.tasks = 0
        self.waves: list[str] = []

    def begin(self, wave: str, total: int, done: int) -> None:
        self.waves.append(wave)

    def task(self, report: Report, seconds: float) -> None:
        self.tasks += 1
        if self.tasks == self.after:
            raise KeyboardInterrupt


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "KEYS_PER_TASK", 150)
    monkeypatch.setattr(components, "LINKS_PER_TASK", 20)
    monkeypatch.setattr(components, "DOCUMENTS_PER_TASK", 20)
    monkeypatch.setattr(merging, "MOST_OPENS", 3)


def documents() -> dict[str, list[Doc]]:
    chain = [(f"{n}", edited(text(60, "chain"), *range(n, n + 40))) for n in range(20)]
    copies = [(f"copy {n}", text(20, "copy")) for n in range(20)]
    mingled: list[Doc] = [doc for pair in zip(chain[::-1], copies, strict=True) for doc in pair]
    return {f"web-{part:05d}": mingled[part::5] for part in range(5)}


def drive(folder: Path, watch: Stops) -> dict[str, str]:
    """Run all stages, or go on where an earlier call was stopped; the hashes of all files, by stage and name."""
    out = Folder(str(folder))
    docs = committed_docs(out.sub("filter"), documents())
    state = Run(Plan(cast("Recipe", SimpleNamespace(seed=0))), out, cast("Lock", None), "")
    state.stages["filter"] = StageRun(Stage("filter", bind("stage", "filter", {})[0], None, {}, ""), docs, ran=False)
    with Workers(None, local=True) as workers:
        for name, (reads, args) in STAGES.items():
            step = bind("stage", name, args)[0]
            run_wave(state, [Stage(name, step, None, {role: (role,) for role in reads}, "0" * 12)], workers, watch)
    return {f"{key}/{entry.name}": entry.sha256 for key, run in state.stages.items() for entry in run.committed.files()}


@pytest.fixture
def whole(tmp_path: Path) -> tuple[dict[str, str], Stops]:
    watch = Stops(None)
    return drive(tmp_path / "whole", watch), watch


def test_the_driver_runs_rounds_and_removes_them(tmp_path: Path, whole: tuple[dict[str, str], Stops]) -> None:
    files, watch = whole
    assert {"candidates 1", "components 1", "components 2", "components 3", "verify 1", "dedupe 1"} <= set(watch.waves)
    assert not list((tmp_path / "whole").glob(f"*/{ROUNDS}"))
    assert not any(name.partition("/")[2].startswith(ROUNDS) for name in files)
    again = Stops(None)
    assert drive(tmp_path / "whole", again) == files
    assert again.tasks == 0


def test_a_run_stopped_anywhere_goes_on_to_the_same_files(tmp_path: Path, whole: tuple[dict[str, str], Stops]) -> None:
    files, watch = whole
    stops = sorted({1 + watch.tasks * part // 5 for part in range(5)})
    for after in stops:
        folder = tmp_path / f"{after}"
        with pytest.raises(KeyboardInterrupt):
            drive(folder, Stops(after))
        again = Stops(None)
        assert drive(folder, again) == files
        assert again.tasks <= watch.tasks - after + 1
        assert not list(folder.glob(f"*/{ROUNDS}"))


def test_a_failed_task_of_a_round_is_named_and_the_others_stay(tmp_path: Path, whole: tuple[dict[str, str], Stops]) -> None:
    whole_files, _ = whole
    with pytest.MonkeyPatch.context() as patch:
        forest, calls = components.forest, iter(range(1000))

        def failing(*links: Any) -> Any:
            if next(calls) == 1:
                raise ZeroDivisionError("by chance")
            return forest(*links)

        patch.setattr(components, "forest", failing)
        with pytest.raises(PartsFailed, match=r"stage components: 1 of \d+ parts failed"):
            drive(tmp_path / "fails", Stops(None))
    assert drive(tmp_path / "fails", Stops(None)) == whole_files
