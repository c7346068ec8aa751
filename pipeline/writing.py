"""Files as they are written: hashed on the way, errors of the disk named, Parquet in row groups that depend on content alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import StorageError

#: A Parquet row group ends after this many rows or bytes of text, whichever comes first: enough to compress, little to hold.
ROW_GROUP_ROWS = 4096
ROW_GROUP_BYTES = 32 << 20


@dataclass(frozen=True, order=True)
class FileEntry:
    """A written file: name within its folder, rows (0 when it has none), bytes, and the SHA-256 of its content."""

    name: str
    rows: int
    bytes: int
    sha256: str

    @property
    def part(self) -> str:
        """The part a file belongs to: "web-00042" of "web-00042.docs.parquet"."""
        return self.name.partition(".")[0]

    @property
    def kind(self) -> str:
        """What the file holds: "docs" of "web-00042.docs.parquet"."""
        return self.name.split(".")[1] if self.name.count(".") > 1 else ""


@contextmanager
def naming(path: str) -> Iterator[None]:
    """Turn an OSError of the block (a full disk, no permission) into a StorageError that names the file."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"can't write {path}: {error.strerror or error}") from error


class HashingFile:
    """A writable file that hashes and counts what goes through it."""

    def __init__(self, raw: IO[bytes], path: str) -> None:
        self._raw = raw
        self._path = path
        self._sha256 = hashlib.sha256()
        self.size = 0
        self.closed = False

    def write(self, data: bytes | memoryview | pa.Buffer) -> int:
        view = memoryview(data)
        with naming(self._path):
            self._raw.write(view)
        self._sha256.update(view)
        self.size += view.nbytes
        return view.nbytes

    def tell(self) -> int:
        return self.size

    def flush(self) -> None:
        self._raw.flush()

    def close(self) -> None:
        """Arrow's writers close what they are given; the commit is `create`'s, so this only marks the end."""
        self.closed = True

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def entry(self, name: str, rows: int = 0) -> FileEntry:
        return FileEntry(name, rows, self.size, self._sha256.hexdigest())


class ParquetSink:
    """Collects rows into row groups that end by what the rows hold, so that the bytes don't depend on batch sizes."""

    def __init__(self, writer: pq.ParquetWriter, file: HashingFile, name: str) -> None:
        self._writer = writer
        self._file = file
        self._name = name
        self._pending: list[pa.RecordBatch] = []
        self._waiting_rows = 0
        self._waiting_bytes = 0
        self.rows = 0

    def write(self, batch: pa.RecordBatch) -> None:
        self.rows += batch.num_rows
        sizes = _text_bytes(batch)
        while batch.num_rows:
            filled = self._waiting_bytes + np.cumsum(sizes)
            fits = min(ROW_GROUP_ROWS - self._waiting_rows, int(np.searchsorted(filled, ROW_GROUP_BYTES)) + 1, batch.num_rows)
            self._pending.append(batch.slice(0, fits))
            self._waiting_rows += fits
            self._waiting_bytes = int(filled[fits - 1])
            batch, sizes = batch.slice(fits), sizes[fits:]
            if self._waiting_rows == ROW_GROUP_ROWS or self._waiting_bytes >= ROW_GROUP_BYTES:
                self.flush()

    def flush(self) -> None:
        """Write what is waiting as one row group."""
        if self._pending:
            self._writer.write_table(pa.Table.from_batches(self._pending).combine_chunks(), row_group_size=ROW_GROUP_ROWS)
        self._pending, self._waiting_rows, self._waiting_bytes = [], 0, 0

    def entry(self) -> FileEntry:
        return self._file.entry(self._name, self.rows)


def _text_bytes(batch: pa.RecordBatch) -> npt.NDArray[np.int64]:
    """Bytes of text of each row; nothing for a batch without texts."""
    column = batch.schema.get_field_index("text")
    if column < 0:
        return np.zeros(batch.num_rows, np.int64)
    sizes: npt.NDArray[np.int64] = pc.fill_null(pc.binary_length(batch.column(column)), 0).cast(pa.int64()).to_numpy(zero_copy_only=False)
    return sizes
