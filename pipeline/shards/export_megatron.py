"""Megatron's indexed dataset: a .bin of tokens and an .idx of lengths and places, one sequence per document.

Layout of the .idx, little-endian: `MMIDIDX\\0\\0`, uint64 version (1), uint8 code of the tokens' type, uint64 number of
sequences, uint64 number of document boundaries; then int32 lengths, int64 byte offsets into the .bin, and int64 numbers
of the sequences with which documents begin (and one past the last).
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

from pipeline.errors import ShardError
from pipeline.registry import export
from pipeline.shards.read import open_intact
from pipeline.shards.unpack import Lengths, check_unmasked, documents
from pipeline.storage import Folder

MAGIC = b"MMIDIDX\x00\x00"
#: Codes of token types. Megatron has no uint32; ids fit into int32.
CODES: dict[str, tuple[int, np.dtype[Any]]] = {"uint16": (8, np.dtype("<u2")), "uint32": (4, np.dtype("<i4"))}


@export("megatron")
def export_megatron(dataset: Folder, target: Folder, *, prefix: str = "tokens") -> None:
    """Write `PREFIX.bin` and `PREFIX.idx` with whole documents, unpacked: Megatron-LM and NeMo pack on their own.

    A document used in several epochs is written as often (see `unpack.documents`).
    """
    opened = open_intact(dataset)
    check_unmasked(opened)
    code, dtype = CODES[opened.manifest.dtype]
    lengths = [np.zeros(0, np.int64)]
    with target.create(f"{prefix}.bin") as file:
        for tokens, of_each in documents(opened):
            file.write(tokens.astype(dtype).tobytes())
            lengths.append(of_each)
    target.write(f"{prefix}.idx", _index(np.concatenate(lengths), code, dtype.itemsize))


def _index(lengths: Lengths, code: int, itemsize: int) -> bytes:
    if lengths.max(initial=0) > np.iinfo(np.int32).max:
        raise ShardError(f"a document has {int(lengths.max()):,} tokens: Megatron's index counts with 31 bits")
    starts = (np.cumsum(lengths) - lengths) * itemsize
    head = MAGIC + struct.pack("<QBQQ", 1, code, len(lengths), len(lengths) + 1)
    return head + lengths.astype("<i4").tobytes() + starts.astype("<i8").tobytes() + np.arange(len(lengths) + 1, dtype="<i8").tobytes()
