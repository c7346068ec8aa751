"""Where files live: a folder at any fsspec URL, and files that appear whole or not at all.

A local file is written aside, flushed to disk and renamed; elsewhere (s3://, gs://) one PUT at close is the commit.
Every file is hashed while it is written.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import IO, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
from fsspec.implementations.local import LocalFileSystem

from pipeline.errors import StorageError
from pipeline.writing import FileEntry, HashingFile, ParquetSink, naming


@dataclass(frozen=True)
class Folder:
    """A folder at a path or fsspec URL. Names are relative, with "/" between."""

    url: str

    @cached_property
    def _fs(self) -> tuple[fsspec.AbstractFileSystem, str]:
        try:
            fs, root = fsspec.core.url_to_fs(self.url)
        except (ValueError, ImportError) as error:
            raise StorageError(f"{self.url}: no folder of that kind can be opened ({error})") from error
        return fs, root.rstrip("/")

    @property
    def is_local(self) -> bool:
        """Whether the files can be memory-mapped by path."""
        return isinstance(self._fs[0], LocalFileSystem)

    def sub(self, name: str) -> Folder:
        """The folder `name` inside this one."""
        return Folder(f"{self.url.rstrip('/')}/{name}")

    def path(self, name: str) -> str:
        """The full path of a file, as its filesystem spells it (absolute when local)."""
        return f"{self._fs[1]}/{name}"

    def exists(self, name: str) -> bool:
        with _reaching(self.path(name)):
            return bool(self._fs[0].exists(self.path(name)))

    def names(self) -> list[str]:
        """Names of the files directly in this folder, sorted; without those still being written."""
        fs, root = self._fs
        if not fs.isdir(root):
            return []
        found = (os.path.basename(entry["name"]) for entry in fs.ls(root, detail=True) if entry["type"] == "file")
        return sorted(name for name in found if not name.startswith(".tmp-"))

    def folders(self) -> list[str]:
        """Names of the folders directly in this one, sorted."""
        fs, root = self._fs
        if not fs.isdir(root):
            return []
        return sorted(os.path.basename(e["name"].rstrip("/")) for e in fs.ls(root, detail=True) if e["type"] == "directory")

    def sizes(self) -> dict[str, int]:
        """Bytes of every file in this folder and below it, by name: one listing."""
        fs, root = self._fs
        found = fs.find(root, detail=True) if fs.isdir(root) else {}
        return {path[len(root) + 1 :]: int(facts["size"]) for path, facts in found.items()}

    def remove(self) -> None:
        """Remove the folder with all in it, if it is there."""
        fs, root = self._fs
        if fs.exists(root):
            fs.rm(root, recursive=True)

    def open(self, name: str) -> IO[bytes]:
        """Open a file for reading; StorageError names it when it is not there, or no file that may be read."""
        try:
            with _reaching(self.path(name)):
                return self._fs[0].open(self.path(name), "rb")  # type: ignore[no-any-return]
        except FileNotFoundError as error:
            raise StorageError(f"{self.path(name)} is not there: run the stage that writes it again") from error

    def read(self, name: str) -> bytes:
        with self.open(name) as file:
            return file.read()

    def read_json(self, name: str) -> Any:
        try:
            return json.loads(self.read(name))
        except ValueError as error:
            raise StorageError(f"{self.path(name)} is not JSON ({error}): remove it and run again") from error

    def write(self, name: str, data: bytes) -> FileEntry:
        with self.create(name) as file:
            file.write(data)
        return file.entry(name)

    def write_json(self, name: str, value: object) -> FileEntry:
        return self.write(
            name, (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
        )

    @contextmanager
    def create(self, name: str) -> Iterator[HashingFile]:
        """A file to write that appears under its name only when the block ends without an error."""
        fs, _ = self._fs
        path = self.path(name)
        folder, base = os.path.split(path)
        aside = f"{folder}/.tmp-{base}-{uuid.uuid4().hex[:12]}" if self.is_local else path
        with _reaching(path), naming(path):
            fs.makedirs(folder, exist_ok=True)
            raw = fs.open(aside, "wb")
        file = HashingFile(raw, path)
        try:
            yield file
            with naming(path):
                _commit(raw, aside, path, self.is_local)
        except BaseException:
            _discard(raw, aside, self.is_local)
            raise

    def batches(self, name: str, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The record batches of a Parquet file, one row group at a time; StorageError names a damaged file."""
        with self.open(name) as file:
            try:
                parquet = pq.ParquetFile(file)
                for group in range(parquet.num_row_groups):
                    yield from parquet.read_row_group(group, columns=columns).combine_chunks().to_batches()
            except (pa.ArrowInvalid, OSError) as error:
                raise StorageError(f"{self.path(name)} is damaged ({error}): remove it and run again") from error

    def table(self, name: str, columns: list[str] | None = None) -> pa.Table:
        """A whole Parquet file as one table."""
        with self.open(name) as file:
            try:
                return pq.read_table(file, columns=columns)
            except (pa.ArrowInvalid, OSError) as error:
                raise StorageError(f"{self.path(name)} is damaged ({error}): remove it and run again") from error

    def schema(self, name: str) -> pa.Schema:
        """The schema of a Parquet file, with its metadata; no rows are read."""
        with self.open(name) as file:
            try:
                return pq.read_schema(file)
            except (pa.ArrowInvalid, OSError) as error:
                raise StorageError(f"{self.path(name)} is damaged ({error}): remove it and run again") from error

    @contextmanager
    def parquet(self, name: str, schema: pa.Schema) -> Iterator[ParquetSink]:
        """A Parquet file (zstd) to write batch by batch."""
        with self.create(name) as file, pq.ParquetWriter(file, schema, compression="zstd", compression_level=3) as writer:
            sink = ParquetSink(writer, file, name)
            yield sink
            sink.flush()


@contextmanager
def _reaching(path: str) -> Iterator[None]:
    """Turn what is wrong with the way to a file (no permission, no credentials) into a StorageError that names it."""
    try:
        yield
    except _unreachable() as error:
        raise StorageError(f"{path} can't be opened ({error}): look at the path, and at what you may do there") from error


def _unreachable() -> tuple[type[Exception], ...]:
    """What is raised where the way is barred. The client of S3 has errors of its own, once it is loaded, that are no OSError."""
    client = sys.modules.get("botocore.exceptions")
    return (IsADirectoryError, PermissionError, *([client.BotoCoreError] if client else []))


def _commit(raw: IO[bytes], aside: str, path: str, local: bool) -> None:
    raw.flush()
    if local:
        os.fsync(raw.fileno())
    raw.close()
    if local:
        os.replace(aside, path)


def _discard(raw: IO[bytes], aside: str, local: bool) -> None:
    """Drop a half-written file: nothing of it may become visible."""
    if not local and hasattr(raw, "discard"):
        raw.discard()
        raw.closed = True  # type: ignore[misc] # or fsspec's buffered files upload what they hold when they are collected
        return
    try:
        raw.close()
    except OSError:  # a full disk refuses the last flush too; the first error is the one to report
        pass
    if local and os.path.exists(aside):
        os.remove(aside)


def content_digest(paths: Sequence[str]) -> str:
    """One hash over the names and contents of files given by path, folder or glob; order and location don't matter."""
    found = sorted({(os.path.basename(path), sha256_of(path)) for path in expand(paths)})
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def expand(paths: Sequence[str]) -> list[str]:
    """The files behind paths, folders (all files below them) and globs, sorted; StorageError names one with none."""
    out: set[str] = set()
    for path in paths:
        fs, root = fsspec.core.url_to_fs(path)
        found = fs.find(root) if fs.isdir(root) else [p for p in fs.glob(root) if fs.isfile(p)]
        if not found:
            raise StorageError(f"{path}: no file there")
        out.update(fs.unstrip_protocol(name) if not isinstance(fs, LocalFileSystem) else name for name in found)
    return sorted(out)


def sha256_of(path: str) -> str:
    """The SHA-256 of a file at a path or URL, read in pieces."""
    with fsspec.open(path, "rb") as file:
        return measured(file)[1]


def measured(file: IO[bytes]) -> tuple[int, str]:
    """Bytes and SHA-256 of what is left in an open file, read in pieces."""
    digest, size = hashlib.sha256(), 0
    while piece := file.read(1 << 20):
        digest.update(piece)
        size += len(piece)
    return size, digest.hexdigest()
