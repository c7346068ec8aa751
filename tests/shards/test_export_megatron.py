"""The Megatron export, against a small reader written from the layout: whole documents, each as often as it was used."""

from __future__ import annotations

import struct
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from packing_kit import Line, ids_of

from pipeline import registry
from pipeline.errors import ShardError
from pipeline.shards.export_megatron import _index
from pipeline.shards.read import Dataset
from pipeline.storage import Folder

TYPES = {1: "u1", 2: "i1", 3: "i2", 4: "i4", 5: "i8", 6: "f8", 7: "f4", 8: "u2"}


def read(prefix: Path) -> list[list[int]]:
    """The documents of an indexed dataset."""
    raw = prefix.with_suffix(".idx").read_bytes()
    assert raw[:9] == b"MMIDIDX\x00\x00"
    version, code, sequences, boundaries = struct.unpack_from("<QBQQ", raw, 9)
    assert version == 1
    at = 9 + struct.calcsize("<QBQQ")
    lengths = np.frombuffer(raw, "<i4", sequences, at)
    pointers = np.frombuffer(raw, "<i8", sequences, at + 4 * sequences)
    documents = np.frombuffer(raw, "<i8", boundaries, at + 12 * sequences)
    assert len(raw) == at + 12 * sequences + 8 * boundaries
    data = prefix.with_suffix(".bin").read_bytes()
    found = [np.frombuffer(data, f"<{TYPES[code]}", n, p).tolist() for n, p in zip(lengths.tolist(), pointers.tolist(), strict=True)]
    assert sum(map(len, found)) * np.dtype(TYPES[code]).itemsize == len(data)
    return [[token for sequence in found[a:b] for token in sequence] for a, b in pairwise(documents)]


def test_documents_come_back_whole(line: Line, dataset: Dataset, tmp_path: Path) -> None:
    step, _ = registry.bind("export", "megatron", {"prefix": "mine"})
    step(line.train, Folder(str(tmp_path)))
    want: Counter[tuple[int, ...]] = Counter()
    placed: Counter[tuple[str, int]] = Counter()
    for shard in dataset.shards:
        for row in shard.docs.select(["id", "epoch", "tokens"]).to_pylist():
            placed[row["id"], row["epoch"]] += row["tokens"]
    for (name, _), tokens in placed.items():
        want[tuple(ids_of(name, tokens).tolist())] += 1
    found = read(tmp_path / "mine")
    assert Counter(map(tuple, found)) == want
    assert sum(map(len, found)) == 60_000
    assert max(map(len, found)) == 9000


def test_a_dataset_of_nothing_is_exported_too(line: Line, tmp_path: Path) -> None:
    registry.lookup("export", "megatron").function(line.out.sub("pack/validation"), Folder(str(tmp_path)))
    assert read(tmp_path / "tokens") == []


def test_documents_beyond_31_bits_are_refused() -> None:
    with pytest.raises(ShardError, match="31 bits"):
        _index(np.array([1 << 31]), 8, 2)
