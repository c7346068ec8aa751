"""Ids as the bytes they stand for, many at a time, and the tokenizer that lies beside a dataset's splits."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from pipeline.errors import ShardError
from pipeline.shards.read import Dataset, Ints
from pipeline.storage import Folder
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


def beside(dataset: Dataset) -> Folder:
    """The folder that a dataset's splits lie in, and their tokenizer beside them."""
    if dataset.folder.is_local:
        return Folder(os.path.dirname(dataset.folder.path("").rstrip("/")))
    return Folder(dataset.folder.url.rstrip("/").rpartition("/")[0])


def speller_of(dataset: Dataset) -> Speller:
    """The speller of the tokenizer beside a dataset's splits; ShardError when it is missing or another one."""
    folder = beside(dataset)
    path = folder.path(FILE)
    if not folder.exists(FILE):
        raise ShardError(f"{path} is missing: put the tokenizer of {dataset.folder.url} there")
    content, due = folder.read(FILE), dataset.manifest.tokenizer.sha256
    if (found := hashlib.sha256(content).hexdigest()) != due:
        raise ShardError(
            f"{path} is not the tokenizer that {dataset.folder.url} was made with: its SHA-256 is {found[:16]}…,"
            f" the manifest says {due[:16]}…; put that one there"
        )
    return Speller(Vocabulary.parse(content, path))
