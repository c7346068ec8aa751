"""The reader "table": Parquet and Arrow files, by pyarrow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import IO

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.contracts import InputFile, RawDocument
from pipeline.errors import SourceError
from pipeline.registry import reader
from pipeline.sources.columns import Columns
from pipeline.sources.streams import opened

#: Rows that are decoded at a time.
BATCH_ROWS = 1024


class NoColumn(SourceError):
    """A table has no column of a name that is asked for."""


@reader("table")
def table(
    file: InputFile,
    *,
    text: str = "text",
    format: str = "text",  # noqa: A002 - the recipe's word for it
    id: str | None = None,  # noqa: A002
    url: str | None = None,
    lang: str | None = None,
    licence: str | None = None,
    date: str | None = None,
    meta: Sequence[str] = (),
    batch_rows: int = BATCH_ROWS,
) -> Iterator[RawDocument]:
    """One document for each row of a Parquet, Arrow (Feather) or Arrow stream file; the keys name columns (see Columns).

    `batch_rows` are decoded at a time. A row without a text is of the format "invalid". Raises SourceError for a
    damaged file, and for a column that isn't there, naming those that are.
    """
    columns = Columns(text, format, id, url, lang, licence, date, meta)
    number = 0
    with opened(file) as stream:
        for batch in batches(stream, file, columns.roots(), batch_rows):
            for row in batch.to_pylist():
                number += 1
                yield columns.document(row, number)


def batches(stream: IO[bytes], file: InputFile, names: list[str] | None = None, batch_rows: int = BATCH_ROWS) -> Iterator[pa.RecordBatch]:
    """The rows of a Parquet, Arrow or Arrow stream file, `batch_rows` at a time: the columns of `names`, or all.

    Every batch is looked through before it is given: Arrow trusts a file's offsets, and reads wherever they lead.
    """
    for batch in _read(stream, file, names, batch_rows):
        batch.validate(full=True)
        yield batch


def _read(stream: IO[bytes], file: InputFile, names: list[str] | None, batch_rows: int) -> Iterator[pa.RecordBatch]:
    magic = stream.read(6)
    stream.seek(0)
    if magic[:4] == b"PAR1":
        parquet = pq.ParquetFile(stream)
        _check(file, parquet.schema_arrow, names or ())
        yield from parquet.iter_batches(batch_size=batch_rows, columns=names)
        return
    arrow = pa.ipc.open_file(stream) if magic == b"ARROW1" else pa.ipc.open_stream(stream)
    _check(file, arrow.schema, names or ())
    found = (arrow.get_batch(index) for index in range(arrow.num_record_batches)) if magic == b"ARROW1" else arrow
    for batch in found:
        for start in range(0, batch.num_rows, batch_rows):
            rows = batch.slice(start, batch_rows)
            yield rows if names is None else rows.select(names)


def _check(file: InputFile, schema: pa.Schema, names: Sequence[str]) -> None:
    missing = [name for name in names if name not in schema.names]
    if missing:
        raise NoColumn(f"{file.name} ({file.path}) has no column {missing[0]!r}; it has {', '.join(schema.names)}")
