"""The MDS export, against a small reader written from the layout."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from packing_kit import Line

from pipeline import registry
from pipeline.errors import ShardError
from pipeline.shards import export_mds as module
from pipeline.shards.read import Dataset
from pipeline.storage import Folder


def read(folder: Path) -> Iterator[dict[str, np.ndarray]]:
    """The samples of all files that the index lists."""
    index = json.loads((folder / "index.json").read_text())
    assert index["version"] == 2
    for shard in index["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert (shard["format"], shard["version"], len(data)) == ("mds", 2, shard["raw_data"]["bytes"])
        assert hashlib.sha256(data).hexdigest() == shard["raw_data"]["hashes"]["sha256"]
        number = int(np.frombuffer(data, "<u4", 1)[0])
        offsets = np.frombuffer(data, "<u4", number + 1, 4)
        assert (number, offsets[-1]) == (shard["samples"], len(data))
        config = json.loads(data[4 + 4 * len(offsets) : offsets[0]])
        assert config.items() <= shard.items()
        for start, end in pairwise(offsets):
            yield sample(data[start:end], config)


def sample(data: bytes, config: dict[str, Any]) -> dict[str, np.ndarray]:
    vary = config["column_sizes"].count(None)
    sizes, at = iter(np.frombuffer(data, "<u4", vary).tolist()), 4 * vary
    found = {}
    for name, encoding, size in zip(config["column_names"], config["column_encodings"], config["column_sizes"], strict=True):
        size = size or next(sizes)
        found[name] = array(data[at : at + size], *encoding.split(":")[1:])
        at += size
    assert at == len(data)
    return found


def array(data: bytes, dtype: str, shape: str = "") -> np.ndarray:
    if shape:
        return np.frombuffer(data, dtype).reshape(int(shape))
    dimensions, width = data[0] >> 2, data[0] & 3
    assert dimensions == 1
    (length,) = np.frombuffer(data, f"<u{1 << width}", 1, 1)
    return np.frombuffer(data, dtype, offset=1 + (1 << width)).reshape(int(length))


def test_every_row_comes_back(line: Line, dataset: Dataset, tmp_path: Path) -> None:
    registry.lookup("export", "mds").function(line.train, Folder(str(tmp_path)))
    found = list(read(tmp_path))
    assert len(found) == dataset.manifest.rows
    for mine, row in zip(found, dataset.rows(), strict=True):
        assert mine["input_ids"].dtype == np.uint16
        assert np.array_equal(mine["input_ids"], row.input_ids)
        assert np.array_equal(mine["seq_lengths"], row.seq_lengths)


@pytest.mark.parametrize(("length", "width"), [(0, 1), (255, 1), (256, 2), (65_536, 4)])
def test_the_width_of_a_shape_grows_with_it(length: int, width: int) -> None:
    data = module._array(np.arange(length, dtype="<i4"))
    assert len(data) == 1 + width + 4 * length
    assert array(data, "int32").tolist() == list(range(length))


def test_files_beyond_32_bits_are_refused(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_BYTES", 10_000)
    with pytest.raises(ShardError, match="pack smaller shards"):
        module.export_mds(line.train, Folder(str(tmp_path)))


def test_a_dataset_of_nothing_has_an_index(line: Line, tmp_path: Path) -> None:
    module.export_mds(line.out.sub("pack/validation"), Folder(str(tmp_path)))
    assert list(read(tmp_path)) == []
