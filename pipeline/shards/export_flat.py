"""Flat tokens: documents one after the other in a raw file, in the three layouts that trainers read.

    datatrove  PREFIX.ds (ids), PREFIX.ds.index (uint64: where each document ends), PREFIX.ds.metadata       also nanotron's
    olmo       PREFIX.npy (ids without NumPy's header, whatever its name says), PREFIX.csv.gz (start,end of each document)
    nanogpt    PREFIX.bin (256 int32: magic 20240520, version 1, number of ids; then ids of two bytes)       also modded-nanogpt's

All little-endian. But for nanogpt's, the type of the ids stands in no file: uint16 or uint32, as the dataset's manifest has it.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable
from typing import Literal

import numpy as np

from pipeline.errors import ShardError
from pipeline.registry import export
from pipeline.shards.layout import Manifest
from pipeline.shards.read import open_intact
from pipeline.shards.unpack import Lengths, check_unmasked, documents
from pipeline.storage import Folder

NANOGPT_MAGIC, NANOGPT_VERSION, NANOGPT_HEADER = 20240520, 1, 256
#: nanoGPT's header counts ids in 32 bits.
MOST_IDS = (1 << 31) - 1


@export("flat")
def export_flat(
    dataset: Folder, target: Folder, *, layout: Literal["datatrove", "olmo", "nanogpt"] = "datatrove", prefix: str = "tokens"
) -> None:
    """Write whole documents, unpacked, as raw ids: datatrove's .ds with its index, OLMo-core's .npy, or nanoGPT's .bin.

    Trainers that cut such files into rows find documents by the index, or by the EOS that ends each. ShardError when ids
    or their number don't fit the layout.
    """
    opened = open_intact(dataset)
    check_unmasked(opened)
    head, suffix, describe = LAYOUTS[layout]
    dtype = np.dtype(opened.manifest.dtype).newbyteorder("<")
    lengths = [np.zeros(0, np.int64)]
    with target.create(f"{prefix}{suffix}") as file:
        file.write(head(opened.manifest))
        for tokens, of_each in documents(opened):
            file.write(tokens.astype(dtype).tobytes())
            lengths.append(of_each)
    describe(target, prefix, opened.manifest, np.concatenate(lengths))


def _no_head(_: Manifest) -> bytes:
    return b""


def _nanogpt_head(manifest: Manifest) -> bytes:
    if manifest.dtype != "uint16":
        raise ShardError(f"nanogpt: ids have two bytes there, a vocabulary of {manifest.tokenizer.vocab_size:,} needs more")
    if manifest.tokens > MOST_IDS:
        raise ShardError(f"nanogpt: {manifest.tokens:,} tokens are more than its header can count ({MOST_IDS:,}): export a smaller split")
    head = np.zeros(NANOGPT_HEADER, "<i4")
    head[:3] = NANOGPT_MAGIC, NANOGPT_VERSION, manifest.tokens
    return head.tobytes()


def _datatrove_index(target: Folder, prefix: str, manifest: Manifest, lengths: Lengths) -> None:
    target.write(f"{prefix}.ds.index", np.cumsum(lengths).astype("<u8").tobytes())
    size = np.dtype(manifest.dtype).itemsize
    target.write(f"{prefix}.ds.metadata", f"{manifest.tokenizer.name}|{size}\n{manifest.tokens}\n{manifest.tokens / 1e6:.2f}MT".encode())


def _olmo_index(target: Folder, prefix: str, _: Manifest, lengths: Lengths) -> None:
    ends = np.cumsum(lengths)
    rows = "".join(f"{end - length},{end}\n" for end, length in zip(ends.tolist(), lengths.tolist(), strict=True))
    target.write(f"{prefix}.csv.gz", gzip.compress(rows.encode(), mtime=0))


def _no_index(*_: object) -> None:
    """The file is all there is."""


Head = Callable[[Manifest], bytes]
Describe = Callable[[Folder, str, Manifest, Lengths], None]
#: By layout: what comes before the ids, the file's suffix, and what is written beside it.
LAYOUTS: dict[str, tuple[Head, str, Describe]] = {
    "datatrove": (_no_head, ".ds", _datatrove_index),
    "olmo": (_no_head, ".npy", _olmo_index),
    "nanogpt": (_nanogpt_head, ".bin", _no_index),
}
