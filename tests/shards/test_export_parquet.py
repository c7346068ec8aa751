"""The Parquet export: read back by another library, it is the dataset."""

from __future__ import annotations

from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
from packing_kit import Line

from pipeline import registry
from pipeline.shards import export_parquet as module
from pipeline.shards.layout import DOCS
from pipeline.shards.read import Dataset
from pipeline.storage import Folder


def export(line: Line, target: Path, **args: object) -> None:
    step, mistakes = registry.bind("export", "parquet", args)
    assert not mistakes
    step(line.train, Folder(str(target)))


def test_every_row_comes_back(line: Line, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "GROUP_ROWS", 17)
    export(line, tmp_path)
    files = sorted(str(path) for path in tmp_path.glob("train-*.parquet"))
    assert files[0].endswith("train-00000-of-00008.parquet")
    loaded = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"), split="train").with_format("numpy")
    assert loaded.column_names == ["input_ids", "seq_lengths", "doc_index", "doc_offset"]
    for mine, row in zip(loaded, dataset.rows(), strict=True):
        for name in loaded.column_names:
            assert np.array_equal(mine[name], getattr(row, name))
    assert pq.read_metadata(files[0]).row_group(0).num_rows == 17
    docs = pq.read_table(tmp_path / "docs" / "docs-00001.parquet")
    assert docs.schema.equals(DOCS)
    assert docs.equals(dataset.shards[1].docs)


def test_labels_leave_out_padding_and_the_first_token_of_each_piece(line: Line, dataset: Dataset, tmp_path: Path) -> None:
    export(line, tmp_path, labels=True)
    files = sorted(tmp_path.glob("train-*.parquet"))
    labels = [label for file in files for label in pq.read_table(file, columns=["labels"]).column("labels").to_pylist()]
    for row, found in zip(dataset.rows(), labels, strict=True):
        want: list[int] = []
        for length in row.seq_lengths.tolist():
            start = len(want)
            want += [-100, *row.input_ids[start + 1 : start + length].tolist()]
        assert found == [*want, *[-100] * (128 - len(want))]
    assert sum(label != -100 for row in labels for label in row) == sum(shard.loss_tokens for shard in dataset.manifest.shards)


def test_a_dataset_of_nothing_is_exported_too(line: Line, tmp_path: Path) -> None:
    module.export_parquet(line.out.sub("pack/validation"), Folder(str(tmp_path)), labels=True)
    assert pq.read_table(tmp_path / "validation-00000-of-00001.parquet").num_rows == 0
