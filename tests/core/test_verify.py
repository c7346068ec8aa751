"""What a run says it removed for others is held to the documents that it keeps."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from pipeline.job import MANIFEST, TaskResult
from pipeline.report import Report
from pipeline.runfiles import RUN_FILE
from pipeline.schema import DECISION
from pipeline.storage import Folder
from pipeline.verify import verify_duplicates

Row = tuple[str, str | None, str | None, float | None]
KEPT: Row = ("kept", None, None, None)


def problem(folder: Path, *parts: list[Row], index: tuple[str, ...] = ()) -> str:
    """What is said of a run whose dedupe decided so (id, reason, twin, value), at a threshold of .8."""
    against = [str(written(folder / "index", "documents", pa.table({"id": list(index)}), args={}) / MANIFEST)] if index else []
    rows = [pa.Table.from_pylist([dict(zip(DECISION.names, row, strict=True)) for row in part], DECISION) for part in parts]
    written(folder / "dedupe", "decisions", *rows, args={"threshold": 0.8, "against": against})
    Folder(str(folder)).write_json(RUN_FILE, {"stages": [{"stage": "dedupe", "folder": "dedupe"}]})
    (check,) = verify_duplicates(Folder(str(folder)))
    return check.problem


def written(folder: Path, kind: str, *tables: pa.Table, args: dict[str, object]) -> Path:
    results = []
    for n, table in enumerate(tables):
        with Folder(str(folder)).parquet(f"web-{n:05d}.{kind}.parquet", table.schema) as sink:
            for batch in table.to_batches():
                sink.write(batch)
        results.append(TaskResult(f"web-{n:05d}", (sink.entry(),), Report()).to_json())
    Folder(str(folder)).write_json(MANIFEST, {"stage": kind, "args": args, "tasks": results})
    return folder


@pytest.mark.parametrize("value", [0.8, 1.0])
def test_what_goes_for_a_kept_one_is_sound_in_any_part_and_of_an_index(tmp_path: Path, value: float) -> None:
    gone: Row = ("gone", "near_duplicate", "kept", value)
    moved: Row = ("moved", "same_url", "kept", None)
    assert not problem(tmp_path / "own", [gone, moved], [KEPT])
    assert not problem(tmp_path / "none", [KEPT], [])
    assert not problem(tmp_path / "index", [gone], index=("kept",))


def test_what_goes_for_no_kept_one_or_one_less_like_it_is_named(tmp_path: Path) -> None:
    assert "1 documents that others were removed for are not kept, as away" in problem(
        tmp_path / "a", [KEPT, ("b", "near_duplicate", "away", 0.9)]
    )
    chain: list[Row] = [KEPT, ("b", "near_duplicate", "kept", 0.9), ("c", "near_duplicate", "b", 0.9)]
    assert "not kept, as b" in problem(tmp_path / "b", chain)
    assert "web-00001: 1 removed documents are less than 0.8" in problem(tmp_path / "c", [KEPT], [("b", "near_duplicate", "kept", 0.79)])
    assert "less than 0.8" in problem(tmp_path / "d", [KEPT, ("b", "near_duplicate", "kept", None)])
    assert "not kept, as away" in problem(tmp_path / "e", [("b", "near_duplicate", "away", 0.9)], index=("kept",))
