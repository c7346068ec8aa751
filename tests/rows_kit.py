"""Packed datasets made by hand, for tests of readers: rows are lists of pieces, a piece is a list of token ids."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

Rows = Sequence[Sequence[Sequence[int]]]

PAD = 0


def random_rows(count: int, seq_len: int, vocab_size: int, seed: int = 0) -> list[list[list[int]]]:
    """Rows of one to four pieces of random ids (never PAD), the last of them not always full."""
    draw = np.random.default_rng(seed)
    rows = []
    for _ in range(count):
        cuts = np.unique(draw.integers(1, seq_len, size=3))
        sizes = np.diff([0, *cuts, seq_len if draw.random() < 0.7 else int(cuts[-1])])
        rows.append([draw.integers(1, vocab_size, size=int(size)).tolist() for size in sizes if size])
    return rows


def write_dataset(
    folder: Path,
    rows: Rows,
    *,
    seq_len: int,
    vocab_size: int,
    rows_per_shard: int | None = None,
    dtype: str = "uint16",
    tokenizer_sha256: str = "7" * 64,
    masks: Sequence[Sequence[bool]] | None = None,
) -> Path:
    """Write `rows` as the pack stage would, with a `loss_mask` column where `masks` are given."""
    folder.mkdir(parents=True, exist_ok=True)
    size = rows_per_shard or max(1, len(rows))
    starts = range(0, len(rows), size)
    shards = [
        _write_shard(
            folder / f"data-{n:05d}-of-{len(starts):05d}.arrow", rows[a : a + size], seq_len, dtype, masks and list(masks[a : a + size])
        )
        for n, a in enumerate(starts)
    ]
    manifest = {
        "format": "tokenmill-packed", "version": 1, "split": "train", "seq_len": seq_len, "dtype": dtype,
        "rows": len(rows), "tokens": sum(shard["tokens"] for shard in shards),
        "digest": hashlib.sha256("".join(f"{shard['sha256']}\n" for shard in shards).encode()).hexdigest(),
        "tokenizer": {
            "name": "tokenizer.json", "sha256": tokenizer_sha256, "vocab_size": vocab_size,
            "special_ids": {}, "bos_id": None, "eos_id": None, "pad_id": PAD,
        },
        "packing": {}, "sources": [], "shards": shards,
    }  # fmt: skip
    (folder / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    return folder


def edit_manifest(folder: Path, **changes: Any) -> None:
    """Replace keys of a dataset's manifest; a dotted key reaches inside ("tokenizer.vocab_size")."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text("utf-8"))
    for key, value in changes.items():
        *way, last = key.split(".")
        inner = manifest
        for name in way:
            inner = inner[int(name)] if isinstance(inner, list) else inner[name]
        inner[last] = value
    path.write_text(json.dumps(manifest), "utf-8")


def _write_shard(path: Path, rows: Rows, seq_len: int, dtype: str, masks: list[Sequence[bool]] | None) -> dict[str, Any]:
    ids = np.full((len(rows), seq_len), PAD, dtype=dtype)
    for number, row in enumerate(rows):
        flat = [token for piece in row for token in piece]
        ids[number, : len(flat)] = flat
    lengths = [[len(piece) for piece in row] for row in rows]
    arrays = {
        "input_ids": pa.FixedSizeListArray.from_arrays(pa.array(ids.reshape(-1)), seq_len),
        "seq_lengths": pa.array(lengths, pa.list_(pa.int32())),
        "doc_index": pa.array([list(range(len(row))) for row in rows], pa.list_(pa.int64())),
        "doc_offset": pa.array([[0] * len(row) for row in rows], pa.list_(pa.int32())),
    }
    if masks is not None:
        arrays["loss_mask"] = pa.FixedSizeListArray.from_arrays(pa.array(np.asarray(masks, dtype=bool).reshape(-1)), seq_len)
    batch = pa.RecordBatch.from_pydict(arrays)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, batch.schema) as writer:
        writer.write_batch(batch)
    content = path.read_bytes()
    tokens, pieces = sum(map(sum, lengths)), sum(map(len, lengths))
    return {
        "file": path.name, "rows": len(rows), "tokens": tokens, "pieces": pieces, "loss_tokens": tokens - pieces,
        "bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), "buffers": _buffers(pa.py_buffer(content)), "sources": {},
        "docs": {"file": "docs-00000.parquet", "rows": 0, "bytes": 0, "sha256": ""},
    }  # fmt: skip


def _buffers(content: pa.Buffer) -> dict[str, dict[str, Any]]:
    batch = pa.ipc.open_stream(content).read_next_batch()
    found = {"input_ids": _place(content, batch.column("input_ids").values)}
    for name in ("seq_lengths", "doc_index", "doc_offset"):
        found[name] = _place(content, batch.column(name).values)
        found[f"{name}.offsets"] = _place(content, batch.column(name).offsets)
    if "loss_mask" in batch.schema.names:
        bits = batch.column("loss_mask").values
        place = bits.buffers()[1].address - content.address
        found["loss_mask"] = {"offset": place, "dtype": "|u1", "count": -(-len(bits) // 8)}
    return found


def _place(content: pa.Buffer, array: pa.Array) -> dict[str, Any]:
    return {
        "offset": array.buffers()[1].address - content.address,
        "dtype": array.type.to_pandas_dtype()().dtype.str,
        "count": len(array),
    }
