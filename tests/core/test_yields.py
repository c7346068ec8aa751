"""How many files so many tokens take: checked against what the run itself holds."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from pipeline.errors import StorageError, TokenmillError
from pipeline.job import MANIFEST
from pipeline.runfiles import RUN_FILE, RunFiles
from pipeline.storage import Folder
from pipeline.yields import needed


def test_a_mix_as_large_as_the_run_needs_no_more_than_the_run_had(tiny: Path) -> None:
    run = Folder(str(tiny / "mix-v1"))
    packed = RunFiles(run)
    plan = next(packed.files("mix", "plan")).folder.read_json("mix.plan.json")
    tokens = plan["pools"]["train"]["tokens"]
    need = needed(run, tokens)
    for source in need.sources:
        assert source.measured_tokens == sum(
            table.num_rows and sum(table["n_tokens"].to_pylist())
            for table in (
                file.table(["n_tokens"]) for file in packed.files("tokenize", "tokens") if file.entry.name.startswith(source.source)
            )
        )
        assert 0 < source.files <= source.measured_files
        assert source.download_bytes <= source.measured_bytes
    assert need.disk_bytes <= sum(run.sizes().values())


def test_ten_times_the_tokens_take_ten_times_the_files(tiny: Path) -> None:
    run = Folder(str(tiny / "mix-v1"))
    small, large = needed(run, 1_000_000), needed(run, 10_000_000)
    for one, ten in zip(small.sources, large.sources, strict=True):
        assert ten.tokens == pytest.approx(10 * one.tokens, abs=10)
        assert ten.files == math.ceil(ten.tokens * ten.measured_files / ten.measured_tokens)
        assert 9 * one.files < ten.files <= 10 * one.files
        assert ten.download_bytes == math.ceil(ten.files * ten.measured_bytes / ten.measured_files)
    assert large.download_bytes == sum(source.download_bytes for source in large.sources)


def test_nothing_to_measure_on(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="no run there"):
        needed(Folder(str(tmp_path)), 1000)
    run = Folder(str(tiny / "mix-v1"))
    facts = run.read_json(RUN_FILE)
    facts["stages"] = [entry for entry in facts["stages"] if entry["stage"] == "tokenize" and entry["source"] != "books"]
    for entry in facts["stages"]:
        manifest = json.loads((Path(run.path(entry["folder"])) / MANIFEST).read_text())
        (tmp_path / entry["folder"]).mkdir()
        (tmp_path / entry["folder"] / MANIFEST).write_text(json.dumps(manifest))
    Folder(str(tmp_path)).write_json(RUN_FILE, facts)
    with pytest.raises(TokenmillError, match="books gave no tokens"):
        needed(Folder(str(tmp_path)), 1000)
