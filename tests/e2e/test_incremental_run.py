"""Two runs of one recipe, the second against the index of the first, which is asked for afterwards."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from kit import prose

from pipeline.__main__ import main
from pipeline.explain import explain
from pipeline.runfiles import RunFiles
from pipeline.storage import Folder

RECIPE = """\
name: month
seed: 1
part_bytes: 4000
sources:
  web: {share: 1, inputs: [{fetch: {files: {paths: [INPUT]}}, read: any}]}
tokenizer: {vocab_size: 400, sample_bytes: 60000}
mix: {shard_tokens: 8192, holdout: 0.1}
pack: {seq_len: 128}
dedupe: {max_removed: 1.0}
"""


def pages(folder: Path, names: list[str]) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / f"{name}.txt").write_text(prose(name), "utf-8")
    return folder


def mill(folder: Path, texts: Path, *settings: str) -> RunFiles:
    recipe = folder / "month.yaml"
    recipe.write_text(RECIPE.replace("INPUT", str(texts)))
    given = [part for item in settings for part in ("--set", item)]
    with pytest.raises(SystemExit) as end:
        main(["run", str(recipe), "--out", str(folder / "out"), "--local", *given])
    assert end.value.code == 0
    return RunFiles(Folder(str(folder / "out" / "month")))


def kept(run: RunFiles) -> int:
    return sum(next(run.stages("dedupe")).report.kept.values())


def test_a_month_after_another(tmp_path: Path) -> None:
    january = [f"page {n}" for n in range(20)]
    old = pages(tmp_path / "january" / "texts", january)
    first = mill(tmp_path / "january", old)
    assert not list(first.stages("index"))
    first = mill(tmp_path / "january", old, "index={}")
    assert [entry["stage"] for entry in first.facts["stages"] if entry["ran"]] == ["index"]
    shutil.rmtree(old)
    for stage in first.facts["stages"]:
        if stage["stage"] != "index":
            shutil.rmtree(first.folder.path(stage["folder"]))
    shutil.rmtree(tmp_path / "january" / "out" / "cache", ignore_errors=True)

    new = pages(tmp_path / "february" / "texts", january[15:] + [f"new {n}" for n in range(20)])
    alone = mill(tmp_path / "february", new)
    assert kept(alone) == 25
    run = mill(tmp_path / "february", new, f"dedupe.against=[{tmp_path / 'january' / 'out' / 'month'}]")
    assert kept(run) == 20
    assert {entry["stage"] for entry in run.facts["stages"] if not entry["ran"]} == {"extract", "filter", "signatures"}
    (story,) = explain(run.folder, "page 17.txt")
    assert story.verdict == "out: dedupe exact_duplicate"
    there = {name for file in first.files("index", "documents") for name in file.table(["id"]).column("id").to_pylist()}
    assert story.events[-1].facts["twin"] in there
