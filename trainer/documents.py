"""Which documents a row is made of. Their names lie in the shards' docs files, which only pyarrow reads: without it, numbers are all."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from trainer.shards import PackedDataset

#: What is told of a document.
COLUMNS = ("id", "source", "url")
#: The source of every piece where sources can't be read.
UNKNOWN = "unknown"


class Piece(NamedTuple):
    """One piece of a row: `tokens` tokens of a document from its token `offset` on; `facts` are empty where they can't be read."""

    shard: str
    row: int
    document: int
    offset: int
    tokens: int
    facts: dict[str, str | None]

    def __str__(self) -> str:
        told = "  ".join(str(value) for value in self.facts.values() if value)
        where = f"tokens {self.offset:,} to {self.offset + self.tokens - 1:,} of document {self.document}"
        return f"row {self.row}  {self.shard}  {where}  {told}".rstrip()


def pieces_of(data: PackedDataset, numbers: Iterable[int]) -> Iterator[Piece]:
    """The pieces of rows, in their order."""
    for number in numbers:
        shard, inside = data.place(number)
        table = _table(shard.docs)
        for document, offset, tokens in zip(*shard.documents(inside), shard.row(inside).lengths, strict=True):
            facts = {name: column[document] for name, column in table.items()}
            yield Piece(shard.path.name, number, int(document), int(offset), int(tokens), facts)


def piece_sources(data: PackedDataset, numbers: Iterable[int]) -> tuple[list[str], dict[int, npt.NDArray[np.int64]]]:
    """The sources of rows' pieces: all names, and for each row the place of each piece's name among them."""
    named = {number: [piece.facts.get("source") or UNKNOWN for piece in pieces_of(data, [number])] for number in numbers}
    names = sorted({name for row in named.values() for name in row})
    return names, {number: np.array([names.index(name) for name in row], dtype=np.int64) for number, row in named.items()}


def document_ids(data: PackedDataset) -> frozenset[str]:
    """The ids of all documents that a dataset has rows of; empty where they can't be read."""
    tables = [_table(path) for path in sorted({shard.docs for shard in data.shards})]
    return frozenset(identity for table in tables for identity in table.get("id", ()))


@lru_cache(maxsize=64)
def _table(path: Path) -> dict[str, list[Any]]:
    if importlib.util.find_spec("pyarrow") is None or not path.is_file():
        return {}
    from pyarrow import parquet  # here alone: a trainer without pyarrow does everything else

    table = parquet.read_table(path, columns=list(COLUMNS))
    return {name: table.column(name).to_pylist() for name in COLUMNS}
