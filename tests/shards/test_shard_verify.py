"""Verification: a sound dataset has no problems; every kind of damage is found and named."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packing_kit import Line

from pipeline.shards.layout import dataset_digest
from pipeline.shards.read import Dataset, open_dataset
from pipeline.shards.verify import verify
from pipeline.storage import Folder


@pytest.fixture
def copy(line: Line, tmp_path: Path) -> Folder:
    """A dataset to damage."""
    shutil.copytree(line.train.path(""), tmp_path / "train")
    return Folder(str(tmp_path / "train"))


def edit(folder: Folder, name: str, change: Callable[[np.ndarray], None], array: str = "", resign: bool = True) -> None:
    """Change a file's bytes (or one array in a shard), and with `resign` make the manifest's hashes agree."""
    manifest = folder.read_json("manifest.json")
    data = np.frombuffer(folder.read(name), np.uint8).copy()
    shard = next(s for s in manifest["shards"] if name in (s["file"], s["docs"]["file"]))
    place = shard["buffers"][array] if array else {"offset": 0, "count": len(data), "dtype": "u1"}
    size = place["count"] * np.dtype(place["dtype"]).itemsize
    change(data[place["offset"] : place["offset"] + size].view(place["dtype"]))
    folder.write(name, data.tobytes())
    if resign:
        shard["sha256"] = hashlib.sha256(data).hexdigest()
        manifest["digest"] = dataset_digest([s["sha256"] for s in manifest["shards"]])
        folder.write_json("manifest.json", manifest)


def test_a_sound_dataset_has_no_problems(line: Line, dataset: Dataset) -> None:
    found = verify(line.train)
    assert found.sound
    assert found.problems == ()
    assert (found.shards, found.rows, found.tokens) == (len(dataset.shards), dataset.manifest.rows, 60_000)


def test_one_flipped_bit_is_found_and_named(copy: Folder) -> None:
    names = [name for name in copy.names() if name.startswith(("data-00003", "docs-00002"))]
    for name in names:

        def flip(data: np.ndarray) -> None:
            data[len(data) // 2] ^= 1

        edit(copy, name, flip, resign=False)
    problems = verify(copy).problems
    assert len(problems) == 2
    assert any("docs-00002.parquet: damaged" in problem for problem in problems)
    assert any("data-00003-of-" in problem and "damaged" in problem for problem in problems)


def test_missing_and_short_files_are_named(copy: Folder) -> None:
    first, second = (shard.facts.file for shard in open_dataset(copy).shards[:2])
    Path(copy.path(first)).unlink()
    Path(copy.path(second)).write_bytes(copy.read(second)[:-8])
    problems = verify(copy).problems
    assert [first in problems[0], second in problems[1], len(problems)] == [True, True, 2]


def swap_ids(data: np.ndarray) -> None:
    data[0] = 60_000


def lengthen(data: np.ndarray) -> None:
    data[0] += 128


def nothing(data: np.ndarray) -> None:
    data[1] += data[0]
    data[0] = 0


def shift(data: np.ndarray) -> None:
    data[-1] += 1


def rename(data: np.ndarray) -> None:
    data[:] = 0


@pytest.mark.parametrize(
    ("array", "change", "message"),
    [
        ("input_ids", swap_ids, "id 60000 is beyond the tokenizer's 1000"),
        ("seq_lengths", lengthen, "tokens; the manifest has other numbers"),
        ("seq_lengths", lengthen, "its pieces add up to"),
        ("seq_lengths", nothing, "a piece has no tokens"),
        ("doc_offset", shift, "are not its tokens"),
        ("doc_index", rename, "name other documents"),
    ],
)
def test_shards_that_were_rewritten_with_new_hashes_are_still_counted_again(
    copy: Folder, array: str, change: Callable[[np.ndarray], None], message: str
) -> None:
    edit(copy, open_dataset(copy).shards[2].facts.file, change, array)
    problems = verify(copy).problems
    assert any(message in problem and "data-00002-of-" in problem for problem in problems), problems


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(digest="0" * 64), "the digest is not that of its shards"),
        (lambda m: m.update(tokens=1), "not the sums"),
        (lambda m: m["sources"][0].update(quota=7), "its quota is 7"),
        (lambda m: m["shards"][0]["sources"].update(web=1), "tokens by source are"),
        (lambda m: m["shards"][0]["buffers"]["seq_lengths"].update(offset=8), "other places for its arrays"),
    ],
)
def test_a_manifest_that_says_something_else_is_found_out(copy: Folder, change: Callable[[dict[str, Any]], None], message: str) -> None:
    manifest = copy.read_json("manifest.json")
    change(manifest)
    copy.write("manifest.json", json.dumps(manifest).encode())
    assert any(message in problem for problem in verify(copy).problems)
