"""Reading: rows, pieces and provenance; what is missing, cut short or of another kind is an error that names it."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import fsspec
import numpy as np
import pytest
from packing_kit import Line, ids_of

from pipeline.errors import ShardError
from pipeline.shards.inspect import shares
from pipeline.shards.layout import Manifest, dataset_digest, token_dtype
from pipeline.shards.read import Dataset, open_dataset
from pipeline.shards.text import speller_of
from pipeline.storage import Folder
from trainer import shards as trainer_shards


def test_rows_hold_the_tokens_of_the_documents_they_name(dataset: Dataset) -> None:
    for shard in dataset.shards:
        for row in shard.rows():
            assert row.seq_lengths.sum() <= len(row.input_ids) == 128
            start = 0
            for length, index, offset in zip(row.seq_lengths.tolist(), row.doc_index.tolist(), row.doc_offset.tolist(), strict=True):
                origin = shard.origin(index)
                assert (
                    row.input_ids[start : start + length].tolist() == ids_of(origin.id, origin.n_tokens)[offset : offset + length].tolist()
                )
                start += length
            assert (row.input_ids[start:] == 2).all()  # the id of padding


def test_pieces_know_their_rows_and_positions(dataset: Dataset) -> None:
    shard = dataset.shards[1]
    for row in shard.rows():
        mine = shard.piece_rows == row.number
        assert np.array_equal(shard.array("doc_index")[mine], row.doc_index)
        assert shard.piece_starts[mine].tolist() == (np.cumsum(row.seq_lengths) - row.seq_lengths).tolist()


def test_provenance_says_which_copy_and_which_part_of_a_document(line: Line, dataset: Dataset) -> None:
    huge = [o for shard in dataset.shards for o in (shard.origin(i) for i in range(shard.docs.num_rows)) if o.n_tokens == 9000]
    assert {origin.epoch for origin in huge} == {0, 1}
    first = [origin for origin in huge if origin.epoch == 0]
    assert len(first) > 1
    assert [origin.first_token for origin in first] == np.cumsum([0, *(origin.tokens for origin in first)])[:-1].tolist()
    assert first[0].url == "https://books.example/0"


def test_the_manifest_survives_the_round_trip(dataset: Dataset) -> None:
    again = Manifest.from_json(json.loads(json.dumps(dataset.manifest.to_json())))
    assert again == dataset.manifest
    assert again.digest == dataset_digest([shard.sha256 for shard in again.shards])
    assert again.packing["documents"] == sum((s.docs.column("first_token").to_numpy() == 0).sum() for s in dataset.shards)
    assert (again.tokenizer.vocab_size, again.tokenizer.special_ids) == (1000, {"<|bos|>": 0, "<|eos|>": 1, "<|pad|>": 2})
    assert (again.tokenizer.bos_id, again.tokenizer.eos_id, again.tokenizer.pad_id) == (0, 1, 2)


def test_the_tokenizer_lies_beside_the_splits(line: Line, dataset: Dataset) -> None:
    copied = line.out.sub("pack").read("tokenizer.json")
    assert hashlib.sha256(copied).hexdigest() == dataset.manifest.tokenizer.sha256
    assert line.out.sub("pack").exists("tokenizer_config.json")


def test_the_trainer_reads_the_same_rows(line: Line, dataset: Dataset) -> None:
    theirs = trainer_shards.open_dataset(Path(line.train.path("")))
    theirs.verify()
    assert (theirs.digest, len(theirs)) == (dataset.manifest.digest, dataset.manifest.rows)
    for mine, row in zip(dataset.rows(), theirs.rows(range(len(theirs))), strict=True):
        assert np.array_equal(mine.input_ids, row.tokens)
        assert np.array_equal(mine.seq_lengths, row.lengths)
        assert row.mask is None


def test_a_digest_depends_on_order() -> None:
    assert dataset_digest(["a", "b"]) != dataset_digest(["b", "a"])
    assert (token_dtype(1 << 16), token_dtype((1 << 16) + 1)) == ("uint16", "uint32")


def test_remote_datasets_are_read_too(line: Line, dataset: Dataset) -> None:
    memory = fsspec.filesystem("memory")
    for name in line.train.names():
        memory.pipe(f"/packed/train/{name}", line.train.read(name))
    remote = open_dataset(Folder("memory://packed/train"))
    assert all(np.array_equal(a.input_ids, b.input_ids) for a, b in zip(remote.rows(), dataset.rows(), strict=True))


def test_the_tokenizer_of_a_remote_dataset_is_found(line: Line) -> None:
    memory = fsspec.filesystem("memory")
    for name in ("tokenizer.json", "train/manifest.json"):
        memory.pipe(f"/spelled/{name}", line.out.sub("pack").read(name))
    assert speller_of(open_dataset(Folder("memory://spelled/train"))).text(np.array([5, 6])) == "w5w6"


@pytest.mark.parametrize(
    ("array", "values", "message"),
    [
        ("seq_lengths", [-1], "a piece has no tokens"),
        ("seq_lengths", [1 << 30], "its pieces add up to"),
        ("seq_lengths.offsets", [0, 1 << 30], "rows don't share out"),
        ("seq_lengths.offsets", [1], "rows don't share out"),
        ("doc_index", [-1], "name other documents"),
        ("doc_index", [1 << 40], "name other documents"),
    ],
)
def test_rows_that_can_not_be_are_not_shown(line: Line, tmp_path: Path, array: str, values: list[int], message: str) -> None:
    """Looking into shards hashes nothing: what it relies on is checked."""
    copy = open_dataset(Folder(str(shutil.copytree(line.train.path(""), tmp_path / "train"))))
    shard = copy.shard(0)
    place, data = shard.facts.buffers[array], bytearray(copy.folder.read(shard.facts.file))
    written = np.array(values, place.dtype).tobytes()
    data[place.offset : place.offset + len(written)] = written
    copy.folder.write(shard.facts.file, bytes(data))
    for look in (lambda: shard.row(3), lambda: shares(copy)):
        with pytest.raises(ShardError, match=f"{shard.facts.file} is damaged: .*{message}"):
            look()


def test_documents_of_another_shard_are_not_taken_for_its_own(line: Line, tmp_path: Path) -> None:
    copy = open_dataset(Folder(str(shutil.copytree(line.train.path(""), tmp_path / "train"))))
    one, other = (shard.facts.docs for shard in copy.shards[:2])
    assert one.rows != other.rows
    copy.folder.write(one.file, copy.folder.read(other.file))
    with pytest.raises(ShardError, match=rf"{one.file} is damaged: {other.rows} rows .* its manifest says {one.rows}"):
        copy.shard(0).origin(0)


@pytest.mark.parametrize(
    ("shard", "row", "message"),
    [(99, 0, "has no shard 99"), (0, 10**6, "has no row 1000000"), (0, -1, "has no row -1"), (-1, 0, "no shard -1")],
)
def test_numbers_that_are_not_there(dataset: Dataset, shard: int, row: int, message: str) -> None:
    with pytest.raises(ShardError, match=message):
        dataset.shard(shard).row(row)
    with pytest.raises(ShardError, match="has no document"):
        dataset.shards[0].origin(10**6)


def test_damage_is_named(line: Line, tmp_path: Path) -> None:
    with pytest.raises(ShardError, match=r"holds no packed dataset"):
        open_dataset(Folder(str(tmp_path)))
    shutil.copytree(line.train.path(""), tmp_path / "copy")
    folder, opened = Folder(str(tmp_path / "copy")), open_dataset(Folder(str(tmp_path / "copy")))
    first, second = (tmp_path / "copy" / shard.facts.file for shard in opened.shards[:2])
    first.unlink()
    second.write_bytes(second.read_bytes()[:-10])
    for number, message in ((0, "can't be read"), (1, r"bytes, its manifest says")):
        with pytest.raises(ShardError, match=rf"data-0000{number}-of-.*{message}"):
            open_dataset(folder).shards[number].row(0)
    folder.write_json("manifest.json", {**opened.manifest.to_json(), "version": 2})
    with pytest.raises(ShardError, match="not a packed dataset of version 1"):
        open_dataset(folder)
    folder.write_json("manifest.json", {"stage": "pack"})
    with pytest.raises(ShardError, match=r"manifest\.json: not a packed dataset"):
        open_dataset(folder)


def test_an_empty_shard_has_no_rows(line: Line) -> None:
    empty = open_dataset(line.out.sub("pack/validation"))
    assert list(empty.rows()) == []
    assert len(empty.shards[0].piece_starts) == 0
    assert replace(empty.manifest) == empty.manifest
