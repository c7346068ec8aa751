"""extract: every record of every file is kept or dropped for a reason, in order, whatever its format."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from pipeline.contracts import InputFile, Task
from pipeline.errors import SourceError
from pipeline.job import Committed
from pipeline.registry import bind, names
from pipeline.schema import document_id
from pipeline.storage import Folder, sha256_of
from pipeline.worker import LocalStage

EXTRACTORS = [{"name": name, "args": bind("extractor", name, {})[0].args} for name in names("extractor")]


def run(tmp_path: Path, files: dict[str, bytes], reader: str = "any", read_args: dict[str, object] | None = None) -> Committed:
    inputs = []
    for name, content in files.items():
        path = tmp_path / name
        path.write_bytes(content)
        inputs.append(asdict(InputFile(name, str(path), sha256_of(str(path)), len(content), version="1.2", licence="CC0-1.0")))
    task = Task("web-00000", {"files": inputs, "read": {"name": reader, "args": bind("reader", reader, read_args or {})[0].args}})
    return LocalStage(Folder(str(tmp_path / "out"))).run("extract", {}, tasks=[task], extractors=EXTRACTORS)


def test_documents_of_several_formats_keep_their_order_and_facts(tmp_path: Path) -> None:
    page = b"<html lang=en><head><title>A page</title></head><body><main><p>First words of a long page.</p></main></body></html>"
    done = run(tmp_path, {"a.html": page, "b.txt": "Plain wörds.".encode(), "c.md": b"# Head\n\nText."})
    table = done.folder.table("web-00000.docs.parquet")
    assert [text.split()[0] for text in table["text"].to_pylist()] == ["First", "Plain", "#"]
    assert table["licence"].to_pylist() == ["CC0-1.0"] * 3
    assert table["id"][1].as_py() == document_id("web", "b.txt")
    assert '"version": "1.2"' in table["meta"][0].as_py()
    assert done.report.read["web"] == done.report.kept["web"] == 3


def test_a_document_without_text_is_a_reason_with_evidence(tmp_path: Path) -> None:
    done = run(tmp_path, {"a.txt": b"words", "b.txt": b"   \n", "c.txt": b"\x00\x01\x02" * 50})
    assert done.report.kept["web"] == 1
    assert sum(done.report.dropped.values()) == 2
    rejects = done.folder.table("web-00000.rejects.parquet")
    assert sorted(rejects["reason"].to_pylist()) == sorted(reason for _, reason in done.report.dropped)
    assert all(reason.startswith("extract:") for reason in rejects["reason"].to_pylist())


def test_a_locator_seen_twice_is_read_once(tmp_path: Path) -> None:
    lines = b'{"id": "x", "text": "one"}\n{"id": "x", "text": "two"}\n'
    done = run(tmp_path, {"a.jsonl": lines}, "jsonl", {"id": "id"})
    assert (done.report.read["web"], done.report.kept["web"]) == (2, 1)
    assert done.report.dropped["web", "extract:repeated_locator"] == 1
    assert done.folder.table("web-00000.rejects.parquet")["reason"].to_pylist() == ["extract:repeated_locator"]
    assert done.folder.table("web-00000.docs.parquet")["text"].to_pylist() == ["one"]


def test_a_file_that_is_gone_is_named(tmp_path: Path) -> None:
    gone = asdict(InputFile("a.txt", str(tmp_path / "a.txt"), "00", 1))
    task = Task("web-00000", {"files": [gone], "read": {"name": "any", "args": {}}})
    with pytest.raises(SourceError, match=r"a\.txt"):
        LocalStage(Folder(str(tmp_path / "out"))).run("extract", {}, tasks=[task], extractors=EXTRACTORS)


def test_an_empty_part_still_has_its_files(tmp_path: Path) -> None:
    done = run(tmp_path, {"a.txt": b""})
    assert done.folder.table("web-00000.docs.parquet").num_rows == 0
    assert done.report.read["web"] == done.report.dropped["web", "extract:empty"] == 1
