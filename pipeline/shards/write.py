"""Writing packed datasets: the bytes of a shard, and the small files that make a folder of shards a dataset."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.job import MANIFEST
from pipeline.shards.layout import MASK, SPLIT_LIST, Buffer, Manifest, row_schema
from pipeline.storage import Folder
from pipeline.writing import FileEntry

Ints = npt.NDArray[np.int64]


def shard_bytes(
    input_ids: npt.NDArray[np.unsignedinteger], row_starts: Ints, columns: Mapping[str, Ints], learnt: npt.NDArray[np.bool_] | None = None
) -> pa.Buffer:
    """A whole shard: an Arrow IPC stream of one record batch.

    `input_ids`: rows x seq_len, uint16 or uint32. `columns`: "seq_lengths", "doc_index" and "doc_offset", a value per
    piece; `row_starts`: where each row's pieces begin (rows + 1 values). `learnt`: rows x seq_len, which tokens are targets.
    """
    schema = row_schema(input_ids.shape[1], str(input_ids.dtype), learnt is not None)
    offsets = pa.array(row_starts, pa.int32())
    lists = [pa.ListArray.from_arrays(offsets, pa.array(columns[field.name], field.type.value_type)) for field in list(schema)[1:4]]
    ids = pa.FixedSizeListArray.from_arrays(pa.array(input_ids.reshape(-1)), type=schema.field("input_ids").type)
    masks = [] if learnt is None else [pa.FixedSizeListArray.from_arrays(pa.array(learnt.reshape(-1)), type=schema.field(MASK).type)]
    batch = pa.RecordBatch.from_arrays([ids, *lists, *masks], schema=schema)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue()


def buffers_of(shard: pa.Buffer) -> dict[str, Buffer]:
    """Where the arrays of a shard lie in its bytes, for readers that have no Arrow."""
    batch = pa.ipc.open_stream(shard).read_next_batch()
    found = {"input_ids": _located(shard, batch.column("input_ids").values)}
    if MASK in batch.schema.names:
        found[MASK] = _located(shard, batch.column(MASK).values)
    for name in batch.schema.names[1:4]:
        column = batch.column(name)
        found[f"{name}.offsets"] = _located(shard, column.offsets)
        found[name] = _located(shard, column.values)
    return found


def _located(shard: pa.Buffer, array: pa.Array) -> Buffer:
    """An array without nulls, read from `shard` without a copy: its place is the distance of the two addresses."""
    data = array.buffers()[1]
    offset = data.address - shard.address if data is not None and len(array) else 0
    if array.type == pa.bool_():
        return Buffer(offset, "|u1", -(-len(array) // 8))
    return Buffer(offset, array.type.to_pandas_dtype()().dtype.str, len(array))


def write_dataset_files(folder: Folder, manifest: Manifest) -> list[FileEntry]:
    """The manifest of a split, and what `datasets.load_from_disk` needs beside it, in the split's own folder."""
    files = {MANIFEST: manifest.to_json(), "state.json": _state(manifest), "dataset_info.json": _info(manifest)}
    return [folder.write_json(f"{manifest.split}/{name}", value) for name, value in files.items()]


def write_split_list(folder: Folder, splits: Sequence[str]) -> FileEntry:
    """What `datasets.load_from_disk` needs to open the folder above as a dict of splits."""
    return folder.write(SPLIT_LIST, json.dumps({"splits": list(splits)}).encode())


def _state(manifest: Manifest) -> dict[str, Any]:
    return {
        "_data_files": [{"filename": shard.file} for shard in manifest.shards],
        "_fingerprint": manifest.digest[:16],
        "_format_columns": None,
        "_format_kwargs": {},
        "_format_type": None,
        "_output_all_columns": False,
        "_split": manifest.split,
    }


def _info(manifest: Manifest) -> dict[str, Any]:
    def listed(dtype: str, **size: int) -> dict[str, Any]:
        return {"feature": {"dtype": dtype, "_type": "Value"}, **size, "_type": "Sequence"}

    features = {
        "input_ids": listed(manifest.dtype, length=manifest.seq_len),
        "seq_lengths": listed("int32"),
        "doc_index": listed("int64"),
        "doc_offset": listed("int32"),
    }
    if any(shard.masked for shard in manifest.shards):
        features[MASK] = listed("bool", length=manifest.seq_len)
    return {"citation": "", "description": "", "features": features, "homepage": "", "license": ""}
