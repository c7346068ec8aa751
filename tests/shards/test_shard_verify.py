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

from pipeline.errors import ShardError
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


def negate(data: np.ndarray) -> None:
    data[0] = -1


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
        ("doc_index", negate, "name other documents"),
        ("seq_lengths.offsets", lengthen, "rows don't share out"),
        ("seq_lengths.offsets", shift, "rows don't share out"),
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


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.update(seq_len=0), "rows of 0"),
        (lambda m: m.update(seq_len="x"), "seq_len: .* \\(got 'x'\\)"),
        (lambda m: m.update(seq_len=100), "input_ids is not said to be"),
        (lambda m: m.update(dtype="int8"), "int8"),
        (lambda m: m.update(shards=None), "shards: "),
        (lambda m: m.update(packing={}), "`packing` lacks documents"),
        (lambda m: m.update(sources=[1]), "sources.0: "),
        (lambda m: m["sources"][0].pop("quota"), "lacks quota"),
        (lambda m: m["sources"].pop(0), "none of `sources`"),
        (lambda m: m["shards"][1].update(sha256=None), "shards.1.sha256: "),
        (lambda m: m["shards"][1].update(rows=999), "input_ids is not said to be"),
        (lambda m: m["shards"][1].update(file="../../elsewhere.arrow"), "not both in its folder"),
        (lambda m: m["shards"][1]["buffers"].pop("doc_index"), "doc_index is not said to be"),
        (lambda m: m["shards"][1]["buffers"]["doc_index"].update(dtype="zzz"), "doc_index is not said to be"),
        (lambda m: m["shards"][1]["buffers"]["doc_index"].update(offset=-8), "doc_index would begin at byte -8"),
        (lambda m: m["shards"][1]["buffers"]["doc_index"].update(offset=10**9), "doc_index would begin at byte 1,000,000,000"),
    ],
)
def test_a_manifest_of_what_can_not_be_is_refused(copy: Folder, change: Callable[[dict[str, Any]], None], message: str) -> None:
    manifest = copy.read_json("manifest.json")
    change(manifest)
    copy.write("manifest.json", json.dumps(manifest).encode())
    with pytest.raises(ShardError, match=rf"{copy.path('manifest.json')}.*{message}"):
        verify(copy)


@pytest.mark.parametrize("content", ["[]", "null", '"x"', "{}"])
def test_a_file_of_something_else_is_no_manifest(copy: Folder, content: str) -> None:
    copy.write("manifest.json", content.encode())
    with pytest.raises(ShardError, match="not a packed dataset of version 1"):
        verify(copy)


def test_the_tokenizer_beside_the_splits_is_that_of_the_manifest(line: Line, tmp_path: Path) -> None:
    whole = Folder(str(shutil.copytree(line.out.path("pack"), tmp_path / "whole")))
    assert verify(whole.sub("train")).sound
    right = whole.read("tokenizer.json")
    whole.write("tokenizer.json", right + b" ")
    assert [whole.path("tokenizer.json") in problem for problem in verify(whole.sub("train")).problems] == [True]
    whole.write("tokenizer.json", right)
    manifest = whole.read_json("train/manifest.json")
    manifest["tokenizer"]["sha256"] = "0" * 64
    whole.write("train/manifest.json", json.dumps(manifest).encode())
    assert ["the manifest says 0000" in problem for problem in verify(whole.sub("train")).problems] == [True]
    Path(whole.path("tokenizer.json")).unlink()
    assert ["is missing" in problem for problem in verify(whole.sub("validation")).problems] == [True]
    Path(whole.path("dataset_dict.json")).unlink()
    assert verify(whole.sub("validation")).sound
