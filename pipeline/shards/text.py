"""Ids as the bytes they stand for, many at a time, and the tokenizer that lies beside a dataset's splits."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors import ShardError
from pipeline.shards.read import Dataset, Ints
from pipeline.storage import Folder, sha256_of
from tokenizer.vocabulary import FILE, Vocabulary


class Spelled(NamedTuple):
    """Tokens spelled out: token k is data[offsets[k]:offsets[k + 1]]."""

    offsets: npt.NDArray[np.int64]
    data: bytes


@dataclass(frozen=True)
class Speller:
    """Spells ids as bytes: of text, or the text of a special token."""

    vocabulary: Vocabulary

    @cached_property
    def _tokens(self) -> pa.Array:
        return pa.array(self.vocabulary.token_bytes, pa.large_binary())

    def spell(self, ids: Ints) -> Spelled:
        """The bytes of each id, one after the other; ShardError for an id beyond the vocabulary."""
        if len(ids) and int(ids.max()) >= len(self._tokens):
            raise ShardError(f"id {int(ids.max())} is beyond the tokenizer's {len(self._tokens):,}: verify the dataset")
        taken = self._tokens.take(pa.array(ids))
        _, offsets, data = taken.buffers()
        return Spelled(np.frombuffer(offsets, np.int64, len(ids) + 1), data.to_pybytes() if data is not None else b"")

    def text(self, ids: Ints) -> str:
        """Ids as text; bytes that are no whole character are shown as U+FFFD."""
        return self.spell(ids).data.decode(errors="replace")


def speller_of(dataset: Dataset) -> Speller:
    """The speller of the tokenizer beside a dataset's splits; ShardError when it is missing or another one."""
    folder = Folder(dataset.folder.url.rstrip("/").rpartition("/")[0] or ".")
    path = folder.path(FILE)
    if not folder.exists(FILE):
        raise ShardError(f"{path} is missing: put the tokenizer of the dataset there to see its text")
    if sha256_of(path) != dataset.manifest.tokenizer.sha256:
        raise ShardError(f"{path} is not the tokenizer that {dataset.folder.url} was made with: its SHA-256 differs from the manifest's")
    return Speller(Vocabulary.parse(folder.read(FILE), path))
