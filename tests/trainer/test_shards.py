"""Reading shards by byte offset: equal to pyarrow, and each thing that can be wrong with a dataset told in one sentence."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from rows_kit import edit_manifest, random_rows, write_dataset

from trainer.errors import DataError
from trainer.shards import open_dataset

SEQ_LEN, VOCAB = 12, 100
ROWS = random_rows(10, SEQ_LEN, VOCAB)
MASKS = np.random.default_rng(1).random((10, SEQ_LEN)) < 0.6


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_dataset(tmp_path / "train", ROWS, seq_len=SEQ_LEN, vocab_size=VOCAB, rows_per_shard=4)


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
@pytest.mark.parametrize("rows_per_shard", [1, 3, 10])
def test_equals_pyarrow(tmp_path: Path, rows_per_shard: int, dtype: str) -> None:
    folder = write_dataset(
        tmp_path, ROWS, seq_len=SEQ_LEN, vocab_size=VOCAB, rows_per_shard=rows_per_shard, dtype=dtype, masks=MASKS.tolist()
    )
    data = open_dataset(folder)
    data.verify()
    tables = [pa.ipc.open_stream(path.read_bytes()).read_all() for path in sorted(folder.glob("*.arrow"))]
    expected = pa.concat_tables(tables).to_pylist()
    assert len(data) == len(expected) == 10
    for row, wanted in zip(data.rows(np.arange(10)), expected, strict=True):
        assert row.tokens.tolist() == wanted["input_ids"]
        assert row.lengths.tolist() == wanted["seq_lengths"]
        assert row.mask is not None
        assert row.mask.tolist() == wanted["loss_mask"]


def test_rows_come_in_the_order_asked(folder: Path) -> None:
    tokens = [row.tokens[0] for row in open_dataset(folder).rows([9, 0, 4, 4])]
    assert tokens == [ROWS[number][0][0] for number in (9, 0, 4, 4)]


def test_tokens_are_mapped_not_read(folder: Path) -> None:
    row = open_dataset(folder).rows([0])[0]
    assert isinstance(row.tokens, np.memmap)
    assert row.mask is None


def damage(path: Path, at: int = -200) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 0xFF
    path.write_bytes(bytes(content))


def first(folder: Path) -> Path:
    return sorted(folder.glob("*.arrow"))[0]


REFUSED: dict[str, tuple[Callable[[Path], object], str]] = {
    "no manifest": (lambda folder: (folder / "manifest.json").unlink(), "no packed dataset"),
    "half a manifest": (lambda folder: (folder / "manifest.json").write_text('{"format":'), "not JSON"),
    "a list for a manifest": (lambda folder: (folder / "manifest.json").write_text("[]"), "format None"),
    "another format": (lambda folder: edit_manifest(folder, format="other"), "'other'"),
    "a later version": (lambda folder: edit_manifest(folder, version=2), "version 2"),
    "no rows": (lambda folder: edit_manifest(folder, shards=[]), "holds no rows"),
    "no digest": (lambda folder: edit_manifest(folder, digest=None), "was edited"),
    "a missing key": (lambda folder: edit_manifest(folder, tokenizer={}), "vocab_size"),
    "signed ids": (lambda folder: edit_manifest(folder, dtype="int32"), "int32"),
    "ids of another width": (lambda folder: edit_manifest(folder, dtype="uint32"), "uint32"),
    "a vocabulary too large": (lambda folder: edit_manifest(folder, **{"tokenizer.vocab_size": 70_000}), "70,000"),
    "another row length": (lambda folder: edit_manifest(folder, seq_len=13), "4 rows of 13"),
    "no lengths": (lambda folder: edit_manifest(folder, **{"shards.1.buffers": {"input_ids": _ids(folder)}}), "no place for 'seq_lengths'"),
    "an array past the end": (lambda folder: edit_manifest(folder, **{"shards.1.buffers.seq_lengths.count": 9999}), "past the end"),
    "a missing shard": (lambda folder: first(folder).unlink(), "is missing"),
    "a cut shard": (lambda folder: first(folder).write_bytes(first(folder).read_bytes()[:-8]), "bytes, not the"),
}


def _ids(folder: Path) -> object:
    return json.loads((folder / "manifest.json").read_text("utf-8"))["shards"][1]["buffers"]["input_ids"]


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_dataset_is_refused(folder: Path, name: str) -> None:
    spoil, told = REFUSED[name]
    spoil(folder)
    with pytest.raises(DataError, match=told) as error:
        open_dataset(folder)
    assert "\n" not in str(error.value)


def test_the_folder_above_is_told_apart(folder: Path) -> None:
    """A pack stage has a manifest of its own, of another kind, above those of its datasets."""
    with pytest.raises(DataError, match=r"holds no manifest\.json; did you mean .*train"):
        open_dataset(folder.parent)
    (folder.parent / "manifest.json").write_text('{"stage": "pack"}')
    with pytest.raises(DataError, match=r"format None .* did you mean .*train"):
        open_dataset(folder.parent)


def test_a_flipped_bit_is_found_by_its_hash(folder: Path) -> None:
    damage(first(folder))
    data = open_dataset(folder)
    with pytest.raises(DataError, match="is damaged: its SHA-256"):
        data.verify()


def test_an_id_beyond_the_vocabulary_stops_the_run(tmp_path: Path) -> None:
    data = open_dataset(write_dataset(tmp_path, [[[1, 2, 99]]], seq_len=4, vocab_size=99))
    with pytest.raises(DataError, match="row 0 holds an id"):
        data.rows([0])


def test_lengths_longer_than_the_row_stop_the_run(tmp_path: Path) -> None:
    folder = write_dataset(tmp_path, [[[1, 2], [3, 4]]], seq_len=4, vocab_size=99)
    place = json.loads((folder / "manifest.json").read_text("utf-8"))["shards"][0]["buffers"]["seq_lengths"]["offset"]
    damage(first(folder), place)
    with pytest.raises(DataError, match="length that can't be"):
        open_dataset(folder).rows([0])
