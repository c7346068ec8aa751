"""MDS, the format of MosaicML Streaming (LLM Foundry, Composer): a file per shard and an index.json.

A file holds, little-endian: uint32 number of samples n, uint32 offsets of the n samples and of the end, a JSON of the columns,
and the samples: the sizes (uint32) of the columns that vary, then the columns by name. An array whose type only is fixed
begins with a byte (4 x dimensions + width of the shape: 0 for one byte, 1 for two, 2 for four) and its shape.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from pipeline.errors import ShardError
from pipeline.registry import export
from pipeline.shards.layout import MASK
from pipeline.shards.read import ShardReader, open_intact
from pipeline.storage import Folder

#: Offsets have 32 bits.
MOST_BYTES = (1 << 32) - 1
#: Type of a list's length by its width, the narrowest that holds it.
_WIDTHS = ("<u1", "<u2", "<u4")


@export("mds")
def export_mds(dataset: Folder, target: Folder) -> None:
    """Write "shard.00000.mds" and so on with the columns `input_ids` and `seq_lengths` of each row, and index.json.

    The rows stay packed; `seq_lengths` says where documents begin, and `loss_mask` (a byte a token), where there is one, what
    is learnt. ShardError for a shard of 4 GiB or more.
    """
    opened = open_intact(dataset)
    seq_len, dtype = opened.manifest.seq_len, np.dtype(opened.manifest.dtype)
    columns: dict[str, list[Any]] = {
        "column_encodings": [f"ndarray:{dtype.name}:{seq_len}", "ndarray:int32"],
        "column_names": ["input_ids", "seq_lengths"],
        "column_sizes": [seq_len * dtype.itemsize, None],
    }
    if any(shard.facts.masked for shard in opened.shards):
        for key, value in zip(columns, (f"ndarray:uint8:{seq_len}", MASK, seq_len), strict=True):
            columns[key].insert(1, value)
    listed = [_write(target, shard, columns) for shard in opened.shards]
    target.write("index.json", json.dumps({"shards": listed, "version": 2}, sort_keys=True).encode())


def _write(target: Folder, shard: ShardReader, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Write one file; returns its entry in the index."""
    about = {**columns, "compression": None, "format": "mds", "hashes": ["sha256"], "size_limit": MOST_BYTES, "version": 2}
    config = json.dumps(about, sort_keys=True).encode()
    samples = list(_samples(shard))
    offsets = np.cumsum([4 + 4 * (len(samples) + 1) + len(config), *map(len, samples)])
    if offsets[-1] > MOST_BYTES:
        raise ShardError(f"mds: {shard.facts.file} would have {offsets[-1]:,} bytes, its offsets reach {MOST_BYTES:,}: pack smaller shards")
    name = f"shard.{shard.number:05d}.mds"
    with target.create(name) as file:
        file.write(np.uint32(len(samples)).astype("<u4").tobytes() + offsets.astype("<u4").tobytes() + config)
        for sample in samples:
            file.write(sample)
    written = file.entry(name)
    raw = {"basename": name, "bytes": written.bytes, "hashes": {"sha256": written.sha256}}
    return {**about, "raw_data": raw, "samples": len(samples), "zip_data": None}


def _samples(shard: ShardReader) -> Iterator[bytes]:
    for row in shard.rows():
        lengths = _array(row.seq_lengths.astype("<i4"))
        mask = shard.learnt(row.number, row.number + 1).tobytes() if shard.facts.masked else b""
        yield np.array([len(lengths)], "<u4").tobytes() + row.input_ids.tobytes() + mask + lengths


def _array(values: np.ndarray) -> bytes:
    """A one-dimensional array with its shape before it."""
    width = next(number for number, kind in enumerate(_WIDTHS) if len(values) <= np.iinfo(kind).max)
    return bytes([1 << 2 | width]) + np.array([len(values)], _WIDTHS[width]).tobytes() + values.tobytes()
