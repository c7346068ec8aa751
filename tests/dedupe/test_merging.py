"""Merging: when files are merged first, and that the run's rows are all there, sorted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from pipeline.contracts import Task
from pipeline.dedupe import keyed, merging
from pipeline.dedupe.keyed import write_sorted
from pipeline.dedupe.merging import merge, merges
from pipeline.job import Inputs, Job, PartFile
from pipeline.storage import Folder

SCHEMA = pa.schema({"key": pa.uint64(), "file": pa.int64(), "place": pa.int64()})


def written(folder: Path, count: int, rows: int) -> list[PartFile]:
    draw = np.random.default_rng(0)
    files = []
    for number in range(count):
        job = Job(Task(f"web-{number:05d}"), Inputs({}), Folder(str(folder)))
        keys = draw.integers(0, 40, rows).astype(np.uint64)
        write_sorted(job, "rows", pa.table([keys, np.full(rows, number), np.arange(rows)], schema=SCHEMA))
        files.append(PartFile(job.folder, job.written[0]))
    return files


def test_files_are_merged_when_tasks_would_open_too_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = written(tmp_path, 17, 1)
    monkeypatch.setattr(merging, "MOST_OPENS", 51)
    assert merges("stage", files, 3) == []
    monkeypatch.setattr(merging, "MOST_OPENS", 50)
    tasks = merges("stage", files, 3)
    assert [task.payload["merge"] for task in tasks] == [[0, 5], [5, 10], [10, 15], [15, 17]]
    monkeypatch.setattr(merging, "MOST_MERGED", 3)
    assert len(merges("stage", files, 3)) == 6


def test_a_merged_file_has_the_rows_in_order_of_number_then_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keyed, "GROUP_BYTES", 1)
    monkeypatch.setattr(merging, "MERGED_BYTES", 500)
    files = written(tmp_path, 6, 50)
    job = Job(Task("stage-merge-00000", {"merge": [1, 5]}), Inputs({}), Folder(str(tmp_path / "merged")))
    merge(job, files, "rows", SCHEMA)
    found = PartFile(job.folder, job.written[0]).table()
    expected = pa.concat_tables([file.table() for file in files[1:5]]).sort_by([(name, "ascending") for name in SCHEMA.names])
    assert found.to_pylist() == expected.to_pylist()
    assert job.written[0].rows == 200
