"""Sorted files and ranges of keys: every row is in one range, whatever the ranges and the row groups."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts import Task
from pipeline.dedupe import keyed
from pipeline.dedupe.keyed import LAST_KEY, SortedFiles, Spans, key_ranges, read_range, write_sorted
from pipeline.errors import StorageError
from pipeline.job import Inputs, Job, PartFile
from pipeline.storage import Folder

SCHEMA = pa.schema({"key": pa.uint64(), "place": pa.int64(), "text": pa.string()})
KEYS = st.lists(st.sampled_from([0, 1, 2**63 - 1, 2**63, LAST_KEY - 1, LAST_KEY]) | st.integers(0, LAST_KEY), max_size=60)


def written(folder: Path, keys: list[int]) -> PartFile:
    job = Job(Task("web-00000"), Inputs({}), Folder(str(folder)))
    columns = {"key": np.array(keys, np.uint64), "place": np.arange(len(keys)), "text": ["x"] * len(keys)}
    write_sorted(job, "rows", pa.table(columns, schema=SCHEMA))
    return PartFile(job.folder, job.written[0])


@given(keys=KEYS, tasks=st.integers(1, 20))
def test_ranges_divide_the_rows(tmp_path_factory: pytest.TempPathFactory, keys: list[int], tasks: int) -> None:
    file = written(tmp_path_factory.mktemp("ranges"), keys)
    found: list[tuple[int, int]] = []
    for task in key_ranges("stage", tasks, 1):
        table = read_range([file], SCHEMA, task.payload["first"], task.payload["last"])
        assert all(task.payload["first"] <= key <= task.payload["last"] for key in table.column("key").to_pylist())
        found += zip(table.column("key").to_pylist(), table.column("place").to_pylist(), strict=True)
    assert found == sorted((key, place) for place, key in enumerate(keys))


def test_picked_rows_come_from_their_row_groups_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "GROUP_BYTES", 1000)
    files = [written(tmp_path / name, list(range(start, 5000, 2))) for name, start in (("even", 0), ("odd", 1))]
    wanted = np.array([0, 1, 7, 8, 2500, 4998, 4999, 6000], np.uint64)
    with SortedFiles(files) as opened:
        found = list(opened.pick(wanted))
        assert list(opened.pick(np.array([], np.uint64))) == []
    assert sorted(number for table in found for number in table.column("key").to_pylist()) == wanted[:-1].tolist()
    assert len(found) == 6, "two, one and one row groups of each"


def test_only_the_row_groups_of_a_range_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "GROUP_BYTES", 1000)
    file = written(tmp_path, list(range(10_000)))
    read: list[list[int]] = []
    whole = pq.ParquetFile.read_row_groups

    def noted(self: pq.ParquetFile, groups: list[int], **keys: Any) -> pa.Table:
        read.append(groups)
        return whole(self, groups, **keys)

    monkeypatch.setattr(pq.ParquetFile, "read_row_groups", noted)
    assert read_range([file], SCHEMA, 5000, 5009).column("key").to_pylist() == list(range(5000, 5010))
    assert read_range([file], SCHEMA, 10_000, LAST_KEY).num_rows == 0
    assert [len(groups) for groups in read] == [1, 0]


@pytest.mark.parametrize(("amount", "per_task", "count"), [(0, 10, 1), (10, 10, 1), (11, 10, 2), (1000, 1, 1000)])
def test_as_many_ranges_as_the_data_needs(amount: int, per_task: int, count: int) -> None:
    tasks = key_ranges("verify", amount, per_task)
    assert len(tasks) == count
    assert tasks[0].payload["first"] == 0
    assert tasks[-1].payload["last"] == LAST_KEY
    assert all(after.payload["first"] == before.payload["last"] + 1 for before, after in pairwise(tasks))
    assert len({task.name for task in tasks}) == count


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    file = written(tmp_path, [1, 2, 3])
    path = Path(file.folder.path(file.entry.name))
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StorageError, match=r"web-00000\.rows\.parquet is damaged"):
        read_range([file], SCHEMA, 0, 10)


@pytest.mark.parametrize("share", [0.2, 0.4, 0.6, 0.8])
def test_a_changed_byte_is_no_other_number(tmp_path: Path, share: float) -> None:
    numbers = np.random.default_rng(1).integers(0, 1 << 60, 5000)  # so spread that they aren't compressed
    file = written(tmp_path, numbers.tolist())
    path = Path(file.folder.path(file.entry.name))
    data = bytearray(path.read_bytes())
    data[int(share * len(data))] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match=r"damaged \(.*: remove it and run again what wrote it"):
        read_range([file], SCHEMA, 0, 1 << 60)


@given(files=st.lists(KEYS, min_size=1, max_size=4), most=st.integers(1, 20))
def test_portions_hold_every_row_once_and_no_more_than_asked(
    tmp_path_factory: pytest.TempPathFactory, files: list[list[int]], most: int
) -> None:
    folder = tmp_path_factory.mktemp("portions")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keyed, "GROUP_BYTES", 1)
        found = [written(folder / str(n), keys) for n, keys in enumerate(files)]
    with SortedFiles(found) as opened:
        portions = [table.column("key").to_pylist() for table in opened.portions(0, LAST_KEY, most)]
        assert opened.rows == opened.count(0, LAST_KEY) == sum(map(len, files))
        assert opened.bounds() == (min(map(min, filter(None, files)), default=0), max(map(max, filter(None, files)), default=-1))
    assert all(0 < len(keys) <= most for keys in portions)
    assert all(max(before) < min(after) or len({*before, *after}) == 1 for before, after in pairwise(portions))
    assert sorted(key for keys in portions for key in keys) == sorted(key for keys in files for key in keys)


@given(total=st.integers(1, 50), count=st.integers(1, 12), numbers=st.tuples(st.integers(0, 49), st.integers(0, 49)))
def test_spans_touched_are_those_with_the_numbers(total: int, count: int, numbers: tuple[int, int]) -> None:
    spans = Spans(total, count)
    payloads = [task.payload for task in spans.tasks("span")]
    assert [n for payload in payloads for n in range(payload["first"], payload["last"] + 1)] == list(range(total))
    first, last = min(*numbers, total - 1), min(max(numbers), total - 1)
    touched = payloads[spans.touched(first, last)]
    held = [n for payload in touched for n in range(payload["first"], payload["last"] + 1)]
    assert set(range(first, last + 1)) <= set(held)
    assert all(span["first"] <= last and first <= span["last"] for span in touched if span["first"] <= span["last"])
    assert spans.touched(3, 2) == slice(0, 0)
