"""Parquet: the same columns, for the Hub's viewer, for SQL engines, and for trainers that load tables."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.registry import export
from pipeline.shards.layout import MASK, row_schema
from pipeline.shards.read import Dataset, ShardReader, open_intact
from pipeline.storage import Folder

#: Rows of a Parquet row group: some megabytes of ids, so that a reader fetches little to see a few rows.
GROUP_ROWS = 1024
#: What loss functions of trainers leave out.
IGNORED = -100


@export("parquet")
def export_parquet(dataset: Folder, target: Folder, *, labels: bool = False) -> None:
    """Write one Parquet file (zstd) per shard, "SPLIT-00000-of-00005.parquet", and the provenance in docs/.

    `labels`: add a column `labels` (int32), the ids with -100 where a token is no target: padding, the first token of each piece,
    and what a `loss_mask` leaves out. For trainers that want it ready-made (TRL's); others shift and mask by `seq_lengths`.
    """
    opened = open_intact(dataset)
    schema = _schema(opened, labels)
    for shard in opened.shards:
        name = f"{opened.manifest.split}-{shard.number:05d}-of-{len(opened.shards):05d}.parquet"
        with target.create(name) as file, pq.ParquetWriter(file, schema, compression="zstd", use_dictionary=False) as writer:
            for start in range(0, shard.facts.rows, GROUP_ROWS):
                writer.write_table(_table(shard, schema, start, min(start + GROUP_ROWS, shard.facts.rows)))
        target.write(f"docs/{shard.facts.docs.file}", dataset.read(shard.facts.docs.file))


def _schema(dataset: Dataset, labels: bool) -> pa.Schema:
    masked = any(shard.facts.masked for shard in dataset.shards)
    schema = row_schema(dataset.manifest.seq_len, dataset.manifest.dtype, masked)
    return schema.append(pa.field("labels", pa.list_(pa.int32(), dataset.manifest.seq_len))) if labels else schema


def _table(shard: ShardReader, schema: pa.Schema, start: int, stop: int) -> pa.Table:
    edges = shard.row_starts[start : stop + 1]
    columns: dict[str, pa.Array] = {"input_ids": _fixed(shard.input_ids[start:stop], schema.field("input_ids").type)}
    for name in ("seq_lengths", "doc_index", "doc_offset"):
        values = shard.array(name)[edges[0] : edges[-1]]
        columns[name] = pa.ListArray.from_arrays(pa.array(edges - edges[0], pa.int32()), pa.array(values), type=schema.field(name).type)
    if MASK in schema.names:
        columns[MASK] = _fixed(shard.learnt(start, stop), schema.field(MASK).type)
    if "labels" in schema.names:
        columns["labels"] = _fixed(_labels(shard, start, stop), schema.field("labels").type)
    return pa.table(columns, schema=schema)


def _fixed(rows: np.ndarray, type_: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(rows.reshape(-1)), type=type_)


def _labels(shard: ShardReader, start: int, stop: int) -> np.ndarray:
    return np.where(shard.learnt(start, stop), shard.input_ids[start:stop].astype(np.int32), np.int32(IGNORED))
