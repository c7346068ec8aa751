"""Tokenized parts: documents as ids, in the order in which a mix takes them, readable by ranges of that order.

A part is a Parquet file of TOKENIZED rows sorted by (key, id), in row groups of about `GROUP_TOKENS` tokens that carry
the least and greatest key in the footer: a reader fetches a range of keys and little else, from a disk or an object store.
Beside it stands a histogram, tokens and documents per bucket of the key's top `HISTOGRAM_BITS` bits; histograms add up,
so the prefix of a source that holds a given number of tokens is found without a global sort.

Ids are byte-stream-split before zstd: their upper bytes are nearly constant. Of the layouts tried (plain, dictionary,
binary; with and without compression) it was the smallest and, compressed, the fastest to write and to read.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.errors import StorageError
from pipeline.job import Job, PartFile
from pipeline.schema import DOC_FACTS, TOKENIZED

#: Buckets of a histogram are the values of the key's top bits.
HISTOGRAM_BITS = 12
BUCKETS = 1 << HISTOGRAM_BITS
#: One past the greatest key.
KEY_END = 1 << 64
#: A row group ends with the document that brings it to this many tokens (1 MiB of ids before compression).
GROUP_TOKENS = 1 << 18

HISTOGRAM = pa.schema(
    [
        pa.field("bucket", pa.uint16(), nullable=False),
        pa.field("documents", pa.int64(), nullable=False),
        pa.field("tokens", pa.int64(), nullable=False),
        pa.field("trained", pa.int64(), nullable=False),
        pa.field("conversations", pa.int64(), nullable=False),
    ]
)


#: What shares may be shares of: tokens, documents, or the tokens that are learnt.
Measure = Literal["tokens", "documents", "trained"]


class Histogram(NamedTuple):
    """Documents, tokens, tokens that are learnt, and documents with a mask, per bucket: int64 arrays of length `BUCKETS`."""

    documents: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    trained: npt.NDArray[np.int64]
    conversations: npt.NDArray[np.int64]

    def of(self, measure: Measure) -> npt.NDArray[np.int64]:
        """What shares are shares of."""
        return {"tokens": self.tokens, "documents": self.documents, "trained": self.trained}[measure]


def order_keys(ids: pa.Array, *draw: object) -> npt.NDArray[np.uint64]:
    """A uniform 64-bit key per document id: BLAKE2b of the words that name the draw (seed, purpose) and the id.

    It depends on nothing else, so documents stand in one order whatever part they are in; other words, another order.
    """
    named = hashlib.blake2b("\0".join([*map(str, draw), ""]).encode(), digest_size=8)
    keys = bytearray()
    for name in ids.to_pylist():
        hashed = named.copy()
        hashed.update(name.encode())
        keys += hashed.digest()
    return np.frombuffer(bytes(keys), dtype=">u8").astype(np.uint64)


def tokenized(
    batch: pa.RecordBatch,
    seed: int,
    ids: npt.NDArray[np.uint32],
    offsets: npt.NDArray[np.int64],
    learnt: npt.NDArray[np.bool_] | None = None,
) -> pa.Table:
    """The documents of a DOC batch as TOKENIZED rows, those of row i being ids[offsets[i]:offsets[i + 1]].

    `learnt` says of each id whether it is; None: all are, but for the first of a document.
    """
    lengths, places = np.diff(offsets), pa.array(offsets)
    columns = {
        **{name: batch.column(name) for name in DOC_FACTS},
        "key": pa.array(order_keys(batch.column("id"), seed, "mix")),
        "n_tokens": pa.array(lengths),
        "n_trained": pa.array(np.maximum(lengths - 1, 0) if learnt is None else np.diff(np.append(0, np.cumsum(learnt))[offsets])),
        "ids": pa.LargeListArray.from_arrays(places, pa.array(ids)),
        "mask": pa.nulls(batch.num_rows) if learnt is None else pa.LargeListArray.from_arrays(places, pa.array(learnt)),
    }
    return pa.table({name: columns[name] for name in TOKENIZED.names}).cast(TOKENIZED)


def bucket_of(key: int) -> int:
    """The bucket that a key lies in."""
    return key >> (64 - HISTOGRAM_BITS)


def bucket_start(bucket: int) -> int:
    """The first key of a bucket; of `BUCKETS`, one past the last key."""
    return bucket << (64 - HISTOGRAM_BITS)


def write_tokens(job: Job, rows: pa.Table) -> None:
    """Write TOKENIZED rows, in any order, as the task's "tokens" and "histogram" files."""
    rows = rows.cast(TOKENIZED).combine_chunks()
    order = pc.sort_indices(rows.select(["key", "id"]), sort_keys=[("key", "ascending"), ("id", "ascending")]).to_numpy()
    lengths = rows.column("n_tokens").to_numpy()
    name = job.name("tokens")
    with job.folder.create(name) as file:
        with pq.ParquetWriter(file, TOKENIZED, **_PARQUET) as writer:
            for start, stop in _groups(lengths[order]):
                writer.write_table(rows.take(pa.array(order[start:stop])), row_group_size=stop - start)
        job.written.append(file.entry(name, rows.num_rows))
    with job.parquet("histogram", HISTOGRAM) as sink:
        sink.write(_histogram(rows))


_PARQUET = {
    "compression": "zstd",
    "compression_level": 1,
    "use_dictionary": ["source", "url", "lang", "licence", "date", "meta"],
    "column_encoding": {"ids.list.element": "BYTE_STREAM_SPLIT"},
    "write_statistics": ["key"],
}


def _groups(lengths: npt.NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Ranges of rows that make the row groups; a document is never divided."""
    filled = np.cumsum(lengths)
    start = 0
    while start < len(lengths):
        before = int(filled[start - 1]) if start else 0
        stop = int(np.searchsorted(filled, before + GROUP_TOKENS)) + 1
        yield start, min(stop, len(lengths))
        start = stop


def _histogram(rows: pa.Table) -> pa.RecordBatch:
    buckets = (rows.column("key").to_numpy() >> np.uint64(64 - HISTOGRAM_BITS)).astype(np.int64)
    masked = pc.is_valid(rows.column("mask")).cast(pa.int64())
    sums = np.zeros((3, BUCKETS), dtype=np.int64)
    for into, column in zip(sums, (rows.column("n_tokens"), rows.column("n_trained"), masked), strict=True):
        np.add.at(into, buckets, column.to_numpy())
    columns = [np.arange(BUCKETS, dtype=np.uint16), np.bincount(buckets, minlength=BUCKETS), *sums]
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], schema=HISTOGRAM)


def read_histogram(part: PartFile) -> Histogram:
    """The histogram of a part, from its "histogram" file."""
    table = part.table()
    return Histogram(*(table.column(name).to_numpy() for name in Histogram._fields))


def add_histograms(parts: Iterable[PartFile]) -> Histogram:
    """The histogram of several parts together."""
    sums = np.zeros((len(Histogram._fields), BUCKETS), np.int64)
    for part in parts:
        sums += np.stack(read_histogram(part))
    return Histogram(*sums)


def read_bucket(parts: Iterable[PartFile], bucket: int) -> pa.Table:
    """The documents (key, id, n_tokens, n_trained) of a bucket in all "tokens" files of a source, in the order of (key, id)."""
    wanted = ["key", "id", "n_tokens", "n_trained"]
    rows = [read_token_range(part, bucket_start(bucket), bucket_start(bucket + 1), wanted) for part in parts]
    empty = pa.schema([TOKENIZED.field(name) for name in wanted]).empty_table()
    return pa.concat_tables([empty, *rows]).sort_by([("key", "ascending"), ("id", "ascending")])


def read_token_range(part: PartFile, first: int = 0, last: int = KEY_END, columns: list[str] | None = None) -> pa.Table:
    """The rows of a "tokens" file with first <= key < last, in the order of (key, id); the columns asked for, or all."""
    batches = list(token_batches(part, first, last, columns))
    wanted = [name for name in TOKENIZED.names if columns is None or name in columns]
    return pa.Table.from_batches(batches, schema=pa.schema([TOKENIZED.field(name) for name in wanted]))


def token_batches(part: PartFile, first: int = 0, last: int = KEY_END, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
    """The same rows one row group at a time; only row groups that the range touches are read."""
    wanted = [name for name in TOKENIZED.names if columns is None or name in columns]
    with part.folder.open(part.entry.name) as file:
        try:
            parquet = pq.ParquetFile(file, pre_buffer=True)
            for group in range(parquet.num_row_groups):
                keys = parquet.metadata.row_group(group).column(0).statistics
                if keys.min < last and keys.max >= first:
                    yield from _between(parquet.read_row_group(group, columns=sorted({*wanted, "key"})), first, last, wanted)
        except (pa.ArrowInvalid, OSError) as error:
            raise StorageError(f"{part.folder.path(part.entry.name)} is damaged ({error}): remove it and run again") from error


def _between(group: pa.Table, first: int, last: int, columns: list[str]) -> Iterator[pa.RecordBatch]:
    keys = group.column("key").to_numpy()
    start = int(np.searchsorted(keys, np.uint64(first)))
    stop = len(keys) if last >= KEY_END else int(np.searchsorted(keys, np.uint64(last)))
    schema = pa.schema([TOKENIZED.field(name) for name in columns])
    yield from group.slice(start, stop - start).select(columns).cast(schema).combine_chunks().to_batches()
