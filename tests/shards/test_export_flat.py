"""Flat tokens, against readers of their own: datatrove's where it can run, else one written from the layout."""

from __future__ import annotations

import csv
import gzip
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from datatrove.utils.dataset import DatatroveFileDataset
from packing_kit import Line

from pipeline import registry
from pipeline.errors import ShardError
from pipeline.shards.export_flat import _nanogpt_head
from pipeline.shards.read import Dataset
from pipeline.shards.unpack import documents
from pipeline.storage import Folder


@pytest.fixture
def whole(dataset: Dataset) -> list[list[int]]:
    """The documents in the order of the export."""
    parts = [(tokens, np.cumsum(lengths)[:-1]) for tokens, lengths in documents(dataset)]
    return [document.tolist() for tokens, ends in parts for document in np.split(tokens, ends) if len(tokens)]


def export(line: Line, target: Path, **args: object) -> None:
    step, mistakes = registry.bind("export", "flat", args)
    assert not mistakes
    step(line.train, Folder(str(target)))


def test_datatrove_reads_its_layout(line: Line, whole: list[list[int]], tmp_path: Path) -> None:
    export(line, tmp_path)
    ids = [token for document in whole for token in document]
    read = DatatroveFileDataset(str(tmp_path / "tokens.ds"), 99, token_size=2, return_positions=True)
    assert len(read) == 600
    rows = [read[number] for number in range(len(read))]
    assert np.concatenate([row["input_ids"].numpy() for row in rows]).tolist() == ids
    positions = np.concatenate([np.arange(len(document)) for document in whole]).reshape(600, 100)
    inside = positions[:, 1:] - positions[:, :-1] != 1  # datatrove calls the first of every window the first of a document
    assert all(np.array_equal((np.diff(row["positions"].numpy()) != 1)[1:], cut[1:]) for row, cut in zip(rows, inside, strict=True))
    assert (tmp_path / "tokens.ds.metadata").read_text().splitlines()[0].endswith("|2")
    assert (tmp_path / "tokens.ds.metadata").read_text().splitlines()[1] == "60000"


def test_olmo_core_finds_each_document(line: Line, whole: list[list[int]], tmp_path: Path) -> None:
    export(line, tmp_path, layout="olmo", prefix="part-0")
    ids = np.memmap(tmp_path / "part-0.npy", "<u2", "r")
    with gzip.open(tmp_path / "part-0.csv.gz", "rt") as file:
        edges = [(int(start), int(end)) for start, end in csv.reader(file)]
    assert [ids[start:end].tolist() for start, end in edges] == whole
    assert edges[-1][1] == len(ids) == 60_000


def test_nanogpt_checks_its_header(line: Line, whole: list[list[int]], tmp_path: Path) -> None:
    export(line, tmp_path, layout="nanogpt")
    head = np.fromfile(tmp_path / "tokens.bin", "<i4", 256)
    assert head[:3].tolist() == [20240520, 1, 60_000]
    assert not head[3:].any()
    assert np.fromfile(tmp_path / "tokens.bin", "<u2", offset=1024).tolist() == [token for document in whole for token in document]


def test_what_nanogpt_cannot_hold_is_refused(dataset: Dataset) -> None:
    with pytest.raises(ShardError, match="two bytes"):
        _nanogpt_head(replace(dataset.manifest, dtype="uint32"))
    with pytest.raises(ShardError, match="smaller split"):
        _nanogpt_head(replace(dataset.manifest, tokens=1 << 31))
    assert len(_nanogpt_head(replace(dataset.manifest, tokens=(1 << 31) - 1))) == 1024


@pytest.mark.parametrize("layout", ["datatrove", "olmo", "nanogpt"])
def test_every_layout_holds_a_dataset_of_nothing(layout: str, line: Line, tmp_path: Path) -> None:
    registry.lookup("export", "flat").function(line.out.sub("pack/validation"), Folder(str(tmp_path)), layout=layout)
    sizes = Counter({path.suffix: path.stat().st_size for path in tmp_path.iterdir()})
    assert sizes[".ds"] + sizes[".npy"] + sizes[".index"] == 0
    assert sizes[".bin"] in (0, 1024)


def test_an_unknown_layout_is_a_mistake() -> None:
    _, mistakes = registry.bind("export", "flat", {"layout": "litgpt"})
    assert [key for key, _ in mistakes] == ["layout"]
