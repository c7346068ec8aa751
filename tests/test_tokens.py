"""Tokenized parts: sorted, readable by ranges of keys, with histograms that agree, the same bytes from rows in any order."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline import tokens
from pipeline.contracts import Task
from pipeline.errors import StorageError
from pipeline.job import Inputs, Job, PartFile
from pipeline.schema import TOKENIZED
from pipeline.storage import Folder


def make_rows(count: int, *, longest: int = 50) -> pa.Table:
    """Documents whose ids tell which document they belong to; some are empty."""
    names = pa.array([f"{i:032x}" for i in range(count)])
    lengths = np.random.default_rng(1).integers(0, longest, count)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    values = np.repeat(np.arange(count, dtype=np.uint32), lengths)
    strings = {
        name: pa.array([f"{name} {i % 7}" if i % 3 else None for i in range(count)]) for name in ("url", "lang", "licence", "date", "meta")
    }
    columns = {
        "key": pa.array(tokens.order_keys(names, "seed 1")),
        "id": names,
        "source": pa.array(["web"] * count),
        **strings,
        "n_tokens": pa.array(lengths),
        "n_trained": pa.array(lengths),
        "mask": pa.nulls(count, TOKENIZED.field("mask").type),
        "ids": pa.LargeListArray.from_arrays(pa.array(offsets), pa.array(values)),
    }
    return pa.table(columns).select(TOKENIZED.names).cast(TOKENIZED)


def write(folder: Path | str, rows: pa.Table) -> Job:
    job = Job(Task("web-00000"), Inputs({}), Folder(str(folder)))
    tokens.write_tokens(job, rows)
    return job


def part(job: Job, kind: str) -> PartFile:
    return PartFile(job.folder, next(entry for entry in job.written if entry.kind == kind))


@pytest.fixture
def small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "GROUP_TOKENS", 200)


def test_rows_come_back_whole_and_in_key_order(tmp_path: Path, small_groups: None) -> None:
    rows = make_rows(300)
    file = part(write(tmp_path, rows), "tokens")
    back = tokens.read_token_range(file)
    assert back.schema == TOKENIZED
    assert back.equals(rows.sort_by([("key", "ascending"), ("id", "ascending")]))
    assert file.entry.rows == 300


def test_rows_of_equal_key_stand_in_the_order_of_their_ids(tmp_path: Path) -> None:
    rows = make_rows(20)
    rows = rows.set_column(0, TOKENIZED.field("key"), pa.array([7] * 20, pa.uint64())).take(list(reversed(range(20))))
    back = tokens.read_token_range(part(write(tmp_path, rows), "tokens"))
    assert back.column("id").to_pylist() == sorted(rows.column("id").to_pylist())


def test_a_range_holds_exactly_its_keys(tmp_path: Path, small_groups: None) -> None:
    rows = make_rows(300)
    file = part(write(tmp_path, rows), "tokens")
    keys = sorted(rows.column("key").to_pylist())
    assert keys[-1] > 1 << 63  # keys beyond a signed integer are compared as unsigned
    for first, last in [
        (0, 0),
        (0, keys[0]),
        (keys[10], keys[11]),
        (keys[250], keys[290]),
        (keys[299], tokens.KEY_END),
        (0, tokens.KEY_END),
    ]:
        got = tokens.read_token_range(file, first, last, columns=["id", "key"])
        assert got.column_names == ["key", "id"]
        assert got.column("key").to_pylist() == [key for key in keys if first <= key < last]


def test_ids_alone_can_be_read(tmp_path: Path) -> None:
    rows = make_rows(30)
    got = tokens.read_token_range(part(write(tmp_path, rows), "tokens"), columns=["ids"])
    assert got.column_names == ["ids"]
    assert got.num_rows == 30


def test_only_touched_row_groups_are_read(tmp_path: Path, small_groups: None, monkeypatch: pytest.MonkeyPatch) -> None:
    file = part(write(tmp_path, make_rows(300)), "tokens")
    groups = pq.ParquetFile(tmp_path / "web-00000.tokens.parquet").num_row_groups
    read: list[int] = []
    plain = pq.ParquetFile.read_row_group
    monkeypatch.setattr(pq.ParquetFile, "read_row_group", lambda self, group, **keys: read.append(group) or plain(self, group, **keys))
    key = tokens.read_token_range(file).column("key")[150].as_py()
    assert read == list(range(groups))
    assert groups > 20
    read.clear()
    tokens.read_token_range(file, key, key + 1)
    assert len(read) == 1


def test_row_groups_follow_tokens_and_never_divide_a_document(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "GROUP_TOKENS", 10)
    assert list(tokens._groups(np.array([4, 4, 4, 100, 1, 0, 9, 3]))) == [(0, 3), (3, 4), (4, 7), (7, 8)]
    assert list(tokens._groups(np.array([], dtype=np.int64))) == []


def test_histogram_counts_what_the_ranges_hold(tmp_path: Path) -> None:
    job = write(tmp_path, make_rows(300))
    documents, counts, trained, conversations = tokens.read_histogram(part(job, "histogram"))
    assert len(documents) == len(counts) == len(trained) == tokens.BUCKETS
    assert not conversations.any()
    edges = [0, 1, 100, 2000, tokens.BUCKETS]
    for low, high in itertools.pairwise(edges):
        rows = tokens.read_token_range(part(job, "tokens"), tokens.bucket_start(low), tokens.bucket_start(high))
        assert documents[low:high].sum() == rows.num_rows
        assert counts[low:high].sum() == sum(rows.column("n_tokens").to_pylist())
        assert trained[low:high].sum() == sum(rows.column("n_trained").to_pylist())


def test_bytes_do_not_depend_on_the_order_of_rows(tmp_path: Path, small_groups: None) -> None:
    rows = make_rows(200)
    shuffled = pa.concat_tables([rows.slice(120), rows.slice(0, 120)])
    assert write(tmp_path / "a", rows).written == write(tmp_path / "b", shuffled).written


def test_no_rows(tmp_path: Path) -> None:
    job = write(tmp_path, TOKENIZED.empty_table())
    assert tokens.read_token_range(part(job, "tokens")).num_rows == 0
    assert tokens.read_histogram(part(job, "histogram")).documents.sum() == 0


def test_remote_folders_work() -> None:
    rows = make_rows(50)
    file = part(write("memory://tokens-test", rows), "tokens")
    assert tokens.read_token_range(file).num_rows == 50


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = part(write(tmp_path, make_rows(30)), "tokens")
    path = tmp_path / file.entry.name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(StorageError, match=r"web-00000\.tokens\.parquet is damaged"):
        tokens.read_token_range(file)


def test_keys_depend_on_seed_and_id_alone() -> None:
    names = pa.array(["a", "b", "c"])
    keys = tokens.order_keys(names, 0, "mix")
    assert keys.dtype == np.uint64
    assert list(tokens.order_keys(names.take([2, 0]), 0, "mix")) == [keys[2], keys[0]]
    assert not set(keys) & set(tokens.order_keys(names, 1, "mix"))
    assert tokens.order_keys(names.slice(1, 1), 0, "mix")[0] == keys[1]
    assert len(tokens.order_keys(pa.array([], pa.string()), 0)) == 0
