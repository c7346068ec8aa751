"""A folder of shards is a dataset of `datasets`, and its arrays lie where the manifest says: both see the same rows."""

from __future__ import annotations

import json
from pathlib import Path

import datasets
import numpy as np
import pyarrow as pa
import pytest
from packing_kit import Line

from pipeline.shards.read import Dataset
from pipeline.shards.write import buffers_of, shard_bytes


def test_datasets_and_numpy_alone_read_the_same_rows(line: Line, dataset: Dataset) -> None:
    loaded = datasets.load_from_disk(line.train.path("")).with_format("numpy")
    manifest = json.loads(Path(line.train.path("manifest.json")).read_text("utf-8"))
    assert len(loaded) == manifest["rows"] == sum(1 for _ in dataset.rows())
    row = 0
    for shard in manifest["shards"]:
        path = line.train.path(shard["file"])

        def mapped(name: str, shard: dict = shard, path: str = path) -> np.ndarray:  # type: ignore[type-arg]
            place = shard["buffers"][name]
            return np.memmap(path, place["dtype"], "r", place["offset"], (place["count"],))

        ids = mapped("input_ids").reshape(-1, manifest["seq_len"])
        for number in range(shard["rows"]):
            mine = loaded[row]
            assert np.array_equal(mine["input_ids"], ids[number])
            for name in ("seq_lengths", "doc_index", "doc_offset"):
                first, last = mapped(f"{name}.offsets")[number : number + 2]
                assert np.array_equal(mine[name], mapped(name)[first:last])
            row += 1
    assert row == len(loaded)


def test_the_folder_above_opens_as_splits_and_files_open_alone(line: Line) -> None:
    loaded = datasets.load_from_disk(line.out.path("pack"))
    assert set(loaded) == {"train", "validation"}
    assert loaded["validation"].num_rows == 0
    first = json.loads(Path(line.train.path("manifest.json")).read_text("utf-8"))["shards"][0]
    alone = datasets.Dataset.from_file(line.train.path(first["file"]))
    assert alone.num_rows == first["rows"]
    assert alone.features == loaded["train"].features


def test_streaming_gives_the_same_rows(line: Line, dataset: Dataset, tmp_path: Path) -> None:
    files = [line.train.path(shard.facts.file) for shard in dataset.shards]
    streamed = datasets.load_dataset("arrow", data_files={"train": files}, split="train", streaming=True, cache_dir=str(tmp_path))
    for mine, row in zip(streamed, dataset.rows(), strict=True):
        for name in ("input_ids", "seq_lengths", "doc_index", "doc_offset"):
            assert mine[name] == getattr(row, name).tolist()


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_shard_is_one_uncompressed_batch_whose_arrays_are_found_again(rows: int) -> None:
    ids = np.arange(rows * 16, dtype=np.uint16).reshape(rows, 16)
    starts = np.arange(rows + 1) * 2
    columns = {name: np.arange(rows * 2) for name in ("seq_lengths", "doc_index", "doc_offset")}
    data = shard_bytes(ids, starts, columns)
    (batch,) = pa.ipc.open_stream(data)
    assert batch.column("input_ids").to_pylist() == ids.tolist()
    assert batch.column("doc_offset").to_pylist() == [[2 * row, 2 * row + 1] for row in range(rows)]
    raw = data.to_pybytes()
    for name, place in buffers_of(data).items():
        found = np.frombuffer(raw, place.dtype, place.count, place.offset)
        want = ids.reshape(-1) if name == "input_ids" else starts if name.endswith(".offsets") else columns[name]
        assert np.array_equal(found, want if rows or not name.endswith(".offsets") else found)
