"""Sorted files and ranges of keys: every row is in one range, whatever the ranges and the row groups."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.contracts import Task
from pipeline.dedupe import keyed
from pipeline.dedupe.keyed import LAST_KEY, key_ranges, read_range, write_sorted
from pipeline.errors import StorageError
from pipeline.job import Inputs, Job, PartFile
from pipeline.storage import Folder

KEYS = st.lists(st.sampled_from([0, 1, 2**63 - 1, 2**63, LAST_KEY - 1, LAST_KEY]) | st.integers(0, LAST_KEY), max_size=60)


def written(folder: Path, keys: list[int]) -> PartFile:
    job = Job(Task("web-00000"), Inputs({}), Folder(str(folder)))
    write_sorted(job, "rows", pa.table({"key": np.array(keys, np.uint64), "place": np.arange(len(keys)), "text": ["x"] * len(keys)}))
    return PartFile(job.folder, job.written[0])


@given(keys=KEYS, tasks=st.integers(1, 20))
def test_ranges_divide_the_rows(tmp_path_factory: pytest.TempPathFactory, keys: list[int], tasks: int) -> None:
    file = written(tmp_path_factory.mktemp("ranges"), keys)
    found: list[tuple[int, int]] = []
    for task in key_ranges("stage", tasks, 1):
        table = read_range(file, task.payload["first"], task.payload["last"])
        assert all(task.payload["first"] <= key <= task.payload["last"] for key in table.column("key").to_pylist())
        found += zip(table.column("key").to_pylist(), table.column("place").to_pylist(), strict=True)
    assert found == sorted((key, place) for place, key in enumerate(keys))


def test_only_the_row_groups_of_a_range_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "GROUP_BYTES", 1000)
    file = written(tmp_path, list(range(10_000)))
    read: list[list[int]] = []
    whole = keyed.pq.ParquetFile.read_row_groups
    monkeypatch.setattr(keyed.pq.ParquetFile, "read_row_groups", lambda self, groups: read.append(groups) or whole(self, groups))
    assert read_range(file, 5000, 5009).column("key").to_pylist() == list(range(5000, 5010))
    assert read_range(file, 10_000, LAST_KEY).num_rows == 0
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
        read_range(file, 0, 10)
