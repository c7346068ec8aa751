"""Files appear whole or not at all, hash as they are written, and don't depend on batch sizes."""

from __future__ import annotations

import errno
import gc
import hashlib
import os
from pathlib import Path
from typing import ClassVar

import fsspec
import pyarrow as pa
import pytest

from pipeline.errors import StorageError
from pipeline.storage import Folder, content_digest, expand
from pipeline.writing import ROW_GROUP_ROWS, HashingFile

SCHEMA = pa.schema([("n", pa.int64()), ("text", pa.large_string())])


def batch(start: int, rows: int) -> pa.RecordBatch:
    numbers = list(range(start, start + rows))
    return pa.RecordBatch.from_pydict({"n": numbers, "text": [f"row {n}" for n in numbers]}, schema=SCHEMA)


@pytest.fixture(params=["local", "memory"])
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Folder:
    if request.param == "local":
        return Folder(str(tmp_path / "run"))
    url = f"memory://{tmp_path.name}"
    return Folder(url)


def test_what_is_written_is_read(folder: Folder) -> None:
    entry = folder.write("a/b.txt", b"hello")
    assert folder.read("a/b.txt") == b"hello"
    assert entry.bytes == 5
    assert entry.sha256 == hashlib.sha256(b"hello").hexdigest()


def test_a_file_of_a_failed_block_never_appears(tmp_path: Path) -> None:
    """Local only: fsspec's memory files are visible from the moment they are opened."""
    folder = Folder(str(tmp_path))

    def half() -> None:
        with folder.create("x.bin") as file:
            file.write(b"half")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        half()
    assert os.listdir(tmp_path) == []


def test_the_old_file_stays_until_the_new_is_whole(tmp_path: Path) -> None:
    folder = Folder(str(tmp_path))
    folder.write("x", b"old")
    with folder.create("x") as file:
        file.write(b"new")
        assert folder.read("x") == b"old"
    assert folder.read("x") == b"new"
    assert os.listdir(tmp_path) == ["x"]


def test_parquet_bytes_do_not_depend_on_batch_sizes(folder: Folder) -> None:
    rows = ROW_GROUP_ROWS + 100
    with folder.parquet("one.parquet", SCHEMA) as sink:
        sink.write(batch(0, rows))
    with folder.parquet("many.parquet", SCHEMA) as many:
        for start in range(0, rows, 700):
            many.write(batch(start, min(700, rows - start)))
    assert sink.entry().sha256 == many.entry().sha256
    assert sink.entry().rows == rows
    assert folder.table("many.parquet")["n"].to_pylist() == list(range(rows))


def test_an_empty_parquet_file_keeps_its_schema(folder: Folder) -> None:
    with folder.parquet("none.parquet", SCHEMA):
        pass
    assert folder.table("none.parquet").schema.equals(SCHEMA)
    assert list(folder.batches("none.parquet")) == []


def test_a_missing_file_is_named(folder: Folder) -> None:
    with pytest.raises(StorageError, match=r"nowhere\.parquet is not there"):
        folder.table("nowhere.parquet")


def test_a_damaged_parquet_file_is_named(folder: Folder) -> None:
    folder.write("bad.parquet", b"PAR1 this is not a footer")
    with pytest.raises(StorageError, match=r"bad\.parquet is damaged"):
        list(folder.batches("bad.parquet"))


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = Folder(str(tmp_path))

    class Full:
        def write(self, data: object) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fill() -> None:
        with folder.create("big.bin") as file:
            monkeypatch.setattr(file, "_raw", Full())
            file.write(b"x")

    with pytest.raises(StorageError, match=r"big\.bin: No space left on device"):
        fill()
    assert os.listdir(tmp_path) == []


def test_no_permission_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(StorageError, match="can't write"):
        Folder(str(tmp_path / "file")).write("x", b"")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    with pytest.raises(StorageError, match=rf"{tmp_path}/there can't be opened"):
        Folder(str(tmp_path)).read("there")


def test_a_store_without_credentials_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    bucket = Folder("s3://no-such-bucket/run")
    for reach in (lambda: bucket.exists("x"), lambda: bucket.read("x"), lambda: bucket.write("x", b"")):
        with pytest.raises(StorageError, match=r"no-such-bucket/run/x.*credentials"):
            reach()


def test_hashing_file_counts_what_goes_through(tmp_path: Path) -> None:
    with open(tmp_path / "x", "wb") as raw:
        file = HashingFile(raw, "x")
        file.write(b"ab")
        file.write(memoryview(b"cd"))
    assert (file.tell(), file.entry("x").sha256) == (4, hashlib.sha256(b"abcd").hexdigest())


def test_content_digest_follows_content_not_place(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("same")
    first, second = (content_digest([str(tmp_path / name)]) for name in ("one", "two"))
    assert first == second
    (tmp_path / "two" / "a.txt").write_text("other")
    assert content_digest([str(tmp_path / "two")]) != first


def test_expand_names_a_path_with_no_file(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match=r"\*\.warc: no file there"):
        expand([str(tmp_path / "*.warc")])


@pytest.fixture(autouse=True)
def _clean_memory() -> None:
    fsspec.filesystem("memory").store.clear()


def test_a_row_group_ends_after_its_bytes_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.writing.ROW_GROUP_BYTES", 1000)
    folder = Folder(str(tmp_path))
    rows = pa.RecordBatch.from_pydict({"n": list(range(40)), "text": ["x" * 90] * 40}, schema=SCHEMA)
    with folder.parquet("one.parquet", SCHEMA) as one:
        one.write(rows)
    with folder.parquet("many.parquet", SCHEMA) as many:
        for start in range(0, 40, 7):
            many.write(rows.slice(start, 7))
    assert one.entry().sha256 == many.entry().sha256
    assert [batch.num_rows for batch in folder.batches("one.parquet")] == [12, 12, 12, 4]


class Store(fsspec.spec.AbstractBufferedFile):  # type: ignore[misc]
    """A remote file as fsspec knows it: what is buffered is uploaded at close."""

    uploaded: ClassVar[dict[str, bytes]] = {}

    def _initiate_upload(self) -> None: ...

    def _upload_chunk(self, final: bool = False) -> bool:
        self.uploaded[self.path] = self.buffer.getvalue()
        return True


def test_a_half_written_remote_file_is_never_uploaded() -> None:
    class Remote(fsspec.AbstractFileSystem):  # type: ignore[misc]
        protocol = "halfway"

        def _open(self, path: str, mode: str = "rb", **_: object) -> Store:
            return Store(self, path, mode)

        def makedirs(self, path: str, exist_ok: bool = False) -> None: ...

    fsspec.register_implementation("halfway", Remote, clobber=True)
    folder = Folder("halfway://bucket")

    def half() -> None:
        with folder.create("x.bin") as file:
            file.write(b"half")
            raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        half()
    gc.collect()
    assert Store.uploaded == {}
    folder.write("y.bin", b"whole")
    assert list(Store.uploaded.values()) == [b"whole"]
