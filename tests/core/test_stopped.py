"""A run that stops says how far it came, and what it dropped can be looked at; the next that finishes takes its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from pipeline.__main__ import app
from pipeline.errors import TokenmillError
from pipeline.explain import explain
from pipeline.progress import Silent
from pipeline.recipe import parse_recipe
from pipeline.rejects import count_rejects
from pipeline.run import Options, run
from pipeline.runfiles import RUN_FILE, STOPPED_FILE, last_run
from pipeline.storage import Folder

RECIPE = """\
name: tiny
sources:
  web:
    share: 1
    inputs: [{{fetch: {{files: {{paths: ["{texts}"]}}}}, read: any}}]
    filters: [{{length: {{min_chars: 20}}}}]
tokenizer: {{vocab_size: 300, sample_bytes: 10000}}
mix: {{holdout: 0, tokens: {tokens}}}
pack: {{seq_len: 16}}
"""


def go(folder: Path, tokens: int) -> None:
    texts = folder / "texts"
    texts.mkdir(exist_ok=True)
    for number in range(30):
        (texts / f"{number}.txt").write_text(f"A text of some length, the {number}th of them, with words." if number else "short")
    recipe = parse_recipe(RECIPE.format(texts=texts, tokens=tokens), "tiny.yaml")
    run(recipe, Options(str(folder / "out"), local=True), Silent())


def test_what_a_stopped_run_dropped_can_be_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(str(tmp_path / "out")).sub("tiny")
    with pytest.raises(TokenmillError, match="foretold"):
        go(tmp_path, tokens=10**9)
    assert folder.exists(STOPPED_FILE)
    assert not folder.exists(RUN_FILE)
    assert "can't be made" in last_run(folder).stopped
    assert [(count.reason, count.documents) for count in count_rejects(folder)] == [("length:few_chars", 1)]
    assert [story.verdict for story in explain(folder, "texts/0.txt")] == ["out: filter length:few_chars"]
    assert [story.verdict for story in explain(folder, "texts/17.txt")] == ["in so far: dedupe"]
    monkeypatch.chdir(tmp_path)
    shown = CliRunner().invoke(app, ["rejects", "tiny", "--out", str(tmp_path / "out")])
    assert "of a run that stopped" in shown.stderr
    assert "length:few_chars" in shown.stdout

    go(tmp_path, tokens=100)
    assert folder.exists(RUN_FILE)
    assert not folder.exists(STOPPED_FILE)
    assert last_run(folder).stopped == ""

    with pytest.raises(TokenmillError):
        go(tmp_path, tokens=10**9)
    assert folder.read_json(RUN_FILE)["digest"]
    assert last_run(folder).stopped
